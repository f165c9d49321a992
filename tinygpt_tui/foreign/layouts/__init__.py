"""How other programs arrange a checkpoint: one file a layout, a table by name."""
