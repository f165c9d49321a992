"""What the app remembers between two starts, read once and written whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from tinygpt_tui import files, paths
from tinygpt_tui.errors import storage_error
from tinygpt_tui.reading import Damage, decode_toml, read_bytes, read_json
from tinygpt_tui.settings.app import LARGEST, AppSettings, to_toml


class Preferences:
    """The app's settings, and the file they live in.

    A file that cannot be read counts as none: `problem` says why, and it is set aside before another one is written.
    """

    def __init__(self) -> None:
        self.settings, self.problem = _load()

    def change(self, **changes: Any) -> bool:
        """Change some settings; return whether anything is different now (`save` keeps it)."""
        before = self.settings
        self.settings = msgspec.structs.replace(before, **changes)
        return self.settings != before

    def save(self) -> None:
        """Write the settings. Raises StorageError."""
        if self.problem:
            files.set_aside(paths.settings_file())
            self.problem = ""
        files.write_text(paths.settings_file(), to_toml(self.settings))


def _load() -> tuple[AppSettings, str]:
    path = paths.settings_file()
    try:
        return decode_toml(read_bytes(path, LARGEST), AppSettings), ""
    except FileNotFoundError:
        return _load_old(path.with_suffix(".json")), ""
    except OSError as error:
        return AppSettings(), storage_error(error, path).message
    except Damage as error:
        return AppSettings(), f"{path} is damaged: {error}"


def _load_old(path: Path) -> AppSettings:
    """Return the settings that an earlier version kept as JSON; the defaults where there are none."""
    try:
        return read_json(path, AppSettings, LARGEST)
    except (OSError, Damage):
        return AppSettings()
