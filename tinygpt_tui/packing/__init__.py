"""Texts as files of arithmetic code, by a model's probabilities: as small as the model predicts them well."""
