"""The senses of a Backpack model."""
