"""Asks for a form and a place, and exports a model in a process of its own."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tinygpt_tui import paths
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.exports.forms import FORMS, Form, strangers
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.ui.shared.dialog import Dialog
from tinygpt_tui.ui.shell.install import offer_install
from tinygpt_tui.words import shortened
from tinygpt_tui.workers.exporter import export

OFFER = "Enter writes it, and reads it back with the other program's library where that is installed · Esc does not"
WIDEST, NAMES = 96, 12  # cells: of the box, and of the forms' names
REPLACES = "--force"  # in the hint of an error that can be overruled


class FormList(OptionList):
    """The forms: those that have a place for everything in the model, and the others with the reason."""

    HELP = """## Export

The forms a model can be written in. One that is dim has no place for some settings of this model, and names them (they
stand on the card). Where something is only *nearly* the same, the export says by how much the logits then differ.

Enter, here or in the box below, writes the files, whole or not at all, with a model card (README.md) beside them.
Nothing is replaced unless you press Enter a second time.
"""

    def action_page_down(self) -> None:
        """Go down by a page; where only disabled forms follow, to the last enabled one (Textual would leave none)."""
        super().action_page_down()  # type: ignore[no-untyped-call]
        if self.highlighted is None:
            self.action_last()

    def action_page_up(self) -> None:
        """Go up by a page, in the same manner."""
        super().action_page_up()  # type: ignore[no-untyped-call]
        if self.highlighted is None:
            self.action_first()


class ExportScreen(Dialog[str]):
    """Dismisses with a note on what was written, or with None."""

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
        self._agreed: tuple[str, str] | None = None  # form and path that a second Enter is for
        self._busy = False

    def compose_body(self) -> ComposeResult:
        """Yield forms, path and a note."""
        yield FormList(*(Option(self._row(form), id=name, disabled=self._barred(form)) for name, form in FORMS.items()))
        yield Input(compact=True)
        yield Static(OFFER, id="export-note", classes="-hint", markup=False)

    def on_mount(self) -> None:
        """Begin at the first form that can be."""
        listing = self.query_one(FormList)
        listing.focus()
        listing.action_first()

    @property
    def form(self) -> Form | None:
        """The highlighted form."""
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
            self._say(OFFER)

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
            self._say("a path is needed", warning=True)
            return
        again = self._agreed == (form.name, typed)
        self._busy = True
        self._say(f"writing {form.title}, then reading it back …")
        self._export(form, typed, again)

    @work(exclusive=True, group="export", exit_on_error=False)
    async def _export(self, form: Form, typed: str, again: bool) -> None:
        path = str(paths.typed_path(typed).absolute())
        near = bool(strangers(form, self._settings))
        try:
            done = await export(str(self._model), form.name, path, force=again, approximate=near)
        except TinyGPTError as error:
            offer_install(self.app, error)
            if REPLACES in error.hint:
                self._agreed = (form.name, typed)
                self._say(f"{error.message}: Enter again replaces it · Esc does not", warning=True)
            else:
                self._say(f"{error.message}\n{error.hint}".strip(), warning=True)
        else:
            self.dismiss("\n".join((f"written: {done.path}", *done.notes)))
        finally:
            self._busy = False

    def _barred(self, form: Form) -> bool:
        return bool(strangers(form, self._settings, approximate=True))

    def _row(self, form: Form) -> Text:
        strange = ", ".join(strangers(form, self._settings))
        words = form.description
        if self._barred(form):
            words = f"no place for {strange}"
        elif strange:
            words = f"not exactly: nearly the same {strange}"
        room = min(WIDEST, int(0.96 * self.app.size.width)) - 4 - NAMES
        return Text.assemble(
            (form.name.ljust(NAMES), "bold"), shortened(words, room), style="dim" if self._barred(form) else ""
        )

    def _say(self, text: str, warning: bool = False) -> None:
        note = self.query_one("#export-note", Static)
        note.update(text)
        note.set_class(warning, "-warning")
