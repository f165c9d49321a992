"""The code of nets, a table by name."""
