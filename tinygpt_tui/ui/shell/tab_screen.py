"""What every tab's screen has: the tab bar above, its own body, the keys below."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from textual import events, on
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Input, TextArea
from textual.worker import Worker, WorkerState

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.ui.jobs.news import NewsFeed
from tinygpt_tui.ui.shared.failed import Failed
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.prompt_history import PromptHistory
from tinygpt_tui.ui.shell.install import offer_install
from tinygpt_tui.ui.shell.key_bar import KeyBar
from tinygpt_tui.ui.shell.keys import shown_key
from tinygpt_tui.ui.shell.preferences import Preferences
from tinygpt_tui.ui.shell.selection import Selection
from tinygpt_tui.ui.shell.tab_bar import ShownTab, TabBar
from tinygpt_tui.ui.shell.unexpected import log_unexpected
from tinygpt_tui.ui.tabs import TABS

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Engine


class Workbench(Protocol):
    """What a screen may ask of the app around it."""

    engine: Engine
    news: NewsFeed
    preferences: Preferences
    prompts: PromptHistory
    selection: Callable[[], Selection | None]  # what the Generate tab is about
    save_text: Callable[[], Awaitable[TinyGPTError | None]] | None  # writes all text; returns why some was not written
    unsaved: TinyGPTError | None  # why some text was not written at the app's end

    def remember_prompt(self, prompt: str) -> None:
        """Keep a prompt for those who look for it later."""

    def save_preferences(self, **changes: object) -> None:
        """Keep some settings for the next start."""

    def show_lesson(self, screen: Screen[Any]) -> None:
        """Show the lesson that is open, if one is, beside a tab or a model card."""


class PaletteCommand(NamedTuple):
    """A command of the palette that has no key here."""

    title: str
    help_text: str
    run: Callable[[], object]


class TabScreen(Screen[None]):
    """The frame around a tab's body.

    A tab's screen sets `TAB` to its row in the table of tabs and yields its widgets in `compose_body`; they fill the
    height between the two bars.
    """

    TAB: str
    READS = False  # whether it has to read from the disk what its keys are about
    HELP = ""

    class TalkTo(Message):
        """The user wants to generate with this model."""

        model_path: str

    def __init__(self) -> None:
        super().__init__()
        self._was_left = False
        self.known = asyncio.Event()  # set when what its keys are about has been read from the disk
        if not self.READS:
            self.known.set()
        # Textual finds these classes when it first lays the screen out, and then computes every style again.
        for breakpoints, size in (
            (self.HORIZONTAL_BREAKPOINTS, self.app.size.width),
            (self.VERTICAL_BREAKPOINTS, self.app.size.height),
        ):
            for least, name in reversed(breakpoints or []):
                if size >= least:
                    self.add_class(name)
                    break

    def compose(self) -> ComposeResult:
        tabs = [
            ShownTab(name, tab.title, tab.short, shown_key(self.app, f"app.{name}", tab.keys))
            for name, tab in TABS.items()
        ]
        of_all = shown_key(self.app, "app.help", "f1"), shown_key(self.app, "app.quit", "ctrl+q")
        yield TabBar(tabs, current=self.TAB, keys=of_all)
        yield from self.compose_body()
        yield KeyBar()

    def compose_body(self) -> ComposeResult:
        raise NotImplementedError

    @on(events.ScreenSuspend)
    def _note_leaving(self) -> None:
        self._was_left = True

    @on(events.ScreenResume)
    def _keep_styles(self, event: events.ScreenResume) -> None:
        """Compute no style again of a screen that is new: Textual resumes it twice, with all its styles each time."""
        event.refresh_styles = self._was_left

    @on(events.ScreenResume)
    @on(events.Resize)
    def _show_lesson(self) -> None:
        """Have the lesson that is open beside every tab, where there is room for it."""
        self.workbench.show_lesson(self)

    def palette_commands(self) -> Iterable[PaletteCommand]:
        """Return commands for the palette that have no key now."""
        return ()

    def missing_for(self, event: events.Key | events.Paste) -> asyncio.Event | None:
        """Return what a key must wait for; None: nothing. Text for a box, and other tabs, need nothing of this one."""
        typed = isinstance(event, events.Paste) or event.is_printable
        if typed and isinstance(self.focused, Input | TextArea):
            return None
        if isinstance(event, events.Key) and event.key in self.app._bindings.key_to_bindings and self.TAB != "generate":
            return None
        return None if self.known.is_set() else self.known

    def interrupt(self) -> bool:
        """End what is being written in this tab; return whether anything was."""
        return False

    def copy_or_all(self, whole: str) -> None:
        """Copy the selection; without one, the `whole` text of this tab."""
        selected = self.get_selected_text()
        text = selected or whole
        # A terminal takes only UTF-8, which has no halves of surrogate pairs.
        self.app.copy_to_clipboard(text.encode("utf-8", "replace").decode("utf-8"))
        self.notify(f"copied {'the selection' if selected else 'all'}: {len(text)} characters", timeout=3)

    def action_copy_text(self) -> None:
        """Copy what is selected. With nothing selected, Ctrl+C means what it means in a terminal: stop writing."""
        if self.get_selected_text() is not None or not self.interrupt():
            super().action_copy_text()

    @property
    def workbench(self) -> Workbench:
        """The app, as far as a screen may know it."""
        return cast(Workbench, self.app)

    def show_error(self, error: TinyGPTError) -> None:
        """Show what went wrong, and what to do about it, as a notification; once, as long as it is there to be read.

        Where a package is missing the command that installs it can be copied.
        """
        if offer_install(self.app, error):
            return
        text = f"{error.message}\n{error.hint}" if error.hint else error.message
        if any(note.message == text for note in self.app._notifications):
            return
        self.notify(text, severity="error", timeout=8, markup=False)

    def on_failed(self, message: Failed) -> None:
        message.stop()
        self.show_error(message.error)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show why a worker of the screen, or of a widget that passes it on, failed."""
        error = event.worker.error if event.state is WorkerState.ERROR else None
        if isinstance(error, TinyGPTError):
            self.show_error(error)
        elif error is not None:
            self.notify(log_unexpected(error), severity="error", timeout=10, markup=False)
