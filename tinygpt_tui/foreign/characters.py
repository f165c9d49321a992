"""Vocabularies that files of other programs take for granted."""

from __future__ import annotations

# Tiny Shakespeare's characters: what nearly every small model without a vocabulary beside it was trained on.
SHAKESPEARE = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
