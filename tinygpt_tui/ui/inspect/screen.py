"""The Inspect tab: the model as a diagram, and a walk through its forward pass over your prompt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual import getters, on, work
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Static

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent
from tinygpt_tui.events.requests import Trace
from tinygpt_tui.insight.model_facts import ModelFacts, model_facts
from tinygpt_tui.packages import command_in
from tinygpt_tui.ui.inspect.inspect_bar import InspectBar
from tinygpt_tui.ui.inspect.passes import Pass
from tinygpt_tui.ui.inspect.views import LAST, PassViews
from tinygpt_tui.ui.models.model_list import ModelList, default_model
from tinygpt_tui.ui.models.model_picker import NO_MODELS
from tinygpt_tui.ui.models.parts_tree import PartsTree
from tinygpt_tui.ui.shared.binding import bind, bind_hidden
from tinygpt_tui.ui.shared.microscope import name_of
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shell.selection import Selection, TextPlace
from tinygpt_tui.ui.shell.tab_screen import TabScreen
from tinygpt_tui.words import parameters

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Job

PROMPT_HELP = (
    "## Prompt\n\n"
    "The text that the model reads; Enter walks through it. It is the Generate tab's prompt until you type another "
    "here. Of a text longer than the model's window only the end is used."
)
WAITING = "the model is reading your prompt; the first time takes some seconds…"


class InspectScreen(TabScreen):
    """Requests a pass of the chosen model over the prompt, and shows it."""

    CSS_PATH = "screen.tcss"
    TAB = "inspect"
    READS = True
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high"), (32, "-tall")]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
    AUTO_FOCUS = "PassDiagram"

    BINDINGS = [
        bind_hidden("1", "view('walk')", "Walk", "inspect.walk", "The model, step by step"),
        bind_hidden("2", "view('attention')", "Attention", "inspect.attention", "Attention maps"),
        bind_hidden("3", "view('guesses')", "Guesses", "inspect.guesses", "The prediction after each layer"),
        bind_hidden("4", "view('parameters')", "Parameters", "inspect.parameters", "The parameters as a tree"),
        bind_hidden("5", "view('map')", "Map", "inspect.map", "The embeddings as a map"),
        bind_hidden(
            "S", "reliability", "How sure", "inspect.reliability", "How sure the model is, and how often right"
        ),
        bind("full_stop", "token(1)", "Token", "inspect.token", "Select the next token", display=", ."),
        bind_hidden("comma", "token(-1)", "Previous token", "inspect.token_back", "Select the previous token"),
        bind("p", "prompt", "Prompt", "inspect.prompt", "Type another prompt"),
        bind("m,ctrl+o", "model", "Model", "inspect.model", "Choose another model"),
        bind("u", "untrained", "Untrained", "inspect.untrained", "The model with random weights, or trained"),
        bind_hidden("alt+u", "untrained", "Untrained", "inspect.untrained", "The model untrained, or trained"),
        bind("enter", "walk_prompt", "Walk", "inspect.walk_prompt", "Walk through this prompt"),
        bind("escape", "leave_prompt", "Back", "inspect.leave", "Back to the view"),
        bind("escape", "return", "Back", "inspect.return", "Back to the text in Generate"),
        bind_hidden("tab", "app.focus_next", "Prompt", "inspect.next", "View or prompt"),
    ]
    views = getters.query_one(PassViews)

    class Return(Message):
        """The user wants to go back to where the text came from."""

    def __init__(self) -> None:
        super().__init__()
        self._place: TextPlace | None = None  # whose next character this is about
        self._new = Pass()  # that is arriving
        self.card: ModelCard | None = None
        self.untrained = False
        self._models = ModelList()
        self._selection: Selection | None = None  # of the Generate tab, used here
        self._job: Job | None = None
        self._problem = self._told = ""

    def compose_body(self) -> ComposeResult:
        yield InspectBar()
        yield PassViews()
        yield Static("", id="inspect-line", markup=False)
        prompt = PromptBox(self.workbench.prompts, id="inspect-prompt")
        prompt.HELP = PROMPT_HELP  # type: ignore[misc]
        yield prompt

    def on_mount(self) -> None:
        self._show_model()

    @property
    def walked(self) -> Pass:
        return self.views.walked

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("walk_prompt", "leave_prompt"):
            return self.is_mounted and self.query_one(PromptBox).has_focus
        if action == "return":
            return self._place is not None and self.is_mounted and not self.query_one(PromptBox).has_focus
        if action == "reliability":
            return self.card is not None
        if action == "token":
            return bool(self.query(PassViews)) and len(self.walked.labels) > 1
        return True

    def on_screen_resume(self) -> None:
        """Use the model and prompt of the Generate tab if they have changed."""
        selection = self.workbench.selection()
        if selection is not None and selection != self._selection:
            self._selection, self._place = selection, None
            self.untrained = selection.untrained
            if selection.prompt:
                self.query_one(PromptBox).text = selection.prompt
                self.views.token = LAST
            self.card = None
            self._problem = ""
        self._find_models()

    def show_place(self, place: TextPlace) -> None:
        """Show the attention of the last token before a character, from which the model predicted it."""
        self._place = place
        self._selection = self.workbench.selection()  # of which nothing is used until it changes
        self.untrained, self.card, self._problem = place.untrained, None, ""
        self.query_one(PromptBox).text = place.before
        self.views.token = LAST
        self.action_view("attention")
        self._find_models()

    # The model

    @work(thread=True, exclusive=True, group="models", exit_on_error=False)
    def _find_models(self) -> None:
        self._models.refresh()
        source = self._place or self._selection
        path = source.model if source is not None else ""
        if path and all(card.path != path for card in self._models.cards):
            self._models.visit(Path(path))
            self._models.refresh()
        self.app.call_from_thread(self._choose_model, path)

    def _choose_model(self, path: str) -> None:
        self.known.set()
        if self.card is not None:
            return
        known = {card.path: card for card in self._models.cards}
        card = known.get(path) or default_model(self._models.cards, self.workbench.preferences.settings.model)
        self._use_model(card)

    def _use_model(self, card: ModelCard | None) -> None:
        self.card = card
        if card is None:
            self._problem = NO_MODELS.splitlines()[0]
            self._show_model()
            return
        self._read_parts(Path(card.path))
        self._walk()

    def action_model(self) -> None:
        from tinygpt_tui.ui.models.choose_model import ChooseModel

        def use_model(card: ModelCard | None) -> None:
            if card is not None:
                self.untrained = False
                self._use_model(card)

        current = self.card.path if self.card is not None else ""
        self.app.push_screen(ChooseModel("model to inspect", self._models.cards, current, self._models.live), use_model)

    @on(InspectBar.ModelWanted)
    def _model_wanted(self) -> None:
        self.action_model()

    def action_reliability(self) -> None:
        """Measure how sure the model is against how often it is right."""
        from tinygpt_tui.ui.inspect.reliability import ReliabilityScreen

        assert self.card is not None
        self.app.push_screen(ReliabilityScreen(self.card))

    def action_untrained(self) -> None:
        """Show the model with random weights, or trained again."""
        self.untrained = not self.untrained
        self._walk()

    @work(thread=True, exclusive=True, group="parts", exit_on_error=False)
    def _read_parts(self, path: Path) -> None:
        try:
            facts = model_facts(path)
        except TinyGPTError:
            return  # the walk shows what is wrong
        self.app.call_from_thread(self._show_parts, facts)

    def _show_parts(self, facts: ModelFacts) -> None:
        if self.is_attached and self.card is not None and str(facts.path) == self.card.path:
            self.query_one(PartsTree).show_parts(facts.parts)

    # Requests

    @on(PromptBox.Submitted)
    def _submitted(self, message: PromptBox.Submitted) -> None:
        if message.prompt:
            self.workbench.remember_prompt(message.prompt)
        self._place = None
        self.views.token = LAST
        self.views.focus_view()
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
            self._apply_events(batch)

    # Events

    def _apply_events(self, events: list[GenerationEvent]) -> None:
        self._new.add_events(events)
        ended = next((event for event in events if isinstance(event, GenerationEnded)), None)
        if ended is None:
            return
        self._job = None
        if ended.reason == "failed":
            self._new = Pass()
            self._fail(ended.message, ended.hint)
            return
        walked, self._new = self._new, Pass()
        self.views.show_pass(walked)
        self._show_model()

    def _fail(self, message: str, hint: str) -> None:
        self._problem = f"{message} · {hint}" if hint else message
        self._show_line()
        if self.is_current and message != self._told:
            self._told = message if command_in(hint) else ""  # a missing package: from now on only the line shows it
            self.show_error(TinyGPTError(message, hint))

    # Showing

    def _show_model(self) -> None:
        """Show the model's name and the line of notes."""
        model = ""
        if self.card is not None:
            weights = ", untrained" if self.untrained else ""
            model = f"{self.card.name}{weights} · {parameters(self.card.parameters)} {self.card.architecture}"
        self.query_one(InspectBar).show_view(self.views.view, model)
        self._show_line()

    def _show_line(self) -> None:
        line = self.query_one("#inspect-line", Static)
        line.set_class(bool(self._problem), "-failed")
        line.update(self._problem or (WAITING if self._job is not None else self._notes()), layout=False)

    def _notes(self) -> str:
        notes, place = self.views.notes(), self._place
        if place is None or not notes:
            return notes
        return f"the next one is {name_of(place.text[place.offset])}, character {place.offset + 1:,} · {notes}"

    # Keys

    def action_view(self, view: str) -> None:
        self.views.show_view(view)
        self._show_model()
        self.refresh_bindings()

    def action_token(self, direction: int) -> None:
        self.views.move_token(direction)

    @on(PassViews.TokenSelected)
    def _token_selected(self) -> None:
        self._show_line()

    @on(InspectBar.Chosen)
    def _view_chosen(self, message: InspectBar.Chosen) -> None:
        self.action_view(message.view)

    def action_prompt(self) -> None:
        box = self.query_one(PromptBox)
        self.set_focus(box)  # at once: what is typed next is for the prompt, and replaces it
        box.select_all()

    def action_walk_prompt(self) -> None:
        self._submitted(PromptBox.Submitted(self.query_one(PromptBox).text))

    def action_leave_prompt(self) -> None:
        self.views.focus_view()

    def action_return(self) -> None:
        """Go back to the text; from now on this tab follows the Generate tab's prompt again."""
        self._place = self._selection = None
        self.post_message(self.Return())
