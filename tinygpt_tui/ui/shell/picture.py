"""A picture of the view in focus, or else of the screen, as files."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygpt_tui import paths
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.files import write_bytes, write_text
from tinygpt_tui.ui.pictures.view import PictureView

if TYPE_CHECKING:
    from textual.app import App
    from textual.widget import Widget


async def save_picture(app: App[Any], view: Widget | None) -> None:
    """Write the picture of `view`, which has the focus, in a thread, and say where it is."""
    try:
        written = await asyncio.to_thread(_picture_of(app, view))
    except TinyGPTError as error:
        app.notify(error.message, title=error.hint, severity="error", markup=False)
    else:
        app.notify(f"The picture is in {' and '.join(map(str, written))}", markup=False)


def _picture_of(app: App[Any], view: Any) -> Callable[[], list[Path]]:
    """Return a function, for a thread, that writes the picture and returns the paths, new ones each time.

    A view with pictures becomes an SVG with its pictures in it, and where Pillow is installed also a PNG; any other
    focus means the whole screen, as SVG. The function raises StorageError.
    """
    start = paths.pictures_folder() / f"{app.current_mode}-{datetime.now():%Y-%m-%d-%H%M%S-%f}"
    if not isinstance(view, PictureView):
        screen = app.export_screenshot(title=app.title)
        return lambda: [_written(start.with_suffix(".svg"), screen)]
    from tinygpt_tui.ui.pictures.snapshot import snapshot_of, to_svg

    shot, title = snapshot_of(view), app.title  # type: ignore[arg-type]

    def write() -> list[Path]:
        found = [_written(start.with_suffix(".svg"), to_svg(shot, title))]
        if importlib.util.find_spec("PIL") is not None:
            from tinygpt_tui.ui.pictures.raster import to_png

            found.append(start.with_suffix(".png"))
            write_bytes(found[-1], to_png(shot))
        return found

    return write


def _written(path: Path, text: str) -> Path:
    write_text(path, text)
    return path
