"""The time machine: a run's models, step by step."""
