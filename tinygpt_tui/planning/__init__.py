"""How long a run takes, how much memory it needs, and what fits the time."""
