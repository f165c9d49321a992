"""The Inspect tab: the net as a diagram, and a walk through its forward pass over your prompt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Static

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent
from tinygpt_tui.events.requests import Trace
from tinygpt_tui.insight.model_facts import ModelFacts, model_facts
from tinygpt_tui.packages import command_in
from tinygpt_tui.ui.inspect.attention_map import AttentionMap
from tinygpt_tui.ui.inspect.guess_table import GuessTable
from tinygpt_tui.ui.inspect.inspect_bar import VIEWS, InspectBar
from tinygpt_tui.ui.inspect.pass_diagram import PassDiagram
from tinygpt_tui.ui.inspect.passes import Pass
from tinygpt_tui.ui.inspect.step_view import StepView
from tinygpt_tui.ui.models.model_list import ModelList, default_model
from tinygpt_tui.ui.models.model_picker import NO_MODELS
from tinygpt_tui.ui.models.parts_tree import PartsTree
from tinygpt_tui.ui.shared.microscope import name_of
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shell.selection import Selection
from tinygpt_tui.ui.shell.tab_screen import TabScreen
from tinygpt_tui.words import parameters

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Job

PROMPT_HELP = (
    "## Prompt\n\n"
    "The text that the net is shown; Enter walks through it. It is the Generate tab's prompt until you write another "
    "here. A text that is longer than the net's window is cut to its end."
)
UNKNOWN_SHOWN = 10
LAST = 1 << 20  # a token that stands for the last one, however many there are
WAITING = "the net reads your prompt, by torch; the first time takes some seconds…"


class InspectScreen(TabScreen):
    """Asks for a pass, and shows it in one of four ways; the token that is looked at is the same in all of them."""

    CSS_PATH = "screen.tcss"
    TAB = "inspect"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high"), (32, "-tall")]  # noqa: RUF012 (declared so by Textual)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    AUTO_FOCUS = "PassDiagram"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "view('walk')", "Walk", id="inspect.walk", show=False, tooltip="The net, step by step"),
        Binding("2", "view('attention')", "Attention", id="inspect.attention", show=False, tooltip="Who looks at whom"),
        Binding("3", "view('guesses')", "Guesses", id="inspect.guesses", show=False, tooltip="The guess of each layer"),
        Binding("4", "view('parameters')", "Parameters", id="inspect.parameters", show=False, tooltip="As a tree"),
        Binding(
            "full_stop", "token(1)", "Token", id="inspect.token", key_display=", .", tooltip="Look at the next token"
        ),
        Binding(
            "comma", "token(-1)", "Token before", id="inspect.token_back", show=False, tooltip="At the token before"
        ),
        Binding("p", "prompt", "Prompt", id="inspect.prompt", tooltip="Write another prompt"),
        Binding("m,ctrl+o", "model", "Model", id="inspect.model", tooltip="Choose another model"),
        Binding("u", "untrained", "Untrained", id="inspect.untrained", tooltip="The same net, untrained; or trained"),
        Binding("alt+u", "untrained", "Untrained", id="inspect.untrained", show=False, tooltip="The same, untrained"),
        Binding("enter", "walk_prompt", "Walk", id="inspect.walk_prompt", tooltip="Walk through this prompt"),
        Binding("escape", "leave_prompt", "Back", id="inspect.leave", tooltip="Back to the picture"),
        Binding("tab", "app.focus_next", "Prompt", id="inspect.next", show=False, tooltip="Picture or prompt"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.view = "walk"
        self.walked, self._new = Pass(), Pass()  # what is shown, and what is on its way
        self.card: ModelCard | None = None
        self.untrained = False
        self._models = ModelList()
        self._taken: Selection | None = None  # from another tab
        self._token = LAST
        self._job: Job | None = None
        self._problem = self._told = ""

    def compose_body(self) -> ComposeResult:
        """Yield the four views, a line of notes, the prompt."""
        yield InspectBar()
        with Horizontal(id="inspect-walk"):
            yield PassDiagram()
            yield StepView()
        yield AttentionMap(id="inspect-attention")
        yield GuessTable(id="inspect-guesses")
        yield PartsTree(id="inspect-parameters")
        yield Static("", id="inspect-line", markup=False)
        prompt = PromptBox(self.workbench.prompts, id="inspect-prompt")
        prompt.HELP = PROMPT_HELP  # type: ignore[misc]
        yield prompt

    def on_mount(self) -> None:
        """Show that nothing was walked yet."""
        self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show only the keys that do something now."""
        if action in ("walk_prompt", "leave_prompt"):
            return self.is_mounted and self.query_one(PromptBox).has_focus
        if action == "token":
            return len(self.walked.labels) > 1
        return True

    def on_screen_resume(self) -> None:
        """Take up what the Generate tab is about, where that is another matter than the last time."""
        selection = self.workbench.selection()
        if selection is not None and selection != self._taken:
            self._taken = selection
            self.untrained = selection.untrained
            if selection.prompt:
                self.query_one(PromptBox).text = selection.prompt
                self._token = LAST
            self.card = None
            self._problem = ""
        self._look_for_models()

    # The model

    @work(thread=True, exclusive=True, group="models", exit_on_error=False)
    def _look_for_models(self) -> None:
        self._models.refresh()
        wished = self._taken.model if self._taken is not None else ""
        if wished and all(card.path != wished for card in self._models.cards):
            self._models.visit(Path(wished))
            self._models.refresh()
        self.app.call_from_thread(self._models_known, wished)

    def _models_known(self, wished: str) -> None:
        if self.card is not None:
            return
        known = {card.path: card for card in self._models.cards}
        card = known.get(wished) or default_model(self._models.cards, self.workbench.preferences.settings.model)
        self._use(card)

    def _use(self, card: ModelCard | None) -> None:
        self.card = card
        if card is None:
            self._problem = NO_MODELS.splitlines()[0]
            self._show()
            return
        self._read_parts(Path(card.path))
        self._walk()

    def action_model(self) -> None:
        """Choose another model."""
        from tinygpt_tui.ui.models.choose_model import ChooseModel

        def use(card: ModelCard | None) -> None:
            if card is not None:
                self.untrained = False
                self._use(card)

        current = self.card.path if self.card is not None else ""
        self.app.push_screen(ChooseModel("model to inspect", self._models.cards, current, self._models.live), use)

    @on(InspectBar.ModelWanted)
    def _model_wanted(self) -> None:
        self.action_model()

    def action_untrained(self) -> None:
        """Look at the same net with its first weights, or with its own again."""
        self.untrained = not self.untrained
        self._walk()

    @work(thread=True, exclusive=True, group="parts", exit_on_error=False)
    def _read_parts(self, path: Path) -> None:
        try:
            facts = model_facts(path)
        except TinyGPTError:
            return  # the walk says what is wrong
        self.app.call_from_thread(self._show_parts, facts)

    def _show_parts(self, facts: ModelFacts) -> None:
        if self.is_attached and self.card is not None and str(facts.path) == self.card.path:
            self.query_one(PartsTree).show_parts(facts.parts)

    # Asking

    @on(PromptBox.Submitted)
    def _submitted(self, message: PromptBox.Submitted) -> None:
        if message.prompt:
            self.workbench.remember_prompt(message.prompt)
        self._token = LAST
        self._go_to_view()
        self._walk()

    def _walk(self) -> None:
        if self.card is None:
            return
        if self._job is not None:
            self._job.stop()
        self._problem, self._new = "", Pass()
        request = Trace(self.card.path, self.query_one(PromptBox).text, self.untrained)
        self._job = self.workbench.engine.start(request)
        self._follow(self._job)
        self._show_line()

    @work(exit_on_error=False)
    async def _follow(self, job: Job) -> None:
        async for batch in job:
            if job is not self._job:
                return
            self._take(batch)

    # Events

    def _take(self, events: list[GenerationEvent]) -> None:
        self._new.take(events)
        ended = next((event for event in events if isinstance(event, GenerationEnded)), None)
        if ended is None:
            return
        self._job = None
        if ended.reason == "failed":
            self._new = Pass()
            self._fail(ended.message, ended.hint)
            return
        self.walked, self._new = self._new, Pass()
        self._token = min(self._token, max(0, len(self.walked.labels) - 1))
        self._show()

    def _fail(self, message: str, hint: str) -> None:
        self._problem = f"{message} · {hint}" if hint else message
        self._show_line()
        if self.is_current and message != self._told:
            self._told = message if command_in(hint) else ""  # a missing package: the line says it from now on
            self.show_error(TinyGPTError(message, hint))

    # Showing

    def _go_to_view(self) -> None:
        pane = self.query_one(f"#inspect-{self.view}")
        self.set_focus(self.query_one(PassDiagram) if self.view == "walk" else pane)

    def _show(self) -> None:
        """Show the pass in all views."""
        diagram = self.query_one(PassDiagram)
        diagram.show(self.walked)
        self._show_token()
        self._show_view()
        self._show_line()

    def _show_view(self) -> None:
        for view in VIEWS:  # not by a class, which counts only later: what is not displayed cannot be gone to
            self.query_one(f"#inspect-{view}").display = view == self.view
        model = ""
        if self.card is not None:
            twin = ", untrained" if self.untrained else ""
            model = f"{self.card.name}{twin} · {parameters(self.card.parameters)} {self.card.architecture}"
        self.query_one(InspectBar).show(self.view, model)

    def _show_token(self) -> None:
        self.query_one(StepView).show(self.walked, self.query_one(PassDiagram).part, self._token)
        self.query_one(AttentionMap).show(self.walked, self._token)
        self.query_one(GuessTable).show(self.walked, self._token)

    def _show_line(self) -> None:
        line = self.query_one("#inspect-line", Static)
        line.set_class(bool(self._problem), "-failed")
        line.update(self._problem or (WAITING if self._job is not None else self._notes()), layout=False)

    def _notes(self) -> str:
        begun = self.walked.begun
        if begun is None:
            return ""
        count = len(begun.tokens)
        labels = self.walked.labels
        notes = [f"token {count - begun.rows + self._token + 1} of {count}: {name_of(labels[self._token])}"]
        if begun.empty:
            notes.append("the prompt is empty: a net must see something, and begins with this")
        if begun.left_out:
            notes.append(f"{begun.left_out} before its window left out")
        if begun.unknown:
            shown = " ".join(name_of(one) for one in begun.unknown[:UNKNOWN_SHOWN])
            notes.append(f"it knows no {shown}{' …' if len(begun.unknown) > UNKNOWN_SHOWN else ''}: left out")
        if begun.rows < count:
            notes.append(f"the last {begun.rows} drawn")
        return " · ".join(notes)

    # Keys

    def action_view(self, view: str) -> None:
        """Look at it in another way."""
        step, head = self._place()
        self.view = view
        self._show_view()
        self._go_to_view()
        self.refresh_bindings()
        if view == "attention" and step is not None:
            self.query_one(AttentionMap).go_to(self.walked.steps[step], head)

    def _place(self) -> tuple[int | None, int]:
        part = self.query_one(PassDiagram).part
        if part is None or part.last.kind != "weights":
            return None, 0
        return part.last.number, part.head or 0

    def action_token(self, direction: int) -> None:
        """Look at the next token, or the one before."""
        count = len(self.walked.labels)
        if count:
            self._token = min(max(self._token + direction, 0), count - 1)
            self._show_token()
            self._show_line()

    @on(GuessTable.Moved)
    def _token_wanted(self, message: GuessTable.Moved) -> None:
        self.action_token(message.direction)

    @on(AttentionMap.Moved)
    def _head_chosen(self, message: AttentionMap.Moved) -> None:
        """The walk goes to the head that is looked at, too."""
        self.query_one(PassDiagram).go_to(message.step.number, message.head)

    @on(PassDiagram.Walked)
    def _walked(self, message: PassDiagram.Walked) -> None:
        self.query_one(StepView).show(self.walked, message.part, self._token)

    @on(InspectBar.Chosen)
    def _view_chosen(self, message: InspectBar.Chosen) -> None:
        self.action_view(message.view)

    def action_prompt(self) -> None:
        """Go to the prompt."""
        self.set_focus(self.query_one(PromptBox))  # at once: what is typed behind the key is for the prompt

    def action_walk_prompt(self) -> None:
        """Walk through what stands in the prompt box."""
        self._submitted(PromptBox.Submitted(self.query_one(PromptBox).text))

    def action_leave_prompt(self) -> None:
        """Go back to the picture."""
        self._go_to_view()
