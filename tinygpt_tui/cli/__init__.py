"""The command line: one file a command, a table by name."""
