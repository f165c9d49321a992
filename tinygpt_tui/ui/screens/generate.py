"""The Generate tab (placeholder)."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Static

from tinygpt_tui.ui.screens.base import TabScreen


class GenerateScreen(TabScreen):
    """Pick a model, watch it write."""

    TAB = "generate"

    def compose_body(self) -> ComposeResult:
        """Yield a placeholder."""
        yield Static("generate")
