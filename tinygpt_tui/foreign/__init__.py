"""Checkpoints of other programs: read as data, recognised, renamed to our names; no torch here."""
