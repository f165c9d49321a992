"""From a screen to an engine or a trainer, and what comes back."""
