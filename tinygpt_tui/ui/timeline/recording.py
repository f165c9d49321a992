"""A run's moments as a film to share: the curve with its cursor, and what the model of each step writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Group
from rich.style import StyleType
from rich.text import Text

from tinygpt_tui.charts.data import CURSOR_STYLE
from tinygpt_tui.charts.film import Frame, film_cast, film_svg
from tinygpt_tui.events.generation import GenerationEnded, Token
from tinygpt_tui.events.requests import Generate
from tinygpt_tui.runs.aspects import STYLES
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.ui.shared.save_dialog import SaveScreen
from tinygpt_tui.ui.timeline.player import seconds_each
from tinygpt_tui.ui.timeline.time_machine import MomentRequest, TimeMachine, chart_at, slider, state_at
from tinygpt_tui.words import printable

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Engine

COLUMNS, ROWS, CHART_ROWS = 100, 30, 12
LAST_S = 4.0  # the last moment is shown for longer: then the film starts again
FILM_STYLES: dict[str, StyleType] = {**STYLES, "cursor": CURSOR_STYLE}
KINDS = {
    ".svg": "an SVG that moves; .cast: a terminal recording for asciinema",
    ".cast": "a terminal recording for asciinema; .svg: an SVG that moves",
}
OTHERS = "end the name in .svg or .cast to save the film"


def film_of(machine: TimeMachine, history: RunHistory, name: str) -> list[Frame]:
    """Return a frame for each moment; its text must be written already."""
    drawn = TimeMachine()  # one of its own, to draw the slider of each moment
    drawn.update_moments(machine.moments)
    frames = []
    for request in machine.requests:
        drawn.select_step(request.step)
        drawing = _drawing(drawn, request, machine.written(request) or "", history, name)
        frames.append(Frame(drawing, LAST_S if drawn.at_end else seconds_each(len(machine.moments))))
    return frames


def pages(frames: list[Frame], name: str) -> dict[str, bytes]:
    """Return the film in each format, by suffix; slow, for a thread."""
    cast = film_cast(frames, COLUMNS, ROWS, f"{name} learns to write")
    return {
        ".svg": film_svg(frames, COLUMNS, ROWS).encode("utf-8", "replace"),
        ".cast": cast.encode("utf-8", "replace"),
    }


def _drawing(machine: TimeMachine, request: MomentRequest, text: str, history: RunHistory, name: str) -> Group:
    step, total = request.step, f" of {history.steps:,}" if history.steps else ""
    head = f"{printable(name, lines=False)} · step {step:,}{total} · {state_at(history, step)}"
    return Group(
        Text(head, "bold", no_wrap=True, overflow="ellipsis"),
        replace(chart_at(history, step, FILM_STYLES), height=CHART_ROWS),
        Text(slider(machine, COLUMNS), FILM_STYLES["cursor"]),
        Text(),
        Text.assemble((printable(request.prompt), "bold"), printable(text), overflow="fold"),
    )


def film_dialog(name: str, made: dict[str, bytes], text: str) -> SaveScreen:
    """Return the dialog that saves the film; a name without one of its suffixes saves `text`."""
    exports: dict[str, Callable[[], bytes]] = {suffix: partial(bytes, page) for suffix, page in made.items()}
    return SaveScreen(f"{name}-learns.svg", text, exports, KINDS, "save the film of this run", OTHERS)


async def write_missing(machine: TimeMachine, engine: Engine, model: str) -> GenerationEnded | None:
    """Write the texts that the film needs and the machine has not; return how one failed, if it did."""
    for request in machine.requests:
        if machine.written(request) is not None:
            continue
        job = engine.start(Generate(model, request.prompt, request.sampling, at_step=request.step))
        text = ""
        async for batch in job:
            for event in batch:
                text += event.text if isinstance(event, Token | GenerationEnded) else ""
                if isinstance(event, GenerationEnded) and event.reason in ("failed", "stopped"):
                    return event
        machine.cache_text(request, text)
    return None
