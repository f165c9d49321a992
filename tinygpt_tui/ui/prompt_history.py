"""The prompts asked so far, kept between starts: one JSON string a line."""

from __future__ import annotations

import json

from tinygpt_tui import files, paths

LONGEST = 1000


class PromptHistory:
    """A list to walk in; the end of the walk is what was being typed. Lines that cannot be read are left out."""

    def __init__(self, prompts: list[str] | None = None) -> None:
        self._prompts = prompts or []
        self._at = len(self._prompts)
        self._draft = ""

    @classmethod
    def load(cls) -> PromptHistory:
        """Read the file; none, or a damaged one, gives what can be read."""
        try:
            lines = paths.prompts_file().read_bytes().splitlines()
        except OSError:
            return cls()
        return cls([prompt for line in lines if (prompt := _prompt(line)) is not None][-LONGEST:])

    def add(self, prompt: str) -> bool:
        """Keep a prompt, unless it is empty or the last one; return whether there is something to save."""
        new = bool(prompt.strip()) and self._prompts[-1:] != [prompt]
        if new:
            self._prompts = [*self._prompts, prompt][-LONGEST:]
        self._at = len(self._prompts)
        return new

    def save(self) -> None:
        """Write the file whole. Raises StorageError."""
        files.write_bytes(
            paths.prompts_file(), b"".join(json.dumps(prompt).encode() + b"\n" for prompt in self._prompts)
        )

    def older(self, typed: str) -> str | None:
        """Return the prompt before; `typed` is what stands in the box. None at the beginning."""
        return self._move(-1, typed)

    def newer(self, typed: str) -> str | None:
        """Return the prompt after, at last what was being typed. None at the end."""
        return self._move(1, typed)

    def _move(self, by: int, typed: str) -> str | None:
        to = self._at + by
        if not 0 <= to <= len(self._prompts):
            return None
        if self._at == len(self._prompts):
            self._draft = typed
        self._at = to
        return self._draft if to == len(self._prompts) else self._prompts[to]


def _prompt(line: bytes) -> str | None:
    try:
        prompt = json.loads(line)
    except ValueError:
        return None
    return prompt if isinstance(prompt, str) else None
