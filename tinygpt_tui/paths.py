"""The folders and files of models, data, settings and logs; asking for a path creates nothing."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import platformdirs

T = TypeVar("T")

HOME_VARIABLE = "TINYGPT_TUI_HOME"
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{port}{number}" for port in ("COM", "LPT") for number in "123456789¹²³"}
)
_PACKAGE = Path(__file__).resolve().parent


def home() -> Path:
    """Return the folder for everything that the program writes: `TINYGPT_TUI_HOME`, else the platform's data folder."""
    chosen = os.environ.get(HOME_VARIABLE)
    if not chosen:
        return Path(platformdirs.user_data_dir("tinygpt-tui", appauthor=False))
    return typed_path(chosen).absolute()  # the trainer works in another folder


def typed_path(text: str) -> Path:
    """Return the path that the user typed, with `~` expanded if the home folder is known."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def pasted_path(text: str) -> Path:
    """Return the path in what a terminal pastes where a file is dropped: in quotes, with escapes, or as file://.

    Of several lines the first counts. What is the name of a file as it is written is that file.
    """
    text = next((line for line in text.strip().splitlines()), "")
    if text.startswith("file://"):
        from urllib.parse import urlsplit  # late: they cost a start of the program a tenth of a second
        from urllib.request import url2pathname

        return Path(url2pathname(urlsplit(text).path))
    plain = typed_path(text)
    unquoted = text[1:-1] if len(text) > 2 and text[0] == text[-1] and text[0] in "'\"" else text
    for path in (plain, typed_path(unquoted), typed_path(re.sub(r"\\(.)", r"\1", unquoted))):
        try:
            if path.exists():
                return path
        except OSError:  # a name that the system refuses to look up
            continue
    return plain


def composed(name: str) -> str:
    """Return a file's name with its accents composed (NFC), as keyboards write them; macOS has many decomposed (NFD).

    Two names that look the same are the same in this form only.
    """
    return unicodedata.normalize("NFC", name)


def find_named(known: Mapping[str, T], name: str) -> T | None:
    """Return the entry with that name, composed or not; None if there is none."""
    if name in known:
        return known[name]
    return next((one for other, one in known.items() if composed(other) == composed(name)), None)


def is_reserved(name: str) -> bool:
    """Whether Windows keeps a file's name for a device, whatever follows the first dot: `NUL`, `con.txt`, `COM1 .gguf`.

    Such a file could not be copied to Windows, so it is refused on every system.
    """
    return name.partition(".")[0].rstrip().upper() in _DEVICES


def entry_named(folder: Path, name: str) -> Path:
    """Return the path of `name` in `folder`, spelled as the folder spells it; it need not exist."""
    path = folder / name
    if os.path.lexists(path):
        return path
    try:
        same = (entry for entry in os.listdir(folder) if composed(entry) == composed(name))  # noqa: PTH208 - names
        return folder / next(same, name)
    except OSError:
        return path


def models_folder() -> Path:
    return home() / "models"


def mixes_folder() -> Path:
    """Return the folder of mixed adapters, which are made as they are named."""
    return home() / "mixes"


def data_folder() -> Path:
    """Return the folder of the user's own and downloaded corpora."""
    return home() / "data"


def logs_folder() -> Path:
    """Return the folder of tracebacks and the trainers' stderr."""
    return home() / "logs"


def settings_file() -> Path:
    return home() / "settings.toml"


def prompts_file() -> Path:
    """Return the file of the prompt history, one JSON string a line."""
    return home() / "prompts.jsonl"


def measured_file() -> Path:
    """Return the cache of what was measured on other programs' checkpoints."""
    return home() / "measured.json"


def pictures_folder() -> Path:
    """Return the folder of the pictures that were saved of the app's screens."""
    return home() / "pictures"


def sessions_folder() -> Path:
    """Return the folder of sessions, the texts of the Generate tab, one file each."""
    return home() / "sessions"


def _shipped(name: str) -> Path:
    # In a wheel the shipped folders are inside the package; in a checkout they are top-level.
    inside = _PACKAGE / "shipped" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def shipped_models() -> Path:
    """Return the folder of the models that come with the program (may be read-only)."""
    return _shipped("models")


def shipped_data() -> Path:
    """Return the folder of the corpora that come with the program (may be read-only)."""
    return _shipped("data")
