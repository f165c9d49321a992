"""What surrounds every tab: bars, keys, themes, help, the terminal."""
