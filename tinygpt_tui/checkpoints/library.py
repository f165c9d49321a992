"""The models there are, and which one a name means: no torch here."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.card import CONFIG, ModelCard, card_of, is_native, problem_card
from tinygpt_tui.checkpoints.foreign_card import foreign_card, is_foreign
from tinygpt_tui.checkpoints.mixes import is_mix, mix_named
from tinygpt_tui.errors import CheckpointError, NotFoundError, StorageError
from tinygpt_tui.files import is_file, is_folder
from tinygpt_tui.foreign.facts import doubts
from tinygpt_tui.foreign.hub import find_on_hub, is_hub_name
from tinygpt_tui.foreign.source import no_weights_in, weights_in
from tinygpt_tui.reading import check_kind


def list_models() -> list[ModelCard]:
    """Return all cards by name; a model of the user's own hides a shipped namesake."""
    cards: dict[str, ModelCard] = {}
    places: tuple[tuple[Path, Literal["shipped", "yours"]], ...] = (
        (paths.shipped_models(), "shipped"),
        (paths.models_folder(), "yours"),
    )
    for place, origin in places:
        for entry in _entries(place):
            if (card := _card(entry, origin)) is not None:
                cards[entry.name] = card
    return in_order(cards.values())


def in_order(cards: Iterable[ModelCard]) -> list[ModelCard]:
    """Return cards by name, of which two may be the same, adapters right after their bases."""
    cards = list(cards)
    known = {card.name: card for card in cards}

    def place(card: ModelCard) -> list[str]:
        line = [card.name]
        while (base := known.get(card.base)) is not None and base.name not in line:
            card = base
            line.insert(0, card.name)
        return line

    return sorted(cards, key=place)


def _card(entry: Path, origin: Literal["shipped", "yours"]) -> ModelCard | None:
    try:
        if is_native(entry):
            return card_of(entry, origin)
        return foreign_card(entry) if is_foreign(entry) else None
    except Exception as error:  # whatever it is: the other models are there all the same
        return problem_card(entry, origin, error)


def find_model(name: str) -> Path:
    """Return the folder or the file that `name` means: a model's name, the path of a checkpoint of any layout, hf:NAME.

    Or a mix of adapters, `BASE+ADAPTER:0.7`.

    Raises NotFoundError, which names the nearest models there are, CheckpointError for a folder without weights,
    StorageError for what is neither a file nor a folder; for the Hub's as `hub.fetch`.
    """
    if is_hub_name(name):
        return find_on_hub(name)
    known = {card.name: card for card in list_models()}
    if (card := paths.find_named(known, name)) is not None:
        return Path(card.path)
    path = paths.typed_path(name)
    if is_file(path) or is_file(path / CONFIG) or (is_folder(path) and _holds_weights(path)):
        return path
    if name and is_folder(path):
        raise no_weights_in(path)
    check_kind(path)
    if is_mix(name) and path.name == name:
        return mix_named(name, known)
    near = difflib.get_close_matches(name, known, n=3) or sorted(known)[:5]
    hint = f"there is {', '.join(near)}" if near else "train one: `tinygpt-tui train --corpus FILE --name NAME`"
    raise NotFoundError(f"no model is called {name!r}", hint)


def doubts_of(path: Path) -> str:
    """Say what speaks against how the model at `path` is read, in one line; empty where nothing does."""
    if is_native(path):
        return doubts(card_of(path, "yours").facts)
    return doubts(foreign_card(path).facts)


def _holds_weights(folder: Path) -> bool:
    try:
        return bool(weights_in(folder))
    except CheckpointError:
        return True  # which ones, is to be said by who opens them
    except StorageError:
        return False


def _entries(place: Path) -> list[Path]:
    try:
        return list(place.iterdir())
    except OSError:
        return []  # not made yet, or not ours to read: there are no models in it for us
