"""Ask how many more steps to train."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tinygpt_tui.errors import UsageError
from tinygpt_tui.runs.extending import new_steps


class MoreStepsScreen(ModalScreen[str | None]):
    """Dismisses with what was typed, `+2000` or `5000`, once it is valid; with None if the user cancels."""

    DEFAULT_CSS = """
    MoreStepsScreen {
        align: center middle;
        & > Vertical {
            width: 64; max-width: 100%; height: auto; max-height: 100%; padding: 1 2;
            background: $panel; border: round $border;
            border-title-color: $foreground; border-subtitle-color: $quiet;
        }
        & Static { height: auto; }
        & Input { margin: 1 0 0 0; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="more-steps.cancel", tooltip="Leave the run as it is"),
    ]

    def __init__(self, name: str, step: int, steps: int) -> None:
        super().__init__()
        self._name, self._step, self._steps = name, step, steps

    def compose(self) -> ComposeResult:
        """Yield an explanation, a box, and the result of the number in it."""
        with Vertical() as box:
            box.border_title = "more steps"
            box.border_subtitle = "enter: resume  esc: cancel"
            yield Static(
                f"{self._name} is at step {self._step:,} of {self._steps:,}. The learning rate rises again to where it "
                "would be in a run of the new length.\n+2000 adds steps; 5000 sets the total.",
                markup=False,
            )
            yield Input(f"+{max(100, self._steps // 2)}", compact=True, select_on_focus=True)
            yield Static("", id="comes-to", markup=False)

    def on_mount(self) -> None:
        """Show the result of the suggestion."""
        self._check()

    def on_input_changed(self) -> None:
        """Show the result, or why it is invalid."""
        self._check()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Dismiss, if it is valid."""
        message.stop()
        if self._check():
            self.dismiss(message.value)

    def action_cancel(self) -> None:
        """Change nothing."""
        self.dismiss(None)

    def _check(self) -> bool:
        line = self.query_one("#comes-to", Static)
        try:
            total = new_steps(self.query_one(Input).value, self._step, self._steps)
        except UsageError as error:
            line.update(f"✗ {error.message}; {error.hint}")
            return False
        line.update(f"{total:,} steps in total, {total - self._step:,} to go")
        return True
