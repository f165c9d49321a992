"""Reads what checks need from the disk: the models, and the user's own runs; no torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.checkpoints.library import list_models
from tinygpt_tui.corpora.catalog import read_catalog
from tinygpt_tui.corpora.tasks import TASKS
from tinygpt_tui.doctor.examination import examination_of
from tinygpt_tui.doctor.trend import trend_of
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.insight.model_facts import tensors_in
from tinygpt_tui.insight.parts import Part, tree_of
from tinygpt_tui.lessons.facts import Model, Trained
from tinygpt_tui.runs.facts import reached
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.index import RunCard, list_runs
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.settings.training import TrainingSettings


class RunReader:
    """Reads the user's runs repeatedly; of those that have not changed nothing is read again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[object, ...], Trained | None]] = {}

    def read(self) -> tuple[Trained, ...]:
        """Return the user's own runs that have ended, the oldest first."""
        catalog, found = {*read_catalog(), *TASKS}, []
        for card in reversed(list_runs()):
            if card.origin != "yours" or card.live:
                continue
            run = RunFolder(Path(card.path))
            stamp = _stamp(run)
            known = self._known.get(card.path)
            if known is None or known[0] != stamp:
                known = self._known[card.path] = stamp, _trained(card, run, catalog)
            if known[1] is not None:
                found.append(known[1])
        return tuple(found)


def read_models() -> dict[str, Model]:
    return {card.name: _model(card) for card in list_models() if not card.problem}


def _stamp(run: RunFolder) -> tuple[object, ...]:
    """What changes when a run does: its journal, and the baselines of its text, which are measured afterwards."""
    stamps: list[object] = []
    for path in (run.events, run.settings, run.folder / "examination.json"):
        try:
            stat = path.stat()
        except OSError:
            stamps.append(None)
        else:
            stamps += [stat.st_size, stat.st_mtime_ns]
    return tuple(stamps)


def _trained(card: RunCard, run: RunFolder, catalog: set[str]) -> Trained | None:
    """Return what a run has reached; None where nothing was measured, or nothing can be read."""
    try:
        settings, events = run.read_settings(), read_journal(run.events)
    except TinyGPTError:
        return None
    history = RunHistory(settings.training.steps, settings.training.evaluate_every)
    history.add(events)
    steps, losses = history.validation_losses
    if history.ended is None or not history.step or history.best is None:
        return None
    examination = examination_of(run, settings)
    return Trained(
        name=card.name,
        corpus=settings.corpus.name,
        created=settings.created,
        steps=history.step,
        seconds=history.elapsed_s,
        learning_rate=settings.training.learning_rate,
        vocabulary=settings.training.architecture.vocab_size,
        recipe=_recipe(settings.training),
        characters=settings.corpus.characters,
        own_text=settings.corpus.name not in catalog,
        start=settings.start.name if settings.start else "",
        first_loss=float(losses[0]) if len(steps) and steps[0] == 0 else None,
        best_loss=history.best[1],
        overfits_from=trend_of(history).overfitting,
        floors={floor.order: floor.loss for floor in examination.floors} if examination else {},
    )


def _recipe(training: TrainingSettings) -> str:
    alike = msgspec.structs.replace(training, learning_rate=0.0, embedding_rate=0.0, head_rate=0.0, seed=0)
    return msgspec.json.encode(alike).decode()


def _model(card: ModelCard) -> Model:
    run = RunFolder(Path(card.path))
    try:
        examination = examination_of(run, run.read_settings())
    except TinyGPTError:
        examination = None
    try:
        whole = tree_of(tensors_in(Path(card.path))) if card.layout == "native" else Part("", 0)
    except TinyGPTError:
        whole = Part("", 0)
    best = reached(run.events).best_loss  # as its run shows it; the card has the loss of the calibrated model
    of_card = card.trained.loss_per_character if card.trained else None
    return Model(
        parameters=card.parameters,
        window=card.block_size,
        vocabulary=card.vocab_size,
        loss=of_card if best is None else best,
        floors={floor.order: floor.loss for floor in examination.floors} if examination else {},
        parts=dict(_flat(whole, "")),
    )


def _flat(part: Part, above: str) -> Iterator[tuple[str, int]]:
    for inner in part.parts:
        name = f"{above}{inner.name}"
        yield name, inner.count
        yield from _flat(inner, f"{name}.")
