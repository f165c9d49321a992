"""A row for each setting of the form: the important ones, and the others in a drawer."""

from __future__ import annotations

import asyncio

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Collapsible, Static

from tinygpt_tui.ui.shared.setting_row import SettingRow
from tinygpt_tui.ui.train.draft import form_fields, important
from tinygpt_tui.ui.train.form_state import FormState


class SettingsRows(Vertical):
    """Shows the settings of a `FormState`; another architecture's rows are mounted a moment later."""

    DEFAULT_CSS = """
    SettingsRows {
        height: auto;
        & > .-heading { height: 1; margin: 1 0 0 0; }
        & > #form-important { height: auto; }
        & Collapsible { margin: 1 0 0 0; padding: 0; border: none; background: transparent; }
        & CollapsibleTitle { padding: 0; }
        & Collapsible > Contents { padding: 0; }
    }
    """

    def __init__(self, state: FormState) -> None:
        super().__init__()
        self._state = state
        self._shown = state.architecture  # whose rows are mounted
        self._changing = asyncio.Lock()
        self._all_opened = False

    def compose(self) -> ComposeResult:
        yield Static("settings", classes="-heading")
        with Vertical(id="form-important"):
            yield from self._rows(first=True)
        yield Collapsible(title="all settings", id="all-settings")

    @property
    def is_settled(self) -> bool:
        """Whether the rows are those of the form's architecture."""
        return self._shown is self._state.architecture

    def update_rows(self) -> None:
        """Show the settings as they are now."""
        if not self.is_settled:
            self._change_rows()
            return
        fixed = self._state.fixed_settings()
        for row in self.query(SettingRow):
            name = row.setting.name
            row.set_text(self._state.texts[name])
            row.show_problem(self._state.draft.problems.get(name, ""))
            row.show_fixed(fixed.get(name, ""))
            row.display = name != "lora" or self._state.origin is not None

    async def on_collapsible_expanded(self, message: Collapsible.Expanded) -> None:
        """Mount the less important rows when they are first opened: most users never look at them."""
        message.stop()
        contents = message.collapsible.query_one(Collapsible.Contents)
        if not contents.children:
            self._all_opened = True
            await contents.mount_all(self._rows(first=False))
            self.update_rows()
        self.call_after_refresh(message.collapsible.scroll_visible, top=True)

    @work(group="rows")
    async def _change_rows(self) -> None:
        """Replace the rows by those of another architecture."""
        async with self._changing:
            while not self.is_settled:  # the user may choose again meanwhile
                shown = self._state.architecture
                with self.app.batch_update():
                    for place, first in (("#form-important", True), ("#all-settings Contents", False)):
                        if first or self._all_opened:
                            await self.query_one(place).remove_children()
                            await self.query_one(place).mount_all(self._rows(first=first))
                self._shown = shown
            self.update_rows()

    def _rows(self, *, first: bool) -> list[SettingRow]:
        """Make a row for each setting: the important ones, or the others."""
        names = important(self._state.architecture)
        return [
            SettingRow(setting, self._state.texts[name], box_id=f"setting-{name}", explained=True)
            for name, setting in form_fields(self._state.architecture).items()
            if (name in names) == first
        ]
