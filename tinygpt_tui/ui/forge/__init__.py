"""Tokenizers of a text: merges one after another, sentences cut by several, the tokens themselves."""
