"""The five views of a forward pass; the selected token is the same in all of them."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message

from tinygpt_tui.ui.inspect.attention_map import AttentionMap
from tinygpt_tui.ui.inspect.guess_table import GuessTable
from tinygpt_tui.ui.inspect.inspect_bar import VIEWS
from tinygpt_tui.ui.inspect.pass_diagram import PassDiagram
from tinygpt_tui.ui.inspect.passes import Pass
from tinygpt_tui.ui.inspect.step_view import StepView
from tinygpt_tui.ui.inspect.token_map import TokenMap
from tinygpt_tui.ui.models.parts_tree import PartsTree
from tinygpt_tui.ui.shared.microscope import name_of

UNKNOWN_SHOWN = 10
LAST = 1 << 20  # an index for the last token, whatever their number


class PassViews(Vertical):
    """Shows one view of a pass at a time, and moves the token in all."""

    DEFAULT_CSS = "PassViews { height: 1fr; }"

    class TokenSelected(Message):
        """Another token was selected."""

    def __init__(self) -> None:
        super().__init__()
        self.view = "walk"
        self.walked = Pass()
        self.token = LAST

    def compose(self) -> ComposeResult:
        with Horizontal(id="inspect-walk"):
            yield PassDiagram()
            yield StepView()
        yield AttentionMap(id="inspect-attention")
        yield GuessTable(id="inspect-guesses")
        yield PartsTree(id="inspect-parameters")
        yield TokenMap(id="inspect-map")

    def on_mount(self) -> None:
        self._update_display()

    def show_pass(self, walked: Pass) -> None:
        """Show a pass in all views; the token stays if there is one at its place."""
        self.walked = walked
        self.token = min(self.token, max(0, len(walked.labels) - 1))
        self.query_one(PassDiagram).show_pass(walked)
        self._show_token()

    def show_view(self, view: str) -> None:
        """Show another view; from a head of the diagram the attention view opens at that head."""
        part = self.query_one(PassDiagram).part
        self.view = view
        self._update_display()
        self.focus_view()
        if view == "attention" and part is not None and part.last.kind == "weights":
            self.query_one(AttentionMap).go_to(self.walked.steps[part.last.number], part.head or 0)

    def focus_view(self) -> None:
        view = self.query_one(PassDiagram) if self.view == "walk" else self.query_one(f"#inspect-{self.view}")
        self.screen.set_focus(view)

    def move_token(self, direction: int) -> None:
        """Select the next token, or the previous one."""
        count = len(self.walked.labels)
        if count:
            self.token = min(max(self.token + direction, 0), count - 1)
            self._show_token()
            self.post_message(self.TokenSelected())

    def notes(self) -> str:
        """Return which token is selected, and what was left out of the prompt."""
        started = self.walked.started
        if started is None:
            return ""
        count = len(started.tokens)
        notes = [f"token {count - started.rows + self.token + 1} of {count}: {name_of(self.walked.labels[self.token])}"]
        if started.empty:
            notes.append("the prompt is empty, so the model starts from this token")
        if started.left_out:
            notes.append(f"the first {started.left_out} are outside its window")
        if started.unknown:
            shown = " ".join(name_of(one) for one in started.unknown[:UNKNOWN_SHOWN])
            notes.append(f"unknown characters left out: {shown}{' …' if len(started.unknown) > UNKNOWN_SHOWN else ''}")
        if started.rows < count:
            notes.append(f"showing the last {started.rows}")
        return " · ".join(notes)

    def _update_display(self) -> None:
        for view in VIEWS:  # not by a class, which takes effect only later: a hidden view cannot have the focus
            self.query_one(f"#inspect-{view}").display = view == self.view

    def _show_token(self) -> None:
        self.query_one(StepView).show_part(self.walked, self.query_one(PassDiagram).part, self.token)
        self.query_one(AttentionMap).show_pass(self.walked, self.token)
        self.query_one(GuessTable).show_pass(self.walked, self.token)
        self.query_one(TokenMap).show_pass(self.walked, self.token)

    @on(GuessTable.Moved)
    def _token_requested(self, message: GuessTable.Moved) -> None:
        message.stop()
        self.move_token(message.direction)

    @on(AttentionMap.Moved)
    def _head_chosen(self, message: AttentionMap.Moved) -> None:
        """Move the diagram's cursor to the same head."""
        message.stop()
        self.query_one(PassDiagram).go_to(message.step.number, message.head)

    @on(PassDiagram.Walked)
    def _walked(self, message: PassDiagram.Walked) -> None:
        message.stop()
        self.query_one(StepView).show_part(self.walked, message.part, self.token)
