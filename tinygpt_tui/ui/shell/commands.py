"""The command palette: every action that has a key now, the screen's other commands, and the themes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tinygpt_tui.ui.shell.keys import keys_of
from tinygpt_tui.ui.shell.tab_screen import PaletteCommand, TabScreen


class ActionCommands(Provider):
    """Made from the screen's active bindings, so that no action is missing."""

    async def discover(self) -> Hits:
        """Yield all commands."""
        for command in self._commands():
            yield DiscoveryHit(command.title, command.run, help=command.help_text)

    async def search(self, query: str) -> Hits:
        """Yield the commands that match what was typed."""
        matcher = self.matcher(query)
        for command in self._commands():
            score = matcher.match(command.title)
            if score > 0:
                yield Hit(score, matcher.highlight(command.title), command.run, help=command.help_text)

    def _commands(self) -> Iterator[PaletteCommand]:
        for row in keys_of(self.screen):
            run = partial(self.app.run_action, row.active.binding.action, row.active.node)
            yield PaletteCommand(f"{row.title}  ({row.keys})", row.tooltip, run)
        if isinstance(self.screen, TabScreen):
            yield from self.screen.palette_commands()
        for name in self.app.available_themes:
            yield PaletteCommand(f"Theme: {name}", "Change the colours", partial(setattr, self.app, "theme", name))
