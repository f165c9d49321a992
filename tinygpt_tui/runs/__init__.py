"""What a training leaves on disk: folder, journal, control, index; no torch."""
