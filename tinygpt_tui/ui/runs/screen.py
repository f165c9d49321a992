"""The Runs tab: all trainings there are, live and past; what to do with one, and how two differ."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import DataTable, Input, Static

from tinygpt_tui.checkpoints.card import WEIGHTS
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.runs import manage
from tinygpt_tui.runs.facts import FactsReader, RunFacts, bytes_of, settings_of
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.ui.runs.table import COLUMNS, NARROW, columns_for, in_order, title_of
from tinygpt_tui.ui.shared.naming_line import NamingLine
from tinygpt_tui.ui.shared.row_table import RowTable
from tinygpt_tui.ui.shell.tab_screen import TabScreen
from tinygpt_tui.words import size

LOOK_EVERY_S = 1.0
NONE_YET = "There are no trainings yet: begin one in the Train tab (F3)."
NONE_SO = "No run is like the filter. Esc shows all."
MARK = "●"
WORTH_SAYING = 1_000_000  # bytes that a run takes


class RunsTable(RowTable[Text]):
    """A run a line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "Open", id="runs.train", tooltip="Its curves, samples and log, in Train"),
    ]
    HELP = """## Runs

Every training there is, live ones first. The digits sort by a column, the same digit again turns the order round; a
click on a column's title does the same. `/` filters. Rows of live runs move by themselves.

Enter shows a run's curves, samples and log in the Train tab; `t` talks to its model; `h` is its time machine. Space
marks a run ●, and `c` shows in which settings the marked one differs from this one. Notes stay with the run. A run
that was deleted lies in the trash, the last ten of them, and `u` takes it back. `e` makes a page about the run to
share: Markdown, or a picture where the name ends in `.svg`.
"""


CARD_KINDS = {
    ".md": "Markdown: settings, losses and samples on a page; .svg: a picture of it",
    ".svg": "SVG: a picture of the run, to share; .md: a page in Markdown",
}
CARD_OTHERS = "end the name in .svg for a picture"


class RunsScreen(TabScreen):
    """Knows which runs there are, which is looked at and which is marked."""

    CSS_PATH = "screen.tcss"
    TAB = "runs"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high"), (32, "-tall")]  # noqa: RUF012 (declared so by Textual)
    AUTO_FOCUS = "RunsTable"
    HELP = RunsTable.HELP
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "talk", "Talk", id="runs.talk", tooltip="Open this model in Generate"),
        Binding("h", "time_machine", "History", id="runs.history", tooltip="The time machine: what it wrote then"),
        Binding("space", "mark", "Mark", id="runs.mark", show=False, tooltip="Mark this run, to compare it"),
        Binding("c", "compare", "Compare", id="runs.compare", tooltip="How the marked run differs from this"),
        Binding("n", "notes", "Notes", id="runs.notes", tooltip="Write something about this run"),
        Binding("r", "rename", "Rename", id="runs.rename", tooltip="Give this model and its run another name"),
        Binding("d", "delete", "Delete", id="runs.delete", tooltip="Move this model and its run to the trash"),
        Binding("u", "undo", "Undo", id="runs.undo", tooltip="Take the last one back out of the trash"),
        Binding("u", "undo_nothing", "Undo", id="runs.undo", show=False, tooltip="Take the last deleted run back"),
        Binding("e", "card", "Card", id="runs.card", tooltip="A page about this run, to share: Markdown or SVG"),
        *(
            Binding(str(number), f"sort('{name}')", f"By {column.title}", id=f"runs.sort-{name}", show=False,
                    tooltip=f"Sort by {column.title}; again: the other way round")
            for number, (name, column) in enumerate(COLUMNS.items(), start=1)
        ),
        Binding("slash", "filter", "Filter", id="runs.filter", show=False, tooltip="Type to filter the runs"),
        Binding("escape", "end_filter", "All runs", id="runs.end_filter", show=False, tooltip="Show all runs again"),
        Binding("escape", "unmark", "Unmark", id="runs.unmark", show=False, tooltip="Mark no run"),
    ]  # fmt: skip

    class LookAt(Message):
        """The user wants to see this run in the Train tab."""

        def __init__(self, model_path: str) -> None:
            super().__init__()
            self.model_path = model_path

    class TalkTo(Message):
        """The user wants to generate with this model."""

        def __init__(self, model_path: str) -> None:
            super().__init__()
            self.model_path = model_path

    def __init__(self) -> None:
        super().__init__()
        self._reader = FactsReader()
        self._facts: list[RunFacts] = []
        self._shown: list[RunFacts] = []
        self._columns: list[str] = []
        self._by: str | None = None
        self._turned = False
        self._marked: str | None = None
        self._next: str | None = None  # the run to go to when the table changes
        self._thrown: list[manage.TrashedModel] = []
        self._looked = False

    def compose_body(self) -> ComposeResult:
        """Yield the table, what there is to say of one run, and a line for notes and names."""
        yield Input(placeholder="filter by name, text, preset or notes", compact=True, id="runs-filter")
        yield RunsTable(cursor_type="row", zebra_stripes=True)
        yield Static("", id="runs-none", markup=False)
        yield Static("", id="runs-about", markup=False)
        yield NamingLine()

    def on_mount(self) -> None:
        """Look what there is, now and then."""
        self._keep_looking()

    def on_screen_resume(self) -> None:
        """Look at once when the tab comes back."""
        if self._looked:
            self._look()

    def on_resize(self, event: events.Resize) -> None:
        """Show as many columns as there is room for."""
        self.call_after_refresh(self._show)

    @property
    def table(self) -> RunsTable:
        """The table."""
        return self.query_one(RunsTable)

    @property
    def facts(self) -> RunFacts | None:
        """The run under the cursor."""
        at = self.table.cursor_row
        return self._shown[at] if 0 <= at < len(self._shown) else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show only the keys that do something now."""
        if not self.is_mounted:
            return True
        if self.query_one(NamingLine).asking:
            return action not in OWN_ACTIONS
        if self._filter_box.has_focus:  # a letter is a letter there
            return action == "end_filter" or action not in OWN_ACTIONS
        facts = self.facts
        own = facts is not None and manage.is_own(Path(facts.card.path))
        match action:
            case "time_machine" | "mark" | "card":
                return facts is not None
            case "notes":
                return own
            case "rename" | "delete":
                return own and facts is not None and not facts.card.live
            case "talk":
                return facts is not None and (Path(facts.card.path) / WEIGHTS).is_file()
            case "compare":
                return facts is not None and len(self._shown) > 1
            case "undo":
                return bool(self._thrown)
            case "undo_nothing":
                return not self._thrown
            case "end_filter":
                return bool(self._filter_box.display)
            case "unmark":
                return self._marked is not None
        return True

    # Filtering

    @property
    def _filter_box(self) -> Input:
        return self.query_one("#runs-filter", Input)

    def action_filter(self) -> None:
        """Show the filter and go there."""
        self._filter_box.display = True
        self._filter_box.focus()

    def action_end_filter(self) -> None:
        """Show all runs again."""
        self._filter_box.value = ""
        self._filter_box.display = False
        self.table.focus()
        self._show()

    @on(Input.Changed, "#runs-filter")
    def _filtered(self, message: Input.Changed) -> None:
        message.stop()
        self._show()

    @on(Input.Submitted, "#runs-filter")
    def _leave_filter(self, message: Input.Submitted) -> None:
        message.stop()
        if self._shown:
            self.table.focus()

    # Looking

    @work(exit_on_error=False)
    async def _keep_looking(self) -> None:
        while self.is_attached:
            if self.is_current:
                self._take(await asyncio.to_thread(self._reader.read))
            await asyncio.sleep(LOOK_EVERY_S)

    @work(exclusive=True, group="look", exit_on_error=False)
    async def _look(self) -> None:
        self._take(await asyncio.to_thread(self._reader.read))

    def _take(self, facts: list[RunFacts]) -> None:
        if not self.query(RunsTable):
            return  # while the app closes, a screen is still there when its widgets are gone
        if facts != self._facts or not self._looked:
            self._facts, self._looked = facts, True
            self._show()

    def _show(self) -> None:
        if not self._looked or not self.query(RunsTable):
            return
        table, narrow = self.table, self.app.size.width < NARROW
        here = self._next or (self.facts.card.path if self.facts else None)
        self._next = None
        words = self._filter_box.value.lower().split()
        self._shown = [
            facts
            for facts in in_order(self._facts, self._by, self._turned)
            if all(word in _searched(facts) for word in words)
        ]
        self._columns = columns_for(self.app.size.width)
        place = next((at for at, facts in enumerate(self._shown) if facts.card.path == here), 0)
        with self.prevent(DataTable.RowHighlighted):
            top = table.scroll_y
            table.clear(columns=True)
            rows = [self._cells(facts, narrow) for facts in self._shown]
            for number, name in enumerate(COLUMNS, start=1):
                if name in self._columns:
                    title = title_of(name, self._by, self._turned, number)
                    at = self._columns.index(name)
                    # Told its width, a table drawn before it has measured its rows draws them no narrower.
                    width = max(cell_len(text) for text in (title, *(row[at].plain for row in rows)))
                    table.add_column(title, width=width, key=name)
            for facts, row in zip(self._shown, rows, strict=True):
                table.add_row(*row, key=facts.card.path)
            if self._shown:
                table.move_cursor(row=place, animate=False)
                table.scroll_to(y=top, animate=False)
        table.display = bool(self._shown)
        none = self.query_one("#runs-none", Static)
        none.display = not self._shown
        none.update(NONE_SO if words else NONE_YET)
        self._tell()

    def _cells(self, facts: RunFacts, narrow: bool) -> list[Text]:
        cells = []
        for name in self._columns:
            column = COLUMNS[name]
            text = column.text(facts, narrow)
            if name == "name":
                text = f"{MARK if facts.card.path == self._marked else ' '} {text}"
            style = "bold" if facts.card.live else ""
            cells.append(Text(text, style, justify="right" if column.right else "left", no_wrap=True))
        return cells

    def _tell(self) -> None:
        """Say about the run under the cursor what has no column."""
        about, facts = self.query_one("#runs-about", Static), self.facts
        if facts is None:
            about.update("")
        else:
            about.update(_about(facts))
        self.refresh_bindings()

    @on(DataTable.RowHighlighted)
    def _highlighted(self, message: DataTable.RowHighlighted) -> None:
        message.stop()
        self._tell()

    @on(DataTable.RowSelected)
    def _selected(self, message: DataTable.RowSelected) -> None:
        message.stop()
        self.action_look_at()

    @on(DataTable.HeaderSelected)
    def _sort_by_title(self, message: DataTable.HeaderSelected) -> None:
        message.stop()
        self.action_sort(str(message.column_key.value))

    def action_sort(self, name: str) -> None:
        """Sort by a column; by the same one again the other way round."""
        self._turned = not self._turned if name == self._by else False
        self._by = name
        self._show()

    # Going elsewhere

    def action_look_at(self) -> None:
        """Show the run in the Train tab."""
        if self.facts is not None:
            self.post_message(self.LookAt(self.facts.card.path))

    def action_talk(self) -> None:
        """Go to Generate with this model."""
        if self.facts is not None:
            self.post_message(self.TalkTo(self.facts.card.path))

    def action_time_machine(self) -> None:
        """Walk along the run."""
        from tinygpt_tui.ui.jobs.training_session import TrainingSession
        from tinygpt_tui.ui.timeline.screen import TimeMachineScreen

        if self.facts is None:
            return
        try:
            session = TrainingSession.open(Path(self.facts.card.path))
        except TinyGPTError as error:
            self._complain(error)
            return
        self.app.push_screen(TimeMachineScreen(session, self.TAB))

    # Comparing

    def action_mark(self) -> None:
        """Mark the run, or take the mark away."""
        if self.facts is not None:
            path = self.facts.card.path
            self._marked = None if path == self._marked else path
            self._show()

    def action_unmark(self) -> None:
        """Mark none."""
        self._marked = None
        self._show()

    def action_compare(self) -> None:
        """Show how the marked run and this one differ."""
        from tinygpt_tui.ui.runs.differences import RunDifferencesScreen

        facts = self.facts
        marked = next((one for one in self._shown if one.card.path == self._marked), None)
        if facts is None:
            return
        if marked is None or marked.card.path == facts.card.path:
            self._say("mark one run with space, go to another, and press c")
            return
        first, second = settings_of(marked.card), settings_of(facts.card)
        if first is None or second is None:
            self._say("the settings of one of them cannot be read", warning=True)
            return
        self._say("")
        self.app.push_screen(RunDifferencesScreen((marked, first), (facts, second)))

    # Keeping

    def action_notes(self) -> None:
        """Let something be written about the run."""
        from tinygpt_tui.ui.runs.notes import RunNotesScreen

        if self.facts is None:
            return
        run = RunFolder(Path(self.facts.card.path))

        def keep(notes: str | None) -> None:
            if notes is not None:
                self._do(lambda: manage.write_notes(run, notes), "kept")

        self.app.push_screen(RunNotesScreen(self.facts.card.name, self.facts.notes), keep)

    def action_rename(self) -> None:
        """Let the run be named."""
        if self.facts is not None:
            self.query_one(NamingLine).ask(self.facts.card.name)
            self.refresh_bindings()

    def on_naming_line_named(self, message: NamingLine.Named) -> None:
        """Give the run its name."""
        self.table.focus()
        self.refresh_bindings()
        facts, name = self.facts, (message.name or "").strip()
        if facts is None or not name or name == facts.card.name:
            return
        model = Path(facts.card.path)

        def done() -> None:
            self._next = str(model.with_name(name))
            if self._marked == str(model):
                self._marked = self._next

        self._do(lambda: manage.rename(model, name), f"{facts.card.name} is called {name} now", done)

    def action_delete(self) -> None:
        """Move the run and its model to the trash."""
        facts = self.facts
        if facts is None:
            return
        model, thrown = Path(facts.card.path), list[manage.TrashedModel]()
        at = self._shown.index(facts)
        near = self._shown[at + 1 : at + 2] or self._shown[max(0, at - 1) : at]

        def done() -> None:
            self._thrown += thrown
            self._next = near[0].card.path if near else None

        self._do(
            lambda: thrown.append(manage.move_to_trash(model)), f"{model.name} is in the trash · u takes it back", done
        )

    def action_undo(self) -> None:
        """Take the one that was deleted last back."""
        thrown = self._thrown[-1]

        def done() -> None:
            self._thrown.remove(thrown)
            self._next = str(thrown.model)

        self._do(lambda: manage.restore(thrown), f"{thrown.model.name} is back", done)

    def action_undo_nothing(self) -> None:
        """Say that there is nothing to take back."""
        self._say("nothing was deleted here since the app started")

    def action_card(self) -> None:
        """Make a page about the run."""
        if self.facts is not None:
            self._make_card(RunFolder(Path(self.facts.card.path)))

    @work(thread=True, exclusive=True, group="card", exit_on_error=False)
    def _make_card(self, run: RunFolder) -> None:
        from tinygpt_tui.runs.report import RunReport

        try:
            report = RunReport(run)
            pages = {".md": report.as_markdown().encode(), ".svg": report.as_svg().encode()}
        except TinyGPTError as error:
            self.app.call_from_thread(self._complain, error)
            return
        self.app.call_from_thread(self._save_card, run.model.name, pages)

    def _save_card(self, name: str, pages: dict[str, bytes]) -> None:
        from tinygpt_tui.ui.shared.save_dialog import SaveScreen

        def saved(path: Path | None) -> None:
            if path is not None:
                self._say(f"the card of {name} is in {path}")

        exports: dict[str, Callable[[], bytes]] = {
            suffix: lambda content=content: content for suffix, content in pages.items()  # type: ignore[misc]
        }  # fmt: skip
        dialog = SaveScreen(
            f"{name}-run.md", pages[".md"].decode(), exports, CARD_KINDS, "save the card of this run", CARD_OTHERS
        )
        self.app.push_screen(dialog, saved)

    @work(thread=True, group="disk", exit_on_error=False)
    def _do(self, work: Callable[[], object], note: str, done: Callable[[], None] = lambda: None) -> None:
        try:
            work()
        except TinyGPTError as error:
            self.app.call_from_thread(self._complain, error)
        else:
            self.app.call_from_thread(done)
            self.app.call_from_thread(self._say, note)
        self.app.call_from_thread(self._look)

    def _complain(self, error: TinyGPTError) -> None:
        self._say(f"{error.message}\n{error.hint}".strip(), warning=True)

    def _say(self, note: str, warning: bool = False) -> None:
        if self.is_attached:
            self.query_one(NamingLine).say(note, warning)


OWN_ACTIONS = {binding.action for binding in RunsScreen.BINDINGS if isinstance(binding, Binding)}


def _searched(facts: RunFacts) -> str:
    card = facts.card
    return f"{card.name} {card.state} {card.corpus} {card.preset} {facts.notes}".lower()


def _about(facts: RunFacts) -> str:
    """Return two lines: where the run is and what it keeps; what went wrong or what somebody wrote about it."""
    card, reached = facts.card, facts.reached
    best = f"best at step {reached.best_step:,}" if reached.best_loss is not None else "not measured yet"
    best += f" (on {reached.best_tokens:,} tokens)" if reached.best_tokens else ""
    kept = f"{facts.moments} checkpoints along the way" if facts.moments else "no checkpoints along the way"
    where = "came with the program" if card.origin == "shipped" else f"in {card.path}"
    notes = " ".join(facts.notes.split())
    taken = bytes_of(Path(card.path))
    if taken >= WORTH_SAYING:
        kept += f" · {size(taken)} on the disk"
    return f"{card.name}: {best} · {kept}\n{card.message or notes or where}"
