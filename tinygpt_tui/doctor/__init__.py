"""What goes wrong in runs, how it shows, and what helps; no torch but in `net` and `one_batch`."""
