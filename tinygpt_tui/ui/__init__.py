"""The Textual app: the only place that knows Textual."""

import os

# Textual reads this when it is first imported. It shows a key at its next tick or the one after, up to 33 ms at its
# own 60 a second. Only what changed is drawn at a tick, and streaming text is paced by itself.
os.environ.setdefault("TEXTUAL_FPS", "120")
