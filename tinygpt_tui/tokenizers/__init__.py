"""Text to ids and back; the vocabulary travels with the weights."""
