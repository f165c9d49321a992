"""The command palette: every action that has a key now, and the themes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.types import IgnoreReturnCallbackType

Command = tuple[str, str, IgnoreReturnCallbackType]


class ActionCommands(Provider):
    """Made from the screen's active bindings, so that no action can be forgotten."""

    async def discover(self) -> Hits:
        """Yield all commands."""
        for title, help_text, callback in self._commands():
            yield DiscoveryHit(title, callback, help=help_text)

    async def search(self, query: str) -> Hits:
        """Yield the commands that match what was typed."""
        matcher = self.matcher(query)
        for title, help_text, callback in self._commands():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), callback, help=help_text)

    def _commands(self) -> Iterator[Command]:
        seen = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not binding.id or not active.enabled or binding.id in seen:
                continue
            seen.add(binding.id)
            key = self.app.get_key_display(binding)
            run = partial(self.app.run_action, binding.action, active.node)
            yield f"{binding.description}  {key}", binding.tooltip, run
        for name in self.app.available_themes:
            yield f"Theme: {name}", "Change the colours", partial(setattr, self.app, "theme", name)
