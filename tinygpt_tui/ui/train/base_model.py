"""Which model a new run starts from: none, or one of the models on this machine."""

from __future__ import annotations

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Select, Static

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.checkpoints.library import list_models
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.training.fine_tuning import Origin, origin_of
from tinygpt_tui.ui.shared.message import Message

NOTHING = ""  # the value of the row for random weights
FRESH = "scratch (random weights)"


class TrainStart(Vertical):
    """A list of models, and below it facts about the chosen one, which is read in a thread."""

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

A trained model to start from, instead of random weights: your own, a shipped one, or another program's. Its
architecture is kept, and its training recipe if it is known, at 0.3 of the learning rate and with epochs to suit the
text, so that it does not forget what it has learned. Characters that it does not know are added to its vocabulary.
The model itself does not change: the new one gets a name of its own.

With a rank in the row `lora` the run trains an adapter instead: a file of some tens of kilobytes with small changes of
the model's matrices, which is listed under that model and opened together with it.
"""

    class Chosen(Message):
        """Another model was chosen; `origin` None: random weights. With `keep` the form's settings stay as they are."""

        origin: Origin | None
        keep: bool

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[str, str] = {}  # by path
        self._wanted = NOTHING

    def compose(self) -> ComposeResult:
        with Horizontal(classes="-line"):
            yield Static("start from", classes="-title")
            yield Select([(FRESH, NOTHING)], value=NOTHING, allow_blank=False, compact=True, id="start-from")
        yield Static("", classes="-brings", markup=False)

    def on_mount(self) -> None:
        self.find_models()

    @work(thread=True, exclusive=True, group="models", exit_on_error=False)
    def find_models(self) -> None:
        cards = [card for card in list_models() if not card.problem]
        self.app.call_from_thread(self._offer, cards)

    def choose(self, path: str, name: str, *, keep: bool = False) -> None:
        """Start from the model at `path`; with `keep` the form's settings stay, except the architecture's."""
        self._names.setdefault(path, name)
        self._show_names(path)
        self._choose_path(path, keep)

    def show_words(self, words: str, problem: bool = False) -> None:
        """Show facts about the chosen model, or why it cannot be used; nothing with ""."""
        facts = self.query_one(".-brings", Static)
        facts.update(f"✗ {words}" if problem else words)
        facts.set_class(bool(words), "-shown")
        self.set_class(problem, "-invalid")

    def on_select_changed(self, message: Select.Changed) -> None:
        message.stop()
        if str(message.value) != self._wanted:
            self._choose_path(str(message.value), keep=False)

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

    def _choose_path(self, path: str, keep: bool) -> None:
        self._wanted = path
        if path == NOTHING:
            self.show_words("")
            self.post_message(self.Chosen(None, keep))
        else:
            self.show_words("reading…")
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
        self.show_words(f"{found.message}; {found.hint}" if found.hint else found.message, problem=True)
