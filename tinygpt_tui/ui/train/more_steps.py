"""Ask how many more steps to train."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Input, Static

from tinygpt_tui.errors import UsageError
from tinygpt_tui.runs.extending import new_steps
from tinygpt_tui.ui.shared.dialog import Dialog


class MoreStepsScreen(Dialog[str]):
    """Dismisses with what was typed, `+2000` or `5000`, once it is valid; with None if the user cancels."""

    DEFAULT_CSS = """
    MoreStepsScreen {
        & > DialogBox { padding: 1 2; }
        & Static { height: auto; }
        & Input { margin: 1 0 0 0; }
    }
    """

    def __init__(self, name: str, step: int, steps: int) -> None:
        super().__init__("more steps", "enter: resume  esc: cancel")
        self._name, self._step, self._steps = name, step, steps

    def compose_body(self) -> ComposeResult:
        yield Static(
            f"{self._name} is at step {self._step:,} of {self._steps:,}. The learning rate rises again to where it "
            "would be in a run of the new length.\n+2000 adds steps; 5000 sets the total.",
            markup=False,
        )
        yield Input(f"+{max(100, self._steps // 2)}", compact=True, select_on_focus=True)
        yield Static("", id="comes-to", markup=False)

    def on_mount(self) -> None:
        self._check()

    def on_input_changed(self) -> None:
        self._check()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Dismiss, if it is valid."""
        message.stop()
        if self._check():
            self.dismiss(message.value)

    def _check(self) -> bool:
        line = self.query_one("#comes-to", Static)
        try:
            total = new_steps(self.query_one(Input).value, self._step, self._steps)
        except UsageError as error:
            line.update(f"✗ {error.message}; {error.hint}")
            return False
        line.update(f"{total:,} steps in total, {total - self._step:,} to go")
        return True
