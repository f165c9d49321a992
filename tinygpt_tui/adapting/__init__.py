"""A copy of a model that learns from the text it reads and writes; the model's file never changes."""
