"""Guided lessons as data: what the learner reads and does, and how what was really done is checked; no Textual here."""
