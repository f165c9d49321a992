"""Edit sampling settings in a dialog, for screens that have no room for the form."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.widgets import Static

from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.dialog import Dialog
from tinygpt_tui.ui.shared.sampling_form import SamplingForm


class EditSampling(Dialog[SamplingSettings]):
    """Dismisses with the settings, or with None."""

    DEFAULT_CSS = """
    EditSampling {
        & > DialogBox { width: 56; max-width: 96%; height: 26; max-height: 90%; padding: 0; }
        & SamplingForm { width: 1fr; height: 1fr; }
        & .-hint { padding: 0 1; }
    }
    """
    BINDINGS = [
        bind("enter", "accept", "Use", "edit-sampling.accept", "Use these settings"),
        bind("f8", "same", "Copy", "edit-sampling.same", "Use the settings of the first pane"),
    ]

    def __init__(
        self, settings: SamplingSettings, hint: str, heading: str = "sampling", same_as: SamplingSettings | None = None
    ) -> None:
        """`hint` says what the settings apply to; F8 copies the settings of `same_as`, if given."""
        super().__init__(heading, "enter: use  esc: cancel")
        self._settings, self._hint, self._same_as = settings, hint, same_as

    def compose_body(self) -> ComposeResult:
        yield Static(self._hint, classes="-hint", markup=False)
        yield SamplingForm(self._settings)

    def on_mount(self) -> None:
        self.query_one(SamplingForm).border_title = ""
        self.query_one(SamplingForm).focus_first()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to copy only where there are settings to copy."""
        return action != "same" or self._same_as is not None

    @on(SamplingForm.Submitted)
    def action_accept(self) -> None:
        """Answer with the settings if they are valid."""
        form = self.query_one(SamplingForm)
        if form.settings is None:
            self.notify(form.problem, title="sampling", severity="error", markup=False)
            form.focus_first()
        else:
            self.dismiss(form.settings)

    def action_same(self) -> None:
        """Copy the settings of the first pane into the form."""
        if self._same_as is not None:
            self.query_one(SamplingForm).set_values(self._same_as)
