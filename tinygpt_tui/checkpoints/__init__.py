"""Models on disk: one file a layout, a table by name."""
