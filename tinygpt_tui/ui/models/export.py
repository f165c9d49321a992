"""Asks for a format and a path, and exports a model in its own process."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tinygpt_tui import paths
from tinygpt_tui.errors import TakenError, TinyGPTError
from tinygpt_tui.exports.forms import FORMS, Form, strangers
from tinygpt_tui.exports.place import check_place
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.ui.shared.dialog import Dialog, NoteLine
from tinygpt_tui.ui.shell.install import offer_install
from tinygpt_tui.words import shortened
from tinygpt_tui.workers.exporter import export

OFFER = "Enter to export, then verify with the other program's library if it is installed · Esc to cancel"
WIDEST, NAMES = 96, 12  # cells: of the box, and of the forms' names
TRAINS = "learns this model's probabilities for 3 minutes, and is exported instead"
STOPPING = "stopping: what was learned is saved and exported … · Esc again leaves that out"


class FormList(OptionList):
    """The formats: those that can store the whole model, and the others with the reason."""

    HELP = """## Export

The formats a model can be exported to. A dim one cannot store some settings of this model; it names them (see the model
card). Where the line says *trains*, a model that the format can store learns this model's probabilities for three
minutes, is saved beside it, and is exported instead; Esc ends that early, and exports what was learned. Where something
is only *nearly* the same, the export reports by how much the logits differ.

Enter, here or in the box below, writes the files, all or none, with a model card (README.md). Existing files are
replaced only if you press Enter a second time.
"""

    def action_page_down(self) -> None:
        """Go down by a page; if only disabled formats follow, to the last enabled one (Textual would select none)."""
        super().action_page_down()  # type: ignore[no-untyped-call]
        if self.highlighted is None:
            self.action_last()

    def action_page_up(self) -> None:
        super().action_page_up()  # type: ignore[no-untyped-call]
        if self.highlighted is None:
            self.action_first()


class ExportScreen(Dialog[str]):
    """Dismisses with a note on what was exported, or with None."""

    DEFAULT_CSS = """
    ExportScreen {
        & > DialogBox { width: 96; max-width: 96%; }
        & FormList { height: auto; max-height: 14; }
        & Input { height: 1; border: none; padding: 0 1; margin: 1 0 0 0; }
        & .-hint { margin: 1 0 0 0; }
    }
    """

    def __init__(self, model: Path, settings: ArchitectureSettings) -> None:
        super().__init__(f"export {model.name}", "enter: write  tab: path  esc: back")
        self._model, self._settings = model, settings
        self._agreed: tuple[str, str] | None = None  # format and path to which a second Enter agrees
        self._busy = False
        self._stop: asyncio.Event | None = None  # ends the training of another model

    def compose_body(self) -> ComposeResult:
        yield FormList(*(Option(self._row(form), id=name, disabled=self._barred(form)) for name, form in FORMS.items()))
        yield Input(compact=True)
        yield NoteLine(OFFER, id="export-note")

    def on_mount(self) -> None:
        """Select the first possible format."""
        listing = self.query_one(FormList)
        listing.focus()
        listing.action_first()

    @property
    def form(self) -> Form | None:
        at = self.query_one(FormList).highlighted
        return list(FORMS.values())[at] if at is not None else None

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, message: OptionList.OptionHighlighted) -> None:
        message.stop()
        self.query_one(Input).value = str(Path.cwd() / f"{self._model.name}-{message.option.id}")

    @on(Input.Changed)
    def _changed(self, message: Input.Changed) -> None:
        message.stop()
        self._agreed = None
        if not self._busy:
            self.show_note(OFFER)

    @on(OptionList.OptionSelected)
    def _selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self._begin()

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self._begin()

    def _begin(self) -> None:
        form, typed = self.form, self.query_one(Input).value.strip()
        if form is None or self._busy:
            return
        if not typed:
            self.show_note("type a path", warning=True)
            return
        again = self._agreed == (form.name, typed)
        if self._learns(form) and not again:
            self._ask_again(form, typed, f"{self._model.name}-{form.student} {TRAINS}")
            return
        self._busy = True
        self._export(form, typed, again)

    def _ask_again(self, form: Form, typed: str, words: str) -> None:
        self._agreed = (form.name, typed)
        self.show_note(f"{words}: Enter again agrees · Esc cancels", warning=True)

    @work(exclusive=True, group="export", exit_on_error=False)
    async def _export(self, form: Form, typed: str, again: bool) -> None:
        path, learns = paths.typed_path(typed).absolute(), self._learns(form)
        near = bool(strangers(form, self._settings)) and not learns
        self._stop = asyncio.Event() if learns else None
        self.show_note(f"exporting {form.title}, then verifying it …")
        try:
            await asyncio.to_thread(check_place, form, path, again and not learns)
            done = await export(
                str(self._model), form.name, str(path), force=again and not learns, approximate=near, distil=learns,
                report=self._report, stop=self._stop,
            )  # fmt: skip
        except TakenError as error:
            if learns:  # minutes are not spent on what may then not be written
                self.show_problem(TinyGPTError(error.message, "choose another path"))
            else:
                self._ask_again(form, typed, error.message)
        except TinyGPTError as error:
            offer_install(self.app, error)
            self.show_problem(error)
        else:
            self.dismiss("\n".join((f"written: {done.path}", *done.notes)))
        finally:
            self._busy, self._stop = False, None

    def _report(self, line: str) -> None:
        """Show what the training says."""
        if self._stop is not None and not self._stop.is_set() and line:
            self.show_note(shortened(line, WIDEST))

    def action_cancel(self) -> None:
        """Close the dialog; while another model is trained, stop that first."""
        if self._stop is None or self._stop.is_set():
            super().action_cancel()
        else:
            self._stop.set()
            self.show_note(STOPPING)

    def _barred(self, form: Form) -> bool:
        return bool(strangers(form, self._settings, approximate=True)) and not self._learns(form)

    def _learns(self, form: Form) -> bool:
        """Whether another model has to learn from this one first, and can."""
        return bool(form.student) and bool(strangers(form, self._settings, approximate=True))

    def _row(self, form: Form) -> Text:
        strange = ", ".join(strangers(form, self._settings))
        words = form.description
        if self._learns(form):
            words = f"trains a {form.student} (3 minutes); cannot store: {strange}"
        elif self._barred(form):
            words = f"this format cannot store: {strange}"
        elif strange:
            words = f"approximately: {strange}"
        room = min(WIDEST, int(0.96 * self.app.size.width)) - 4 - NAMES
        return Text.assemble(
            (form.name.ljust(NAMES), "bold"), shortened(words, room), style="dim" if self._barred(form) else ""
        )
