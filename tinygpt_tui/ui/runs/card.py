"""A page about a run, to share: Markdown, or a picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.ui.shared.save_dialog import SaveScreen

KINDS = {
    ".md": "Markdown: settings, losses and samples on a page; .svg: a picture of it",
    ".svg": "SVG: a picture of the run, to share; .md: a page in Markdown",
}
OTHERS = "end the name in .svg for a picture"


def read_card(run: RunFolder) -> dict[str, bytes]:
    """Return the pages about a run by suffix; slow, for a thread. Raises RunError, NotFoundError."""
    from tinygpt_tui.runs.report import RunReport

    report = RunReport(run)
    return {".md": report.as_markdown().encode(), ".svg": report.as_svg().encode()}


def card_dialog(name: str, pages: dict[str, bytes]) -> SaveScreen:
    exports: dict[str, Callable[[], bytes]] = {suffix: partial(bytes, page) for suffix, page in pages.items()}
    text = pages[".md"].decode()
    return SaveScreen(f"{name}-run.md", text, exports, KINDS, "save the card of this run", OTHERS)
