"""Models, runs, sessions, settings and places in the text, as the palette offers them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from textual.app import App

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.runs.index import RunCard
from tinygpt_tui.sessions.search import Place
from tinygpt_tui.sessions.store import SessionCard
from tinygpt_tui.settings.fields import fields_of, parse_value, written
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui import places
from tinygpt_tui.ui.find.views import BELOW, Found
from tinygpt_tui.words import parameters

SETTING = re.compile(r"(?:set )?([a-z][a-z_ -]*?)\s*[ =]\s*([\d.]+)", re.IGNORECASE)
LETTER = re.compile(r"(?:go to )?(?:letter|character|char|position)\s+([\d,]+)", re.IGNORECASE)
OTHER_SETTINGS = {"length": "max_new_tokens", "tokens": "max_new_tokens", "penalty": "repetition_penalty"}


def settings(app: App[Any], query: str) -> Iterator[Found]:
    """Yield the setting that a query such as `temp 1.2` gives a value."""
    match = SETTING.fullmatch(query.strip())
    if match is None:
        return
    typed = match[1].casefold().replace("-", "_").replace(" ", "_")
    fields = fields_of(SamplingSettings)
    near = {name for name in fields if name.startswith(typed) or name.replace("_", "").startswith(typed)}
    near |= {name for word, name in OTHER_SETTINGS.items() if word.startswith(typed)}
    for name in sorted(near):
        with suppress(TinyGPTError):
            value = parse_value(fields[name], match[2])
            title = f"{fields[name].title.capitalize()} {written(value)}"
            yield Found(title, "Set it for the next text", partial(places.set_sampling, app, name, value), match[1])


def letters(app: App[Any], query: str) -> Iterator[Found]:
    """Yield the place that a query such as `go to letter 120` names; the first letter is number 1."""
    match = LETTER.fullmatch(query.strip())
    if match is not None:
        number = int(match[1].replace(",", "") or 0)
        yield Found(
            f"Go to letter {number:,}", "Open the microscope there", partial(places.to_letter, app, number), query
        )


def themes(app: App[Any], query: str) -> Iterator[Found]:
    """Yield the themes once a query names them: they are many."""
    if query.casefold().startswith("theme"):
        for name in app.available_themes:
            yield Found(f"Theme {name}", "Change the colours", partial(setattr, app, "theme", name), "", BELOW)


def models(app: App[Any], cards: list[ModelCard]) -> Iterator[Found]:
    for card in cards:
        if not card.problem:
            about = f"Generate with this model: {parameters(card.parameters)} {card.architecture}"
            yield Found(f"Use {card.name}", about, partial(places.generate_with, app, card.path), "model", BELOW)


def runs(app: App[Any], cards: list[RunCard]) -> Iterator[Found]:
    for card in cards:
        about = f"Open this run: {card.state}, step {card.step:,} of {card.steps:,}, on {card.corpus}"
        yield Found(f"Run {card.name}", about, partial(places.open_run, app, card.path), "training open", BELOW)


def sessions(app: App[Any], cards: list[SessionCard]) -> Iterator[Found]:
    for card in cards:
        if not card.problem and card.heading:
            about = f"Reopen this session: {card.head.characters:,} characters by {', '.join(card.head.models)}"
            yield Found(
                f"Session {card.heading}", about, partial(places.open_session, app, card.id), "open text", BELOW
            )


def texts(app: App[Any], hits: list[Place], query: str) -> Iterator[Found]:
    for place in hits:
        run = partial(places.open_session, app, place.card.id, (place.branch, place.at))
        yield Found(f"“{place.excerpt}”", f"Text in session {place.card.heading}", run, query, BELOW / 2)
