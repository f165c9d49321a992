"""Which model a new training starts from: none, or one of those there are."""

from __future__ import annotations

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Select, Static

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.checkpoints.library import list_models
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.training.fine_tuning import Origin, origin_of

NOTHING = ""  # the value of the row that stands for fresh weights
FRESH = "nothing: a net that knows nothing yet"


class TrainStart(Vertical):
    """A list of models, and below it what the chosen one brings; reading them takes a thread."""

    DEFAULT_CSS = """
    TrainStart {
        height: auto;
        & Horizontal { height: 1; }
        & .-title { width: 19; height: 1; }
        & Select { width: 40; }
        & .-brings { height: auto; max-height: 2; padding: 0 0 0 19; display: none; }
        & .-brings.-shown { display: block; }
    }
    """
    HELP = """## Start from

A model to begin with, instead of a net that knows nothing: yours, one that came with the program, or another program's.
Its net is taken as it is, and its recipe where it is known, at 0.3 of the rates, for as many epochs as suit the text:
what it knows already is not to be shaken out. Characters of the text that it does not know are added to its vocabulary.
The model itself stays as it is: the new one gets a name of its own.
"""

    class Chosen(Message):
        """Another start was chosen; `origin` None: fresh weights. With `keep` the form's settings stay as they are."""

        def __init__(self, origin: Origin | None, keep: bool) -> None:
            super().__init__()
            self.origin, self.keep = origin, keep

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[str, str] = {}  # by path
        self._wanted = NOTHING

    def compose(self) -> ComposeResult:
        """Yield the list and what it says."""
        with Horizontal():
            yield Static("start from", classes="-title")
            yield Select([(FRESH, NOTHING)], value=NOTHING, allow_blank=False, compact=True, id="start-from")
        yield Static("", classes="-brings", markup=False)

    def on_mount(self) -> None:
        """Look which models there are."""
        self.look()

    @work(thread=True, exclusive=True, group="models", exit_on_error=False)
    def look(self) -> None:
        """Look again which models there are."""
        cards = [card for card in list_models() if not card.problem]
        self.app.call_from_thread(self._offer, cards)

    def choose(self, path: str, name: str, *, keep: bool = False) -> None:
        """Start from the model at `path`; with `keep` the form's settings stay, but for the net's."""
        self._names.setdefault(path, name)
        self._show_names(path)
        self._take(path, keep)

    def say(self, words: str, problem: bool = False) -> None:
        """Say what the chosen model brings, or why it cannot be; nothing with ""."""
        facts = self.query_one(".-brings", Static)
        facts.update(f"✗ {words}" if problem else words)
        facts.set_class(bool(words), "-shown")
        self.set_class(problem, "-invalid")

    def on_select_changed(self, message: Select.Changed) -> None:
        """Take the chosen model."""
        message.stop()
        if str(message.value) != self._wanted:
            self._take(str(message.value), keep=False)

    def _offer(self, cards: list[ModelCard]) -> None:
        if not self.is_attached:
            return
        known = {card.path: card.name for card in cards}
        if self._wanted != NOTHING:
            known.setdefault(self._wanted, self._names.get(self._wanted, self._wanted))
        if known != self._names:
            self._names = known
            self._show_names(self._wanted)

    def _show_names(self, chosen: str) -> None:
        select = self.query_one(Select)
        with self.prevent(Select.Changed):
            select.set_options([(FRESH, NOTHING), *((name, path) for path, name in self._names.items())])
            select.value = chosen

    def _take(self, path: str, keep: bool) -> None:
        self._wanted = path
        if path == NOTHING:
            self.say("")
            self.post_message(self.Chosen(None, keep))
        else:
            self.say("reading…")
            self._read(path, keep)

    @work(thread=True, exclusive=True, group="read", exit_on_error=False)
    def _read(self, path: str, keep: bool) -> None:
        try:
            found: Origin | TinyGPTError = origin_of(path)
        except TinyGPTError as error:
            found = error
        self.app.call_from_thread(self._arrived, path, found, keep)

    def _arrived(self, path: str, found: Origin | TinyGPTError, keep: bool) -> None:
        if not self.is_attached or path != self._wanted:
            return
        if isinstance(found, Origin):
            self.post_message(self.Chosen(found, keep))
            return
        self._show_names(NOTHING)
        self._wanted = NOTHING
        self.post_message(self.Chosen(None, keep))
        self.say(f"{found.message}; {found.hint}" if found.hint else found.message, problem=True)
