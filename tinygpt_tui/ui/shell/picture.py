"""A picture of the screen as a file: whatever view is open, as it is shown."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tinygpt_tui import paths
from tinygpt_tui.files import write_text

if TYPE_CHECKING:
    from textual.app import App


def save_picture(app: App[None]) -> Path:
    """Write an SVG of what the app shows; return its path, a new one each time. Raises StorageError."""
    name = f"{app.current_mode}-{datetime.now():%Y-%m-%d-%H%M%S-%f}.svg"
    path = paths.pictures_folder() / name
    write_text(path, app.export_screenshot(title=app.title))
    return path
