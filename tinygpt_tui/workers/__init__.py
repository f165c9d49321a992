"""Between engines and whoever shows them: the engine process, its client, the trainer; no Textual."""
