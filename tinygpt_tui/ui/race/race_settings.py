"""Change the sampling settings of one pane of the race."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.shared.sampling_form import SamplingForm

OF_FIRST = "The other panes follow this one, but for what is their own."
OF_OTHERS = "What is changed here is this pane's own; the seed is everybody's."


class RaceSettingsScreen(ModalScreen[SamplingSettings | None]):
    """Dismisses with the settings, or with None."""

    DEFAULT_CSS = """
    RaceSettingsScreen {
        align: center middle;
        & > Vertical {
            width: 56; max-width: 96%; height: 26; max-height: 90%; background: $surface; border: round $border;
        }
        & SamplingForm { width: 1fr; height: 1fr; }
        & #race-settings-note { height: auto; padding: 0 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "Take them", id="race-settings.accept", tooltip="They count from the next race on"),
        Binding("ctrl+l", "same", "As in 1", id="race-settings.same", tooltip="The same settings as the first pane's"),
        Binding("escape", "cancel", "Cancel", id="race-settings.cancel", tooltip="Leave the settings as they are"),
    ]

    def __init__(self, settings: SamplingSettings, first: SamplingSettings, pane: int) -> None:
        """`first` are the first pane's settings; `pane` counts from 1."""
        super().__init__()
        self._settings, self._first, self._pane = settings, first, pane

    def compose(self) -> ComposeResult:
        """Yield the form, and whom it concerns."""
        with Vertical() as box:
            box.border_title = f"sampling of pane {self._pane}"
            box.border_subtitle = "enter: take them  esc: back"
            yield Static(OF_FIRST if self._pane == 1 else OF_OTHERS, id="race-settings-note", markup=False)
            yield SamplingForm(self._settings)

    def on_mount(self) -> None:
        """Go to the first box."""
        self.query_one(SamplingForm).border_title = ""
        self.query_one(SamplingForm).focus_first()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The first pane cannot be made like itself."""
        return action != "same" or self._pane > 1

    @on(SamplingForm.Submitted)
    def action_accept(self) -> None:
        """Answer with the settings, unless one of them cannot be."""
        form = self.query_one(SamplingForm)
        if form.settings is None:
            self.notify(form.problem, title="sampling", severity="error", markup=False)
            form.focus_first()
        else:
            self.dismiss(form.settings)

    def action_same(self) -> None:
        """Put the first pane's settings into the boxes."""
        self.query_one(SamplingForm).show(self._first)

    def action_cancel(self) -> None:
        """Change nothing."""
        self.dismiss(None)
