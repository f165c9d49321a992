"""The loss chart as a Rich renderable: the app, the terminal and the exported picture share it."""
