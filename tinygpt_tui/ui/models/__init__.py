"""The list of models, a model's card, and what can be done with it."""
