"""Where the form's text comes from: the catalogue, a file, or a download that can be cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Checkbox, Input, ProgressBar, Select, Static

from tinygpt_tui.corpora.catalog import CorpusEntry
from tinygpt_tui.corpora.conversations import listed, roles_in
from tinygpt_tui.corpora.corpus import Roles
from tinygpt_tui.corpora.encodings import AUTO, COMMON
from tinygpt_tui.corpora.formats import Choices, LeftOut
from tinygpt_tui.runs.text_facts import CorpusFacts
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.words import size

TURNS = {"auto": "of conversations in records", "play": "and of lines of NAME:", "none": "none: plain text"}
DOCUMENTS = {"auto": "each file and record", "lines": "each line", "none": "none: all is one text"}


class SignedCheckbox(Checkbox):
    """Shows its state by a sign, not by colour alone."""

    BUTTON_INNER = " "

    def watch_value(self) -> None:
        """Show the state that is new."""
        self.BUTTON_INNER = "x" if self.value else " "
        super().watch_value()
        self.refresh()


class TrainCorpusPicker(Vertical):
    """Shows the corpora and what is known of the chosen one; it reads and downloads nothing itself."""

    DEFAULT_CSS = """
    TrainCorpusPicker {
        height: auto;
        & Horizontal { height: 1; }
        & .-title { width: 19; height: 1; }
        & Select { width: 40; }
        & SignedCheckbox > .toggle--button { color: $foreground; }
        & Button { margin: 0 0 0 2; }
        & .-facts { height: auto; padding: 0 0 0 19; }
        & .-encoding, & .-documents, & .-turns, & .-replies, & .-fields, & .-left-out { display: none; }
        &.-unsure .-encoding, &.-own .-documents, &.-own .-turns, &.-records .-fields { display: block; }
        &.-own .-left-out, &.-own.-roles .-replies { display: block; }
        & Input { width: 40; }
        & Checkbox { margin: 0 2 0 0; }
        & ProgressBar { width: 40; & > Bar { width: 1fr; } }
        & .-download { display: none; padding: 0 0 0 19; }
        &.-away .-download { display: block; }
        & .-fetching { display: none; }
        &.-fetching .-fetching { display: block; }
        &.-fetching .-waiting { display: none; }
    }
    """
    HELP = """## Corpus

The text to learn from. *Tales* comes with the program. *Tiny Shakespeare* is downloaded when you ask for it. A *task*
is made here: questions with answers, whose lowest possible loss is known.
Any file, or a folder with all in it, can be chosen by its path or in the tree of folders: texts, web pages, e-books,
records (.jsonl, .json, .csv, .tsv, .parquet) and archives. So can an address, or `hf:OWNER/NAME`: a data set of the
Hugging Face Hub, with `/CONFIG` and `:SPLIT` behind it if it has several. What was understood is below; of records, a
list offers the fields.
*Documents* are the files and records, or the lines: the model learns where each ends. *Leave out* removes e-mail
addresses, secret keys, or documents that were there already; ctrl+y counts them first.
*Turns* of conversations (.jsonl, .json) have a token for each role, and the model learns the replies; so can a play's.
*Replies* are the roles whose turns are learned, with commas between them: `assistant`, of a play all.

UTF-8 is best; other encodings are recognised and converted. If the encoding had to be guessed, a line of the text shows
the result, and a list below offers others.
"""

    class Chosen(Message):
        """A corpus of the list was chosen."""

        entry: CorpusEntry

    class ChoicesChanged(Message):
        """Another encoding, field or kind of documents was chosen for the text."""

        changes: dict[str, Any]

    class FileWanted(Message):
        """The user wants to name a file."""

    class DownloadWanted(Message):
        """The user wants to download the chosen corpus."""

    class CancelWanted(Message):
        """The user wants to stop the download."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: dict[str, CorpusEntry] = {}
        self._chosen = ""
        self._field = ""  # the requested one; empty: the most likely
        self._replies = ""  # the requested ones, as typed

    def compose(self) -> ComposeResult:
        with Horizontal(classes="-line"):
            yield Static("corpus", classes="-title")
            yield Select[str]((), prompt="choose a text", compact=True, id="corpus")
            yield Button("File… alt+o", compact=True, id="corpus-file", tooltip="Choose any text file (alt+o)")
        yield Static("", classes="-facts", id="corpus-facts", markup=False)
        with Horizontal(classes="-line -encoding"):
            yield Static("encoding", classes="-title")
            choices = [(name, name) for name in COMMON]
            yield Select(choices, value=AUTO, allow_blank=False, compact=True, id="corpus-encoding")
        with Horizontal(classes="-line -fields"):
            yield Static("field", classes="-title")
            yield Select[str]((), prompt="the text of a record", compact=True, id="corpus-field")
        with Horizontal(classes="-line -documents"):
            yield Static("documents", classes="-title")
            kinds = [(words, kind) for kind, words in DOCUMENTS.items()]
            yield Select(kinds, value="auto", allow_blank=False, compact=True, id="corpus-documents")
        with Horizontal(classes="-line -turns"):
            yield Static("turns", classes="-title")
            turns = [(words, kind) for kind, words in TURNS.items()]
            yield Select(turns, value="auto", allow_blank=False, compact=True, id="corpus-turns")
        with Horizontal(classes="-line -replies"):
            yield Static("replies", classes="-title")
            yield Input(placeholder="roles whose turns are learned", compact=True, id="corpus-replies")
        with Horizontal(classes="-line -left-out"):
            yield Static("leave out", classes="-title")
            for kind in get_args(LeftOut):
                yield SignedCheckbox(kind, compact=True, id=f"left-out-{kind}")
        with Horizontal(classes="-download"):
            yield Button("Download", compact=True, id="corpus-download", classes="-waiting", variant="primary")
            yield ProgressBar(show_eta=False, classes="-fetching")
            yield Button("Cancel", compact=True, id="corpus-cancel", classes="-fetching")

    @property
    def entry(self) -> CorpusEntry | None:
        value = self.query_one("#corpus", Select).value
        return self._entries.get(str(value))

    def show_entries(self, entries: Sequence[CorpusEntry], chosen: str) -> None:
        """Offer `entries`, with the one named `chosen` selected; nothing is sent."""
        self._entries = {entry.name: entry for entry in entries}
        select = self.query_one("#corpus", Select)
        with self.prevent(Select.Changed):
            select.set_options([(_line(entry), entry.name) for entry in entries])
            if chosen in self._entries:
                self._chosen = select.value = chosen

    def show_choices(self, choices: Choices, *, own: bool) -> None:
        """Show what was requested, of the user's `own` text also its documents; nothing is sent."""
        self.set_class(own, "-own")
        self._field = choices.field
        with self.prevent(Select.Changed):
            known = choices.encoding in COMMON
            self.query_one("#corpus-encoding", Select).value = choices.encoding if known else AUTO
            self.query_one("#corpus-documents", Select).value = choices.documents
            self.query_one("#corpus-turns", Select).value = choices.turns
        with self.prevent(Checkbox.Changed):
            for kind in get_args(LeftOut):
                self.query_one(f"#left-out-{kind}", Checkbox).value = kind in choices.leave_out

    def show_roles(self, roles: Roles) -> None:
        """Show the roles in a text of conversations, and whose turns are learned; none: it is other text."""
        self.set_class(bool(roles.roles), "-roles")
        box = self.query_one("#corpus-replies", Input)
        box.value = self._replies = ", ".join(roles.replies)
        box.tooltip = f"of {listed(roles.roles)}" if roles.roles else None

    def show_reading(self, share: float = 0.0) -> None:
        """Show that the text is being read, and how much of it is done."""
        self._show_state(f"reading… {share:.0%}; esc cancels" if share else "reading…")

    def show_facts(self, facts: CorpusFacts) -> None:
        """Show what was read."""
        self.set_class(len(facts.fields) > 1, "-records")
        self.show_roles(facts.roles or Roles())
        with self.prevent(Select.Changed):
            select = self.query_one("#corpus-field", Select)
            automatic = [(f"automatic: {facts.field}" if not self._field else "automatic", "")]
            select.set_options([*automatic, *((name, name) for name in facts.fields)])
            select.value = self._field if self._field in facts.fields else ""
        known = facts.reference
        parts = [f"{known.characters:,} characters, {facts.vocab_size} different"]
        if known.entropy is not None:
            parts.append(f"floor {known.entropy:.3f} nats")
        self._show_state("; ".join([*parts, *facts.notes]), unsure=facts.guessed or facts.reference.encoding != AUTO)

    def show_problem(self, problem: str, *, unsure: bool = False) -> None:
        """Show why the text is unusable; if `unsure`, another encoding may help."""
        self.set_class("--replies" in problem, "-roles")  # the hint names a role
        self._show_state(f"✗ {problem}", invalid=True, unsure=unsure)

    def show_away(self, entry: CorpusEntry, message: str = "") -> None:
        """Show that the text must be downloaded first, and the result of the last attempt."""
        self.show_roles(Roles())
        row = entry.row
        said = f"{message} " if message else ""
        what = row.url if entry.own else f"{size(row.bytes)}, {row.licence}"
        self._show_state(f"{said}not on this machine yet: {what}", away=True)

    def show_progress(self, done: int, total: int) -> None:
        self.add_class("-fetching")
        self.query_one(ProgressBar).update(total=total or None, progress=done)

    def _show_state(self, text: str, *, away: bool = False, invalid: bool = False, unsure: bool = False) -> None:
        self.set_class(unsure, "-unsure")
        self.set_class(away, "-away")
        self.set_class(invalid, "-invalid")
        self.remove_class("-fetching")
        self.query_one(".-facts", Static).update(text)

    def on_select_changed(self, message: Select.Changed) -> None:
        message.stop()
        name = str(message.select.id).removeprefix("corpus-")
        if name in ("encoding", "field", "documents", "turns"):
            if message.value != Select.BLANK:
                self.post_message(self.ChoicesChanged({name: str(message.value)}))
        elif self.entry is not None:
            self._chosen = self.entry.name
            self.post_message(self.Chosen(self.entry))
        elif self._chosen in self._entries:  # the empty line of the list chooses nothing: the text stays
            with self.prevent(Select.Changed):
                self.query_one("#corpus", Select).value = self._chosen

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self._choose_replies(message.value)

    def on_input_blurred(self, message: Input.Blurred) -> None:
        message.stop()
        self._choose_replies(message.value)

    def _choose_replies(self, typed: str) -> None:
        if typed != self._replies:
            self._replies = typed
            self.post_message(self.ChoicesChanged({"replies": roles_in(typed)}))

    def on_checkbox_changed(self, message: Checkbox.Changed) -> None:
        message.stop()
        chosen = tuple(kind for kind in get_args(LeftOut) if self.query_one(f"#left-out-{kind}", Checkbox).value)
        self.post_message(self.ChoicesChanged({"leave_out": chosen}))

    def on_button_pressed(self, message: Button.Pressed) -> None:
        message.stop()
        wanted = {
            "corpus-file": self.FileWanted,
            "corpus-download": self.DownloadWanted,
            "corpus-cancel": self.CancelWanted,
        }
        self.post_message(wanted[str(message.button.id)]())


def _line(entry: CorpusEntry) -> str:
    if entry.is_task:
        return f"{entry.row.title} (task)"
    return entry.row.title if entry.here else f"{entry.row.title} (to download)"
