"""The GPT in C, without torch: an engine that starts at once and decodes near the memory's speed."""
