"""What a table of runs shows of each: its card, what it has reached, how large its model is; no torch.

Of a journal only the start and the end are read, and again only when it has grown: a table of a hundred runs is
refreshed twice a second.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.training import Evaluation, RunEnded, RunStarted, Step, TrainingEvent
from tinygpt_tui.events.wire import training_event
from tinygpt_tui.reading import Damage, open_file
from tinygpt_tui.runs.folder import RunFolder, RunSettings
from tinygpt_tui.runs.index import RunCard, list_runs
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.runs.manage import read_notes
from tinygpt_tui.runs.timeline import list_moments

HEAD, TAIL = 16_384, 131_072  # bytes of a journal that are read


class Reached(NamedTuple):
    """What the ends of a journal contain. `elapsed_s` is time spent training; None: nothing was measured yet."""

    parameters: int = 0
    best_loss: float | None = None  # nats per character
    best_step: int = 0
    elapsed_s: float = 0.0
    best_tokens: int = 0  # of the validation split that gave the loss; 0: all
    characters_per_token: float = 1.0  # in the validation split
    right: float | None = None  # the share of right answers at the last evaluation, where the text is of pairs


class RunFacts(NamedTuple):
    """One line of the table of runs."""

    card: RunCard
    reached: Reached
    notes: str
    moments: int


class FactsReader:
    """Reads all runs repeatedly; made for a thread."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, int], Reached]] = {}

    def read(self) -> list[RunFacts]:
        """Return the facts of all runs, the live ones first, then the newest."""
        facts = []
        for card in list_runs():
            run = RunFolder(Path(card.path))
            facts.append(RunFacts(card, self._reached(run), read_notes(run), len(list_moments(run))))
        return sorted(facts, key=lambda one: not one.card.live)

    def _reached(self, run: RunFolder) -> Reached:
        try:
            stat = run.events.stat()
        except OSError:
            return Reached()
        stamp = stat.st_size, stat.st_mtime_ns
        known = self._known.get(str(run.events))
        if known is None or known[0] != stamp:
            known = self._known[str(run.events)] = stamp, reached(run.events)
        return known[1]


def bytes_of(model: Path) -> int:
    """Return how many bytes of the disk a model and its run take, as far as they can be read."""
    total = 0
    for folder, _, names in os.walk(model):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(folder) / name).lstat().st_size
    return total


def read_facts(run: RunFolder) -> RunFacts | None:
    """Return the facts of one run; None if the run is gone."""
    for card in list_runs():
        if Path(card.path) == run.model:
            return RunFacts(card, reached(run.events), read_notes(run), len(list_moments(run)))
    return None


def reached(journal: Path) -> Reached:
    """Return what the ends of a journal contain; if there is no evaluation near its end, all of it is read."""
    events = _ends(journal)
    if not any(isinstance(event, Evaluation | RunEnded) for event in events[1:]):
        events = read_journal(journal)
    found = Reached()
    for event in events:
        match event:
            case RunStarted():
                found = found._replace(parameters=event.parameters, characters_per_token=event.characters_per_token)
            case Evaluation():
                found = _best(found, event.best_loss, event)._replace(right=event.right)
            case Step():
                found = found._replace(elapsed_s=event.elapsed_s)
            case RunEnded():
                found = found._replace(elapsed_s=max(found.elapsed_s, event.elapsed_s))
                if event.best_loss is not None:
                    found = _best(found, event.best_loss, event)
    return found


def _best(found: Reached, loss: float, event: Evaluation | RunEnded) -> Reached:
    loss /= found.characters_per_token
    return found._replace(best_loss=loss, best_step=event.best_step, best_tokens=event.best_tokens)


def settings_of(card: RunCard) -> RunSettings | None:
    """Return a run's settings; None if they cannot be read."""
    try:
        return RunFolder(Path(card.path)).read_settings()
    except TinyGPTError:
        return None


def _ends(journal: Path) -> list[TrainingEvent]:
    try:
        with open_file(journal) as file:
            size = os.fstat(file.fileno()).st_size
            lines = file.read(HEAD).split(b"\n")
            if size > HEAD:
                file.seek(max(HEAD - len(lines[-1]), size - TAIL))
                lines = lines[:-1] + file.read().split(b"\n")[int(size - TAIL > HEAD) :]
    except OSError:
        return []
    events = []
    for line in lines:
        try:
            events.append(training_event(line))
        except Damage:
            continue
    return events
