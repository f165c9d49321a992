"""Readers of file formats: each gives tensors by name, and what else the file holds."""
