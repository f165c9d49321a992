"""Unexpected errors: the traceback goes to the log, a sentence to the screen."""

from __future__ import annotations

import time
import traceback

from tinygpt_tui import paths


def log_unexpected(error: BaseException) -> str:
    """Append a traceback to the app's log; return the sentence to show."""
    path = paths.logs_folder() / "app.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"\n{time.strftime('%Y-%m-%d %H:%M:%S')}\n")
            traceback.print_exception(error, file=log)
    except OSError:
        return f"unexpected error: {type(error).__name__}: {error}"
    return f"unexpected error: {type(error).__name__}: {error}\nthe details are in {path}"
