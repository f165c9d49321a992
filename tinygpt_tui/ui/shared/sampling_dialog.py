"""Change the sampling settings of something that has no room for them beside it."""

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


class SamplingScreen(ModalScreen[SamplingSettings | None]):
    """Dismisses with the settings, or with None."""

    DEFAULT_CSS = """
    SamplingScreen {
        align: center middle;
        & > Vertical {
            width: 56; max-width: 96%; height: 26; max-height: 90%; background: $surface; border: round $border;
            border-title-color: $foreground; border-subtitle-color: $quiet;
        }
        & SamplingForm { width: 1fr; height: 1fr; }
        & #sampling-note { height: auto; padding: 0 1; color: $text-muted; }
        & SettingBox Input, & SettingBox ChoiceBox { background: $panel; }
        & SettingBox Input:focus, & SettingBox ChoiceBox:focus { background: $primary 25%; }
        & SettingBox ChoiceBox:focus { text-style: bold reverse; }
        & .-note { color: $text-muted; }
        & .-note.-wrong, & .-invalid .-title { color: $text-error; text-style: bold; }
        & .-invalid Input { background: $error 25%; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "Take them", id="sampling-screen.accept", tooltip="Write with these settings"),
        Binding("escape", "cancel", "Cancel", id="sampling-screen.cancel", tooltip="Leave the settings as they are"),
    ]

    def __init__(self, settings: SamplingSettings, note: str) -> None:
        """`note` says whom it concerns."""
        super().__init__()
        self._settings, self._note = settings, note

    def compose(self) -> ComposeResult:
        """Yield the form, and whom it concerns."""
        with Vertical() as box:
            box.border_title = "sampling"
            box.border_subtitle = "enter: take them  esc: back"
            yield Static(self._note, id="sampling-note", markup=False)
            yield SamplingForm(self._settings)

    def on_mount(self) -> None:
        """Go to the first box."""
        self.query_one(SamplingForm).border_title = ""
        self.query_one(SamplingForm).focus_first()

    @on(SamplingForm.Submitted)
    def action_accept(self) -> None:
        """Answer with the settings, unless one of them cannot be."""
        form = self.query_one(SamplingForm)
        if form.settings is None:
            self.notify(form.problem, title="sampling", severity="error", markup=False)
            form.focus_first()
        else:
            self.dismiss(form.settings)

    def action_cancel(self) -> None:
        """Change nothing."""
        self.dismiss(None)
