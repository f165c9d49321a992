"""Texts to learn from: catalogue, corpus, batches, texts of known entropy."""
