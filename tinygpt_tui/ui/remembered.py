"""What the app remembers between two starts, read once and written whole."""

from __future__ import annotations

from typing import Any

import msgspec

from tinygpt_tui import files, paths
from tinygpt_tui.reading import Damage, decode_toml, read_bytes
from tinygpt_tui.settings.app import LARGEST, AppSettings, to_toml


class Remembered:
    """The app's settings, and the file they live in. A file that cannot be read counts as none."""

    def __init__(self) -> None:
        self.settings = _load()

    def change(self, **changes: Any) -> bool:
        """Change some settings; return whether anything is different now (`save` keeps it)."""
        before = self.settings
        self.settings = msgspec.structs.replace(before, **changes)
        return self.settings != before

    def save(self) -> None:
        """Write the settings. Raises StorageError."""
        files.write_text(paths.settings_file(), to_toml(self.settings))


def _load() -> AppSettings:
    try:
        return decode_toml(read_bytes(paths.settings_file(), LARGEST), AppSettings)
    except (OSError, Damage):
        return AppSettings()
