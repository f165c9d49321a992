"""Sessions: what was written in the Generate tab, as trees of branches on disk; no torch, no Textual."""
