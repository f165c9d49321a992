"""The palette (Ctrl+P): finds actions, views, settings, models, runs and texts by any word for them."""
