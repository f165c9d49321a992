"""The prompts asked so far, saved between sessions: one JSON string a line; several apps at once add to one file."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path

from tinygpt_tui import files, paths
from tinygpt_tui.errors import storage_error
from tinygpt_tui.reading import Damage, decode_halves, read_bytes

LONGEST = 1000
MOST_CHARACTERS = 1_000_000  # of all prompts but the last one: every start reads them
LARGEST = 64 << 20  # bytes of the file
PATIENCE_S = 5.0  # with another app that writes the file just now


class PromptHistory:
    """A list to walk in; the end of the walk is what was being typed. Lines that cannot be read are left out."""

    def __init__(self, prompts: list[str] | None = None) -> None:
        self._prompts = prompts or []
        self._unsaved: deque[str] = deque()  # the app's thread adds, the one that saves takes
        self._at = len(self._prompts)
        self._draft = ""

    @classmethod
    def load(cls) -> PromptHistory:
        """Read the file; none, or a damaged one, gives what can be read."""
        return cls(_read()[0])

    def __iter__(self) -> Iterator[str]:
        """Return the prompts, oldest first."""
        return iter(self._prompts)

    def add(self, prompt: str) -> bool:
        """Keep a prompt, unless it is empty or the last one; return whether there is something to save."""
        new = bool(prompt.strip()) and self._prompts[-1:] != [prompt]
        if new:
            self._prompts = _newest([*self._prompts, prompt])
            self._unsaved.append(prompt)
        self._at = len(self._prompts)
        return new

    def save(self) -> None:
        """Add what is new to the file, where another app may have added, too. Raises StorageError."""
        path = paths.prompts_file()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.locked(_lock_of(path), PATIENCE_S):
                ours = list(self._unsaved)
                saved, is_damaged = _read()
                if is_damaged:  # what cannot be read here, its writer may want back
                    files.set_aside(path)
                prompts = _newest([*saved, *ours])
                files.write_bytes(path, b"".join(json.dumps(prompt).encode() + b"\n" for prompt in prompts))
                for _ in ours:
                    self._unsaved.popleft()
        except OSError as error:  # filelock's Timeout is one, too
            raise storage_error(error, path) from error

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


def _read() -> tuple[list[str], bool]:
    """Return the prompts that can be read, and whether there is something that cannot."""
    try:
        lines = read_bytes(paths.prompts_file(), LARGEST).splitlines()
    except FileNotFoundError:
        return [], False
    except OSError:
        return [], True
    prompts = [prompt for line in lines if (prompt := _prompt(line)) is not None]
    return _newest(prompts), len(prompts) < len(lines)


def _newest(prompts: list[str]) -> list[str]:
    """Return the newest prompts, as many as are saved."""
    lengths: Iterable[int] = accumulate(len(prompt) for prompt in reversed(prompts[-LONGEST:]))
    count = max(1, sum(length <= MOST_CHARACTERS for length in lengths))
    return prompts[-count:]


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _prompt(line: bytes) -> str | None:
    try:
        return decode_halves(line, str)
    except Damage:
        return None
