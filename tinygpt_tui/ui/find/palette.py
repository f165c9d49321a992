"""What the palette finds: actions of all tabs, views, settings, models, runs, sessions, and texts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from rich.text import Text
from textual.command import DiscoveryHit, Hit, Hits, Provider

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.checkpoints.library import list_models
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.runs.index import RunCard, list_runs
from tinygpt_tui.sessions.search import Place, search
from tinygpt_tui.sessions.store import SessionCard, SessionStore
from tinygpt_tui.ui.find import objects
from tinygpt_tui.ui.find.scoring import score
from tinygpt_tui.ui.find.views import Found, elsewhere, views
from tinygpt_tui.ui.shell.keymap import default_bindings
from tinygpt_tui.ui.shell.keys import KeyRow, everyday, keys_of
from tinygpt_tui.ui.shell.other_names import OTHER_NAMES
from tinygpt_tui.ui.shell.tab_screen import TabScreen

SHORTEST_TEXT = 3  # characters, to search texts for
MOST_TEXTS = 8
SEARCH_S = 1.0

Lists = tuple[list[ModelCard], list[RunCard], list[SessionCard]]


class Palette(Provider):
    """One provider for all, so that their order is one."""

    async def startup(self) -> None:
        """Read models, runs and sessions meanwhile."""
        self._lists = asyncio.create_task(asyncio.to_thread(_read_lists))

    async def discover(self) -> Hits:
        """Yield what is done every day, then the views, then the other actions."""
        rows = keys_of(self.screen)
        first = everyday(rows)
        first += [row for row in rows if row.id == "app.learn"]
        others = [row for row in rows if row not in first]
        found = [*self._actions(first), *views(self.app), *self._commands(), *self._actions(others)]
        for entry in found:
            yield DiscoveryHit(_shown(entry), entry.run, text=entry.title, help=_escaped(entry.help_text))

    async def search(self, query: str) -> Hits:
        """Yield what fits the query, then the texts that have it."""
        models, runs, sessions = await asyncio.shield(self._lists)
        app, here = self.app, keys_of(self.screen)
        entries: list[Iterable[Found]] = [
            objects.settings(app, query),
            objects.letters(app, query),
            objects.themes(app, query),
            self._actions(here),
            views(app),
            elsewhere(app, {row.id for row in here}),
            self._commands(),
            objects.models(app, models),
            objects.runs(app, runs),
            objects.sessions(app, sessions),
        ]
        for entry in (entry for group in entries for entry in group):
            fits = score(query, entry.title, entry.names, entry.help_text) * entry.weight
            if fits > 0:
                yield self._hit(entry, fits)
        if len(query.strip()) >= SHORTEST_TEXT:
            for entry in objects.texts(app, await self._places(query, sessions), query):
                yield self._hit(entry, entry.weight)

    def _actions(self, rows: Iterable[KeyRow]) -> Iterator[Found]:
        for row in rows:
            if row.id != "app.palette":
                run: Callable[[], object] = partial(self.app.run_action, row.active.binding.action, row.active.node)
                yield Found(row.title, row.tooltip, run, OTHER_NAMES.get(row.id, ""), keys=row.keys)

    def _commands(self) -> Iterator[Found]:
        if isinstance(self.screen, TabScreen):
            for command in self.screen.palette_commands():
                yield Found(command.title, command.help_text, command.run)

    async def _places(self, query: str, cards: list[SessionCard]) -> list[Place]:
        stopped = threading.Event()
        find = partial(search, SessionStore(), query, most=MOST_TEXTS, cards=cards, seconds=SEARCH_S)
        try:
            return await asyncio.to_thread(lambda: list(find(stopped=stopped.is_set)))
        finally:
            stopped.set()

    @staticmethod
    def _hit(entry: Found, fits: float) -> Hit:
        return Hit(fits, _shown(entry), entry.run, text=entry.title, help=_escaped(entry.help_text))


def _read_lists() -> Lists:
    """Read what can be found by name; what cannot be read is left out, and the tabs say why."""
    try:
        sessions = SessionStore().cards()
    except TinyGPTError:
        sessions = []
    default_bindings()  # imports every screen, once
    return list_models(), list_runs(), sessions


def _shown(entry: Found) -> Text:
    return Text.assemble(entry.title, (f"  {entry.keys}", "bold") if entry.keys else "", no_wrap=True)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
