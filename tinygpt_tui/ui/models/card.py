"""The model card: all facts with their sources; rename, copy, delete, compare, export."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar, cast

from rich.console import RenderableType
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.widgets import Static

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import ModelOpened
from tinygpt_tui.insight.model_facts import ModelFacts, Row, Section, model_facts
from tinygpt_tui.runs.aspects import Comparison
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.index import check_name, free_name
from tinygpt_tui.runs.manage import TrashedModel, duplicate, is_own, move_to_trash, rename, restore
from tinygpt_tui.ui.jobs.news import EngineNews
from tinygpt_tui.ui.models.parts_tree import PartsTree
from tinygpt_tui.ui.shared.binding import bind, bind_hidden
from tinygpt_tui.ui.shared.dialog import Dialog
from tinygpt_tui.ui.shared.loss_chart import TrainChart
from tinygpt_tui.ui.shared.naming_line import NamingLine
from tinygpt_tui.ui.shell.key_bar import KeyBar
from tinygpt_tui.ui.shell.tab_screen import Workbench
from tinygpt_tui.words import size

Changed = TypeVar("Changed")

MOST_FILES = 12  # shown of a folder that cannot be opened
NAME_HELP = "The model's name, which is also its folder's. Enter saves it, Esc changes nothing."


class ModelDetails(VerticalScroll):
    """The facts, section by section."""

    HELP = """## Card

Details of the model, and the file that each fact is from. The loss is that of the saved weights on the full validation
split; the curve shows the whole run.

r renames the model, C copies it, d moves it to the trash and z restores it until the program ends; after that it is in
the system trash. c compares its weights with another model's, e exports it to another program's format. S shows how
sure it is against how often it is right. C copies another program's model into your models.
"""


class CardScreen(Dialog[str]):
    """Dismisses with the path of the model to use now if it changed; else with None."""

    CSS_PATH = "card.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    BINDINGS = [
        bind("r", "rename", "Rename", "card.rename", "Rename the model"),
        bind("C", "duplicate", "Copy", "card.duplicate", "Copy the model under another name"),
        bind("d", "delete", "Delete", "card.delete", "Move the model to the trash"),
        bind("z", "undo", "Undo", "card.undo", "Restore it from the trash"),
        bind("c", "compare", "Compare", "card.compare", "Compare the weights with another model's"),
        bind("C", "adopt", "Copy", "card.keep", "Copy another program's model into your models"),
        bind("e", "export", "Export", "card.export", "Export it to another program's format"),
        bind_hidden("S", "reliability", "How sure", "card.reliability", "How sure the model is, and how often right"),
        bind_hidden("tab", "app.focus_next", "Other pane", "card.pane", "Facts or parameters"),
    ]

    def __init__(self, card: ModelCard, cards: list[ModelCard], *, export: bool = False) -> None:
        """`cards` are all models, to compare with; `export` opens the export as soon as the files are read."""
        super().__init__(card.name)
        self.card, self._cards = card, cards
        self._path = Path(card.path)
        self._answer: str | None = None
        self._naming = ""
        self._export = export
        self._thrown: TrashedModel | None = None
        self.facts: ModelFacts | None = None

    def compose_body(self) -> ComposeResult:
        with Container(id="card-panes"):
            with ModelDetails(id="card-facts"):
                yield TrainChart(RunHistory())
                yield Static(id="card-text", markup=False)
            yield PartsTree(id="card-parts")
        yield NamingLine("Enter saves it", NAME_HELP)
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(TrainChart).can_focus = False
        self.query_one(ModelDetails).focus()
        cast(Workbench, self.app).show_lesson(self)  # its answer may be here
        cast(Workbench, self.app).news.listen(self)
        self._read()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.is_mounted:
            return True
        if self.query_one(NamingLine).asking:
            return False
        match action:
            case "undo":
                return self._thrown is not None
            case "rename":
                return self._thrown is None and is_own(self._path) and self._path.is_dir()
            case "delete":
                return self._thrown is None and is_own(self._path)
            case "duplicate":
                return self._thrown is None and self.facts is not None and not self._foreign
            case "adopt":
                return self._thrown is None and self._foreign
            case "compare" | "export" | "reliability":
                return self._thrown is None and self.facts is not None and bool(self.facts.parts.count)
        return True

    @property
    def _foreign(self) -> bool:
        return self.facts is not None and self.facts.foreign

    def on_engine_news(self, message: EngineNews) -> None:
        """Read again what was measured of another program's model when the engine has opened it."""
        if any(isinstance(event, ModelOpened) and event.model == str(self._path) for event in message.events):
            self._read()

    def on_unmount(self) -> None:
        cast(Workbench, self.app).news.leave(self)

    # Reading

    @work(thread=True, exclusive=True, group="card", exit_on_error=False)
    def _read(self) -> None:
        try:
            facts = model_facts(self._path)
        except TinyGPTError as error:
            self.app.call_from_thread(self._show_broken, error)
        else:
            self.app.call_from_thread(self._show_facts, facts)

    def _show_broken(self, error: TinyGPTError) -> None:
        """Show why it cannot be opened, and what to do."""
        if not self.is_attached:
            return
        self.facts, self._answer = None, None
        rows = [Row("found", error.message), Row("what to do", error.hint)]
        if is_own(self._path):
            rows.append(Row("or", "d moves it to the trash"))
        sections = (
            Section("this cannot be opened", "", tuple(row for row in rows if row.value)),
            Section("where it is", "", (Row("path", str(self._path)), *_sizes(self._path))),
        )
        self.add_class("-broken")
        self.query_one("#card-text", Static).update(_facts(sections))
        self.refresh_bindings()

    def _show_facts(self, facts: ModelFacts) -> None:
        if not self.is_attached:
            return
        self.facts = facts
        self.remove_class("-broken")
        self.set_heading(facts.name)
        self.set_keys(f"{facts.parts.count:,} parameters")
        chart = self.query_one(TrainChart)
        has_curve = facts.history is not None and len(facts.history.losses[0]) > 1
        chart.set_class(not has_curve, "-none")
        if facts.history is not None and has_curve:
            chart.show_run(facts.history, Comparison(entropy=facts.entropy), "")
        self.query_one("#card-text", Static).update(_facts(facts.sections))
        if self._export:
            self._export = False
            self.action_export()
        self.query_one(PartsTree).show_parts(facts.parts)
        if facts.problem:
            self.show_note(facts.problem, warning=True)
        self.refresh_bindings()

    # Keys

    @property
    def answer_now(self) -> str | None:
        """The model that has come of it, if one has."""
        return self._answer

    def action_rename(self) -> None:
        self._ask("rename", self._path.name)

    def action_duplicate(self) -> None:
        self._ask("duplicate", free_name(self._path.name))

    def _ask(self, what: str, name: str) -> None:
        self._naming = what
        self.query_one(NamingLine).ask(name)
        self.refresh_bindings()

    def on_naming_line_named(self, message: NamingLine.Named) -> None:
        self.query_one(ModelDetails).focus()
        self.refresh_bindings()
        name = (message.name or "").strip()
        if not name or (self._naming == "rename" and name == self._path.name):
            return
        path = self._path
        if self._naming == "adopt":
            self._adopt(name)
        elif self._naming == "rename":
            self._do(lambda: rename(path, name), lambda path: self._show_moved(path, f"renamed to “{name}”"))
        else:
            self._do(lambda: duplicate(path, name), lambda path: self._show_moved(path, f"copied to “{name}”"))

    def action_adopt(self) -> None:
        assert self.facts is not None
        self._ask("adopt", free_name(self.facts.name))

    @work(group="card-keep", exclusive=True, exit_on_error=False)
    async def _adopt(self, name: str) -> None:
        from tinygpt_tui.workers.exporter import save_model

        self.show_note("copying it into your models …")
        self._show_moved(await save_model(str(self._path), check_name(name)), f"copied as “{name}”")

    def action_delete(self) -> None:
        path = self._path

        def gone(thrown: TrashedModel) -> None:
            self._thrown, self._answer = thrown, None
            self.add_class("-thrown")
            adapters = ", ".join(card.name for card in self._cards if card.base == path.name)
            lost = f"; its adapters do not open without it: {adapters}" if adapters else ""
            self.show_note(f"“{path.name}” is in the trash · z to undo{lost}")
            self.refresh_bindings()

        self._do(lambda: move_to_trash(path), gone)

    def action_undo(self) -> None:
        thrown = self._thrown
        if thrown is None:
            return

        def back(path: Path) -> None:
            self._thrown = None
            self.remove_class("-thrown")
            self._show_moved(path, "restored")

        self._do(lambda: restore(thrown), back)

    def action_compare(self) -> None:
        from tinygpt_tui.ui.models.choose_model import ChooseModel
        from tinygpt_tui.ui.models.compare import CompareScreen

        def compare(other: ModelCard | None) -> None:
            if other is not None:
                self.app.push_screen(CompareScreen(self.card, other))

        others = [card for card in self._cards if card.path != str(self._path) and not card.problem]
        if not others:
            self.show_note("there is no other model to compare with", warning=True)
            return
        heading = f"compare {self.card.name} with"
        self.app.push_screen(ChooseModel(heading, others, others[0].path, keys="enter: compare  esc: cancel"), compare)

    def action_export(self) -> None:
        from tinygpt_tui.ui.models.export import ExportScreen

        def exported(note: str | None) -> None:
            if note:
                self.show_note(note)

        assert self.facts is not None
        self.app.push_screen(ExportScreen(self._path, self.facts.settings), exported)

    def action_reliability(self) -> None:
        from tinygpt_tui.ui.inspect.reliability import ReliabilityScreen

        self.app.push_screen(ReliabilityScreen(self.card))

    # The disk

    @work(group="card-disk", exit_on_error=False)
    async def _do(self, change: Callable[[], Changed], then: Callable[[Changed], None]) -> None:
        """Change files in a thread, `then` the screen."""
        then(await asyncio.to_thread(change))

    def _show_moved(self, path: Path, note: str) -> None:
        """Make this the card of the model at `path`."""
        self._path, self._answer = path, str(path)
        self.card = ModelCard(name=path.name, path=str(path), origin="yours")
        self.show_note(note)
        self._read()


def _sizes(path: Path) -> Iterator[Row]:
    """Yield the files at a path with their sizes; nothing if they cannot be read."""
    with contextlib.suppress(OSError):
        files = sorted(path.iterdir())[:MOST_FILES] if path.is_dir() else [path]
        for file in files:
            yield Row("file" if file.is_file() else "folder", file.name, size(file.stat().st_size))


def _facts(sections: tuple[Section, ...]) -> RenderableType:
    """Lay the sections out: names in a column, long values under themselves, the source at each head."""
    from rich.console import Group
    from rich.table import Table

    width = max((len(row.name) for section in sections for row in section.rows), default=0)
    blocks: list[RenderableType] = []
    for section in sections:
        head = Text(section.title, style="bold")
        if section.source:
            head.append(f"  {section.source}", "dim")
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True, width=width, style="dim")
        table.add_column(overflow="fold")
        for row in section.rows:
            value = Text(row.value)
            if row.source and row.source != section.source:
                value.append(f"  {row.source}", "dim")
            table.add_row(row.name, value)
        blocks += [head, table, Text("")]
    return Group(*blocks[:-1])
