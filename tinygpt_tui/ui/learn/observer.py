"""What the learner looks at: the screen in front as facts. Each view is read through what it shows in public."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from textual.screen import Screen

from tinygpt_tui.checkpoints.vocabulary import characters_of, known_tokenizer
from tinygpt_tui.lessons.facts import Coloured, Inspected, Looked, Raced, RunViewed, Seen, Wrote
from tinygpt_tui.sessions.document import Branch, Session, full_text
from tinygpt_tui.ui.generate.model_chooser import UNTRAINED
from tinygpt_tui.ui.inspect.passes import Pass
from tinygpt_tui.ui.inspect.views import PassViews

if TYPE_CHECKING:
    from tinygpt_tui.ui.generate.screen import GenerateScreen
    from tinygpt_tui.ui.inspect.screen import InspectScreen
    from tinygpt_tui.ui.race.screen import RaceScreen
    from tinygpt_tui.ui.train.screen import TrainScreen

LONGEST_TEXT = 4_000  # characters of a text that are looked at: its end


def seen_on(screen: Screen[object], since: float) -> Iterator[Seen]:
    """Yield what is in sight on a screen; nothing while it comes or goes. Texts from before `since` are old."""
    if not screen.is_attached or not screen.is_mounted:
        return
    match getattr(screen, "TAB", ""), type(screen).__name__:
        case "generate", "GenerateScreen":
            yield from _generate(screen, since)  # type: ignore[arg-type]
        case "inspect", _:
            yield from _inspect(screen)  # type: ignore[arg-type]
        case "train", "TrainScreen":
            yield from _train(screen)  # type: ignore[arg-type]
        case "race", _:
            yield from _race(screen)  # type: ignore[arg-type]


def texts_of(screen: GenerateScreen) -> tuple[object, ...]:
    """Return what changes when a text of the session is finished; quick, as it is compared often."""
    session = screen.pane.editor.session
    return session.id, *((branch.id, branch.tokens) for branch in session.branches.values() if branch.reason)


def written_on(screen: GenerateScreen, since: float) -> Iterator[Wrote]:
    """Yield the texts of the session that were generated since a time, in seconds since 1970."""
    session = screen.pane.editor.session
    windows = {card.path: card.block_size for card in screen.chooser.models.cards}
    for branch in session.branches.values():
        if branch.reason and branch.tokens and not is_old(session, branch, since):
            text = full_text(session, branch.id)
            yield _wrote(branch, text, windows.get(branch.model_path, 0))


def _wrote(branch: Branch, text: str, window: int) -> Wrote:
    known, sampling = _characters(branch.model_path), branch.last_sampling
    unknown = "" if known is None else "".join(sorted(set(text[: branch.prompt_end]) - known))
    return Wrote(
        branch.model.removesuffix(UNTRAINED),
        text[-LONGEST_TEXT:],
        branch.tokens - (branch.changes[-1].at if branch.changes else 0),
        sampling.temperature,
        sampling.top_p,
        branch.untrained,
        window,
        unknown,
        text[: branch.prompt_end],
    )


def is_old(session: Session, branch: Branch, since: float) -> bool:
    """Whether any of a branch's text was generated before a time."""
    at: Branch | None = branch
    limit = branch.end
    while at is not None:
        if limit > at.begins_at and _seconds(at.created_at) < int(since):
            return True
        limit = min(limit, at.fork_at)
        at = None if at.parent is None else session.branches[at.parent]
    return False


@lru_cache(16)
def _characters(model_path: str) -> frozenset[str] | None:
    return characters_of(known_tokenizer(Path(model_path)))


def _seconds(moment: str) -> float:
    try:
        return datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _generate(screen: GenerateScreen, since: float) -> Iterator[Seen]:
    glass, model = screen.pane.glass, screen.chooser.in_use
    editor = screen.pane.editor
    branch = editor.current
    if model is None or branch is None:
        return
    old = is_old(editor.session, branch, since)
    if glass.colours and glass.output.text:
        yield Coloured(len(glass.output.text), old)
    cursor = glass.output.cursor
    if cursor is None:
        return
    info = glass.index.info(cursor)
    chance = info.tokens[0].chance if info.state == "known" and info.tokens else None
    if chance is None or not info.candidates:
        return
    bits = -math.log2(max(info.probability, 1e-12))
    text = glass.output.text[info.start : info.end]
    best, untrained = info.candidates[0].probability, model.untrained and branch.untrained
    yield Looked(cursor, text, info.probability, chance.rank, best, round(bits, 3), untrained, model.card.name, old)


def _inspect(screen: InspectScreen) -> Iterator[Seen]:
    views = screen.query(PassViews)
    if not views or screen.card is None or views.first().walked.started is None:
        return
    shown = views.first()
    walked = shown.walked
    assert walked.started is not None
    yield Inspected(
        shown.view,
        screen.card.name,
        len(walked.started.tokens),
        screen.untrained,
        tuple(_looks_back(walked, shown.token)) if shown.view == "attention" else (),
        tuple(row.guesses[shown.token][0].text for row in walked.lens if shown.token < len(row.guesses))
        if shown.view == "guesses"
        else (),
    )


def _looks_back(walked: Pass, token: int) -> Iterator[tuple[int, int, float]]:
    """Yield the weight that the selected token gives to the one before it, for each layer and head from 1."""
    for layer, step in enumerate(walked.attention, start=1):
        for head, picture in enumerate(step.pictures, start=1):
            weights = np.frombuffer(picture.values, "<f2").reshape(picture.rows, picture.columns)
            column = token - 1 + picture.columns - picture.rows  # after that of all tokens before
            if column >= 0 and token < picture.rows:
                yield layer, head, round(float(weights[token, column]), 4)


def _train(screen: TrainScreen) -> Iterator[Seen]:
    from tinygpt_tui.ui.shared.loss_chart import TrainChart
    from tinygpt_tui.ui.train.panes import TrainPaneBar

    charts, bars = screen.query(TrainChart), screen.query(TrainPaneBar)
    if not charts or not bars or (session := screen.session) is None:
        return
    chart = charts.first()
    names = tuple(overlay.name for overlay in chart.overlays)
    yield RunViewed(session.name, bars.first().chosen, chart.aspect, chart.yardsticks, names)


def _race(screen: RaceScreen) -> Iterator[Seen]:
    lanes = screen.race.lanes
    if all(lane.asked is not None and lane.text and not lane.writing.busy for lane in lanes):
        names = tuple(lane.asked.title for lane in lanes if lane.asked is not None)
        yield Raced(screen.race.prompt or "", names)
