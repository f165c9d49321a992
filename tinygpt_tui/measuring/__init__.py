"""What the program's own speed and loss come to on this machine, measured side by side."""
