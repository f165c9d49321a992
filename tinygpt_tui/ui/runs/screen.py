"""The Runs tab: all runs, live and past; what to do with one, and how two differ."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import DataTable, Input, Static

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.runs.facts import FactsReader, RunFacts, settings_of
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.ui.runs.card import card_dialog, read_card
from tinygpt_tui.ui.runs.files_line import RunFilesLine
from tinygpt_tui.ui.runs.preview import RunPreview
from tinygpt_tui.ui.runs.rows import RunRows
from tinygpt_tui.ui.runs.run_actions import ACTIONS, possible
from tinygpt_tui.ui.runs.runs_table import RunsTable
from tinygpt_tui.ui.runs.table import COLUMNS, about
from tinygpt_tui.ui.shared.binding import bind, bind_hidden
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shell.tab_screen import TabScreen

READ_EVERY_S = 1.0
NO_RUNS = "No runs yet: start one in the Train tab (F3)."
NO_MATCH = "No run matches the filter. Esc shows all."


class RunsScreen(TabScreen):
    """Reads the runs, shows them, and does what the user wants with the selected one."""

    CSS_PATH = "screen.tcss"
    TAB = "runs"
    READS = True
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high"), (32, "-tall")]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
    AUTO_FOCUS = "RunsTable"
    HELP = RunsTable.HELP
    BINDINGS = [
        bind("g", "talk", "Generate", "runs.talk", "Open this model in Generate"),
        bind("h", "time_machine", "History", "runs.history", "Time machine: its text at each step"),
        bind_hidden("space", "mark", "Mark", "runs.mark", "Mark this run, to compare it"),
        bind("c", "compare", "Compare", "runs.compare", "How the marked run differs from this one"),
        bind("N", "notes", "Notes", "runs.notes", "Write notes on this run"),
        bind("r", "rename", "Rename", "runs.rename", "Rename this model and its run"),
        bind("d", "delete", "Delete", "runs.delete", "Move this model and its run to the trash"),
        bind("z", "undo", "Undo", "runs.undo", "Restore the last deleted run"),
        bind_hidden("z", "undo_nothing", "Undo", "runs.undo", "Restore the last deleted run"),
        bind("e", "card", "Export", "runs.card", "A page about this run, to share: Markdown or SVG"),
        *(
            bind_hidden(
                str(number),
                f"sort('{name}')",
                f"By {column.title}",
                f"runs.sort-{name}",
                f"Sort by {column.title}; press again to reverse",
            )
            for number, (name, column) in enumerate(COLUMNS.items(), start=1)
        ),
        bind_hidden("slash", "filter", "Filter", "runs.filter", "Type to filter the runs"),
        bind_hidden("escape", "end_filter", "All runs", "runs.end_filter", "Show all runs again"),
        bind_hidden("escape", "unmark", "Unmark", "runs.unmark", "Unmark the run"),
    ]  # fmt: skip
    table = getters.query_one(RunsTable)
    _line = getters.query_one(RunFilesLine)
    _filter_box = getters.query_one("#runs-filter", Input)

    class OpenRequested(Message):
        """The user wants to see this run in the Train tab."""

        model_path: str

    def __init__(self) -> None:
        super().__init__()
        self._reader = FactsReader()
        self._rows = RunRows()
        self._next: str | None = None  # the run to select when the table changes

    def compose_body(self) -> ComposeResult:
        yield Input(placeholder="filter by name, text, preset or notes", compact=True, id="runs-filter")
        yield RunsTable()
        yield Static("", id="runs-none", markup=False)
        yield RunPreview()
        yield Static("", id="runs-about", markup=False)
        yield RunFilesLine()

    def on_mount(self) -> None:
        self._keep_reading()

    def on_screen_resume(self) -> None:
        if self._rows.are_known:
            self._read()

    @property
    def facts(self) -> RunFacts | None:
        return self.table.selected

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.is_mounted:
            return True
        if self._line.asking:
            return action not in OWN_ACTIONS
        if self._filter_box.has_focus:  # a letter is a letter there
            return action == "end_filter" or action not in OWN_ACTIONS
        if action in ACTIONS:
            return action in possible(self.facts, len(self._rows.shown))
        match action:
            case "undo":
                return self._line.can_undo
            case "undo_nothing":
                return not self._line.can_undo
            case "end_filter":
                return bool(self._filter_box.display)
            case "unmark":
                return self._rows.marked is not None
        return True

    # Reading and showing

    @work(exit_on_error=False)
    async def _keep_reading(self) -> None:
        while self.is_attached:
            if self.is_current:
                self._update(await asyncio.to_thread(self._reader.read))
            await asyncio.sleep(READ_EVERY_S)

    @work(exclusive=True, group="read", exit_on_error=False)
    async def _read(self) -> None:
        self._update(await asyncio.to_thread(self._reader.read))

    def _update(self, facts: list[RunFacts]) -> None:
        # While the app closes, a screen is still there when its widgets are gone.
        if self.query(RunsTable) and self._rows.update(facts):
            self.update_table()
        self.known.set()

    def update_table(self) -> None:
        """Show the rows as they are now."""
        if not self._rows.are_known or not self.query(RunsTable):
            return
        self.table.show_rows(self._rows, self._next)
        self._next = None
        none = self.query_one("#runs-none", Static)
        none.display = not self._rows.shown
        none.update(NO_MATCH if self._rows.is_filtered else NO_RUNS)
        self._show_selected()

    def _show_selected(self) -> None:
        """Show what the table has no column for."""
        words = about(self.facts, explain_mark=self.table.has_marks) if self.facts else ""
        self.query_one("#runs-about", Static).update(words)
        self.query_one(RunPreview).show_run(self.facts)
        self.refresh_bindings()

    @on(DataTable.RowHighlighted)
    def _highlighted(self, message: DataTable.RowHighlighted) -> None:
        message.stop()
        self.table.mark_other_texts()
        self._show_selected()

    @on(DataTable.RowSelected)
    def _selected(self, message: DataTable.RowSelected) -> None:
        message.stop()
        if self.facts is not None:
            self.post_message(self.OpenRequested(self.facts.card.path))

    def action_sort(self, name: str) -> None:
        """Sort by a column; by the same one again in reverse."""
        self._rows.sort_by(name)
        self.update_table()

    # Filtering

    def action_filter(self) -> None:
        self._filter_box.display = True
        self._filter_box.focus()

    def action_end_filter(self) -> None:
        self._filter_box.value = ""
        self._filter_box.display = False
        self.table.focus()
        self._rows.filter_by("")
        self.update_table()

    @on(Input.Changed, "#runs-filter")
    def _filtered(self, message: Input.Changed) -> None:
        message.stop()
        self._rows.filter_by(message.value)
        self.update_table()

    @on(Input.Submitted, "#runs-filter")
    def _leave_filter(self, message: Input.Submitted) -> None:
        message.stop()
        if self._rows.shown:
            self.table.focus()

    # Going elsewhere

    def action_talk(self) -> None:
        if self.facts is not None:
            self.post_message(self.TalkTo(self.facts.card.path))

    def action_time_machine(self) -> None:
        from tinygpt_tui.ui.timeline.screen import TimeMachineScreen

        if self.facts is None:
            return
        try:
            screen = TimeMachineScreen.of_model(Path(self.facts.card.path), self.TAB)
        except TinyGPTError as error:
            self._line.warn(error)
        else:
            self.app.push_screen(screen)

    # Comparing

    def action_mark(self) -> None:
        if self.facts is not None:
            self._rows.toggle_mark(self.facts.card.path)
            self.update_table()

    def action_unmark(self) -> None:
        self._rows.marked = None
        self.update_table()

    def action_compare(self) -> None:
        from tinygpt_tui.ui.runs.differences import RunDifferencesScreen

        facts, marked = self.facts, self._rows.find(self._rows.marked)
        if facts is None:
            return
        if marked is None or marked.card.path == facts.card.path:
            self._line.report("mark a run with space, select another one, then press c")
            return
        first, second = settings_of(marked.card), settings_of(facts.card)
        if first is None or second is None:
            self._line.report("the settings of one of the runs cannot be read")
            return
        self._line.report("")
        self.app.push_screen(RunDifferencesScreen((marked, first), (facts, second)))

    # Notes, names, trash

    def action_notes(self) -> None:
        from tinygpt_tui.ui.runs.notes import RunNotesScreen

        if self.facts is None:
            return
        model = Path(self.facts.card.path)

        def save(notes: str | None) -> None:
            if notes is not None:
                self._line.save_notes(model, notes)

        self.app.push_screen(RunNotesScreen(self.facts.card.name, self.facts.notes), save)

    def action_rename(self) -> None:
        if self.facts is not None:
            self._line.rename(Path(self.facts.card.path))
            self.refresh_bindings()

    @on(RunFilesLine.AskingEnded)
    def _asking_ended(self, message: RunFilesLine.AskingEnded) -> None:
        message.stop()
        self.table.focus()
        self.refresh_bindings()

    def action_delete(self) -> None:
        if self.facts is not None:
            self._line.delete(Path(self.facts.card.path))

    def action_undo(self) -> None:
        self._line.undo()

    action_undo_nothing = action_undo  # a key that reports so, and is not shown

    @on(RunFilesLine.Changed)
    def _files_changed(self, message: RunFilesLine.Changed) -> None:
        message.stop()
        deleted = self._rows.find(message.old)
        self._next = message.new or (self._rows.neighbour(deleted) if deleted else None)
        if message.old and self._rows.marked == message.old:
            self._rows.marked = message.new or None
        self._read()

    def action_card(self) -> None:
        if self.facts is not None:
            self._make_card(RunFolder(Path(self.facts.card.path)))

    @work(thread=True, exclusive=True, group="card", exit_on_error=False)
    def _make_card(self, run: RunFolder) -> None:
        try:
            dialog = card_dialog(run.model.name, read_card(run))
        except TinyGPTError as error:
            self.app.call_from_thread(self._line.warn, error)
        else:
            self.app.call_from_thread(self.app.push_screen, dialog)


OWN_ACTIONS = {binding.action for binding in RunsScreen.BINDINGS if isinstance(binding, Binding)}
