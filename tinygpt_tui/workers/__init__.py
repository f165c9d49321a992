"""Between engines and anyone who shows them: the engine process, its client, the trainer; no Textual."""
