"""All sessions: reopen one, name it, delete it, start a new one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from threading import Event

from rich.cells import cell_len
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.sessions.document import Session
from tinygpt_tui.sessions.encoding import head_of
from tinygpt_tui.sessions.search import Place, pattern_of, place_in, search
from tinygpt_tui.sessions.store import Opened, SessionCard
from tinygpt_tui.ui.generate.session_editor import SessionEditor
from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.branch_words import CURRENT, fitted, local_time
from tinygpt_tui.ui.shared.dialog import Dialog
from tinygpt_tui.ui.shared.naming_line import NamingLine
from tinygpt_tui.ui.shared.wrapping import shown
from tinygpt_tui.ui.shell.key_bar import KeyBar
from tinygpt_tui.words import size

NONE_YET = "No sessions yet. Text from the Generate tab is saved here."
NONE_SO = "No session matches."
UNTITLED = "(empty)"
SHORTEST = 3  # characters, to search texts for


class SessionList(OptionList):
    """A session in two lines: its title and when it changed; its contents."""

    HELP = f"""## Sessions

A session is everything written since it was started, with all branches. It is saved automatically. Enter reopens one;
`{CURRENT}` marks the one that is open. The title is the first words of the first prompt until you give another one
(`r`). Type `/` to search titles, models and all texts; Enter then opens the session at the place that was found.

*missing* marks a model that is no longer on this machine: the text is complete, and another model can continue it. `d`
moves a session to the trash, `z` restores it.
"""
    BINDINGS = [
        bind("enter", "select", "Reopen", "sessions.open", "Continue this session"),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """An empty list has nothing to choose."""
        return bool(self.option_count) if action == "select" else True


class SessionsScreen(Dialog[Opened]):
    """Dismisses with what `SessionEditor.open` takes, and a notice to show; None if nothing changed."""

    CSS_PATH = "sessions.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (90, "-wide")]
    BINDINGS = [
        bind("n", "new", "New", "sessions.new", "Start a new, empty session; this one is saved"),
        bind("r", "rename", "Rename", "sessions.rename", "Give this session a title"),
        bind("d", "delete", "Delete", "sessions.delete", "Move this session to the trash"),
        bind("z", "undo", "Undo", "sessions.undo", "Restore the last one from the trash"),
        bind("slash", "filter", "Filter", "sessions.filter", "Search titles, models and texts"),
    ]

    def __init__(self, editor: SessionEditor, models: Collection[str] = ()) -> None:
        """`models` are the names of all models; if empty, none is marked as missing."""
        super().__init__("sessions")
        self._editor, self._models = editor, models
        self._own = editor.session.id
        self._cards: dict[str, SessionCard] = {}
        self._shown: list[tuple[str, Text]] = []
        self._next: str | None = None  # the session to go to when the list changes
        self._thrown: list[str] = []
        self._loaded_list = False
        self._places: dict[str, Place] = {}  # in the texts, by session, of what is in the filter
        self._searching = Event()  # set: the search ends

    def compose_body(self) -> ComposeResult:
        yield Input(placeholder="search titles and texts  /", compact=True, id="sessions-filter")
        yield SessionList(id="sessions-list")
        yield Static("", id="sessions-none", markup=False)
        yield NamingLine()
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(SessionList).focus()
        self._read()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_rows)

    @property
    def card(self) -> SessionCard | None:
        at = self.query_one(SessionList).highlighted  # not stored: keys may arrive before messages
        return self._cards.get(self._shown[at][0]) if at is not None and at < len(self._shown) else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.is_mounted:
            return True
        if self.query_one(NamingLine).asking:
            return False
        match action:
            case "rename":
                return self.card is not None and not self.card.problem
            case "delete":
                return self.card is not None
            case "undo":
                return bool(self._thrown)
        return True

    # Reading

    @work(thread=True, exclusive=True, group="sessions", exit_on_error=False)
    def _read(self) -> None:
        try:
            cards = self._editor.store.cards()
        except TinyGPTError as error:
            self.app.call_from_thread(self.show_problem, error)
            cards = []
        self.app.call_from_thread(self._set_cards, cards)

    def _set_cards(self, cards: list[SessionCard]) -> None:
        if not self.is_attached:
            return
        known = {card.id: card for card in cards}
        session = self._editor.session
        if session.branches:  # what is on the disk may be some seconds old
            before = known.pop(session.id, None)
            card = SessionCard(session.id, head_of(session), before.size_bytes if before else 0)
            known = {session.id: card, **known}
        self._cards, self._loaded_list = known, True
        self._show_rows()

    def _show_rows(self) -> None:
        if not self._loaded_list:
            return
        words = self.query_one("#sessions-filter", Input).value.lower().split()
        found = [
            card
            for card in self._cards.values()
            if card.id in self._places or all(word in _searched(card) for word in words)
        ]
        listing = self.query_one(SessionList)
        width = max(20, self.box.content_size.width - 2)  # a scroll bar may come
        rows = [(card.id, self._row(card, width)) for card in found]
        at = self._next or (self.card.id if self.card else None)
        place = next((place for place, (id, _) in enumerate(rows) if id == at), 0 if rows else None)
        self._next = None
        with self.prevent(OptionList.OptionHighlighted):
            if rows != self._shown:
                listing.set_options([Option(text, id=id) for id, text in rows])
                self._shown = rows
            listing.highlighted = place
        self.set_class(not rows, "-empty")
        self.query_one("#sessions-none", Static).update(NONE_SO if self._cards else NONE_YET)
        count = len(self._cards)
        shown_of_all = "" if len(rows) == count else f"{len(rows)} of "
        self.set_keys(f"{shown_of_all}{count} session{'' if count == 1 else 's'}")
        self.refresh_bindings()

    def _row(self, card: SessionCard, width: int) -> Text:
        now, head = self._editor.store.clock(), card.head
        side = f"  {local_time(head.changed_at, now)}" if head.changed_at else ""
        mark = f"{CURRENT} " if card.id == self._editor.session.id else "  "
        title = fitted(shown(card.heading or (card.id if card.problem else UNTITLED)), width - 2 - len(side))
        row = Text(no_wrap=True, overflow="ellipsis")
        row.append(mark + title, "bold")
        row.append(" " * max(0, width - 2 - cell_len(title) - len(side)) + side, "dim")
        place = self._places.get(card.id)
        second = f"“{place.excerpt}”" if place else card.problem or _details(card, self._gone)
        row.append("\n  " + fitted(shown(second), width - 2), "" if place else "dim")
        return row

    def _gone(self, name: str) -> bool:
        return bool(self._models) and name not in self._models

    # Keys

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, message: OptionList.OptionHighlighted) -> None:
        message.stop()
        self.refresh_bindings()

    @on(OptionList.OptionSelected)
    def _selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self._open(message.option.id or "")

    @on(Input.Changed, "#sessions-filter")
    def _filter(self, message: Input.Changed) -> None:
        message.stop()
        self._searching.set()
        self._places = {}
        self._show_rows()
        if len(message.value.strip()) >= SHORTEST:
            self._searching = Event()
            self._search(message.value, self._searching)

    @work(thread=True, exclusive=True, group="sessions-search", exit_on_error=False)
    def _search(self, words: str, stopped: Event) -> None:
        session = self._editor.session  # which may be newer than its file
        cards = [card for card in self._cards.values() if card.id != session.id]
        found = [
            *_places_in(session, words, self._cards.get(session.id)),
            *search(self._editor.store, words, cards=cards, stopped=stopped.is_set),
        ]
        if not stopped.is_set():
            self.app.call_from_thread(self._show_places, stopped, found)

    def _show_places(self, stopped: Event, found: list[Place]) -> None:
        if self.is_attached and not stopped.is_set():
            self._places = {place.card.id: place for place in found}
            self._show_rows()

    @on(Input.Submitted, "#sessions-filter")
    def _take_first(self, message: Input.Submitted) -> None:
        message.stop()
        if self.card is not None:
            self._open(self.card.id)

    def key_down(self) -> None:
        """Let Down go from the filter to the list."""
        if self.query_one("#sessions-filter").has_focus:
            self.query_one(SessionList).focus()

    def action_filter(self) -> None:
        self.query_one("#sessions-filter").focus()

    def action_cancel(self) -> None:
        search = self.query_one("#sessions-filter", Input)
        if search.has_focus or search.value:
            search.value = ""
            self.query_one(SessionList).focus()
        else:
            super().action_cancel()

    @property
    def answer_now(self) -> Opened | None:
        """The session that is open, if it was changed for another one."""
        session = self._editor.session
        return Opened(session) if session.id != self._own else None

    def action_new(self) -> None:
        self.dismiss(Opened(self._editor.store.new()))

    def action_rename(self) -> None:
        if self.card is not None:
            self.query_one(NamingLine).ask(self.card.head.title)
            self.refresh_bindings()

    def on_naming_line_named(self, message: NamingLine.Named) -> None:
        self.query_one(SessionList).focus()
        self.refresh_bindings()
        card, title = self.card, message.name
        if card is None or title is None:
            return
        if card.id == self._editor.session.id:
            self._editor.rename(title)
            self._read()
        else:
            self._do(lambda: self._editor.store.rename(card.id, title), "")

    def action_delete(self) -> None:
        card = self.card
        if card is None:
            return
        try:
            work = self._editor.delete_session(card.id)
        except TinyGPTError as error:
            self.show_problem(error)
            return
        order = [id for id, _ in self._shown]
        place = order.index(card.id)
        near = next(iter(order[place + 1 : place + 2] or order[max(0, place - 1) : place]), None)

        def done() -> None:
            self._thrown.append(card.id)
            self._next = near

        self._do(work, f"“{fitted(shown(card.heading or card.id), 40)}” is in the trash · z to undo", done)

    def action_undo(self) -> None:
        id = self._thrown[-1]

        def done() -> None:
            self._thrown.remove(id)
            self._next = id

        self._do(lambda: self._editor.store.restore(id), "restored", done)

    # The disk

    @work(thread=True, group="sessions-disk", exit_on_error=False)
    def _do(self, work: Callable[[], None], note: str, done: Callable[[], None] = lambda: None) -> None:
        try:
            work()
        except TinyGPTError as error:
            self.app.call_from_thread(self.show_problem, error)
        else:
            self.app.call_from_thread(done)
            self.app.call_from_thread(self.show_note, note)
        self.app.call_from_thread(self._read)

    def _open(self, id: str) -> None:
        if id == self._own == self._editor.session.id and id not in self._places:
            self.dismiss(None)
        else:
            self._load(id)

    @work(thread=True, exclusive=True, group="sessions-open", exit_on_error=False)
    def _load(self, id: str) -> None:
        opened = self._editor.load(id)
        gone = [name for name in opened.session.models if self._gone(name)]
        if gone:
            note = f"missing here: {', '.join(gone)}; another model can continue the text"
            opened = opened._replace(notice="\n".join(part for part in (opened.notice, note) if part))
        place = self._places.get(id)
        if place is not None:
            opened = opened._replace(place=(place.branch, place.at))
        self.app.call_from_thread(self._loaded, opened)

    def _loaded(self, opened: Opened) -> None:
        if self.is_current:
            self.dismiss(opened)
        else:
            self._editor.store.release(opened.lock)  # closed meanwhile


def _searched(card: SessionCard) -> str:
    return f"{card.heading} {' '.join(card.head.models)} {card.id}".lower()


def _details(card: SessionCard, gone: Callable[[str], bool]) -> str:
    head = card.head
    models = ", ".join(f"{name} (missing)" if gone(name) else name for name in head.models)
    branches = "1 branch" if head.branches == 1 else f"{head.branches} branches"
    on_disk = size(card.size_bytes) if card.size_bytes else "not saved yet"
    return " · ".join(part for part in (branches, f"{head.characters:,} characters", on_disk, models) if part)


def _places_in(session: Session, words: str, card: SessionCard | None) -> list[Place]:
    pattern = pattern_of(words)
    place = place_in(session, pattern, card) if card is not None and pattern is not None else None
    return [] if place is None else [place]
