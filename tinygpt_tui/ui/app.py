"""The app: tabs, themes, help, and the engine process behind them; it never imports torch."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rich.console import RenderableType
from rich.text import Text
from textual import events, work
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.app import App
from textual.binding import Binding
from textual.command import CommandPalette
from textual.driver import Driver
from textual.filter import LineFilter
from textual.screen import Screen
from textual.widget import MountError
from textual.worker import Worker, WorkerState

from tinygpt_tui.errors import TinyGPTError, UsageError
from tinygpt_tui.events.generation import EngineReady
from tinygpt_tui.settings.computing import AUTO
from tinygpt_tui.ui import places
from tinygpt_tui.ui.jobs.news import EngineNews, NewsFeed
from tinygpt_tui.ui.pictures.in_terminal import TerminalPictures
from tinygpt_tui.ui.screens import SCREENS, palette
from tinygpt_tui.ui.shared.binding import bind_hidden, bind_over
from tinygpt_tui.ui.shared.contrast import readable
from tinygpt_tui.ui.shared.prompt_history import PromptHistory
from tinygpt_tui.ui.shell.gc_policy import CHECK_EVERY_S, GarbagePolicy
from tinygpt_tui.ui.shell.key_queue import KeyQueue
from tinygpt_tui.ui.shell.line_filter import NoCommands
from tinygpt_tui.ui.shell.preferences import Preferences
from tinygpt_tui.ui.shell.selection import Selection
from tinygpt_tui.ui.shell.tab_bar import TabBar
from tinygpt_tui.ui.shell.terminal import (
    TolerantOutput,
    has_few_colours,
    leaving_in_order,
    let_alt_have_digits,
    may_draw_pictures,
)
from tinygpt_tui.ui.shell.themes import DARK, LIGHT, THEMES
from tinygpt_tui.ui.shell.unexpected import log_unexpected
from tinygpt_tui.ui.tabs import TABS

if TYPE_CHECKING:
    from tinygpt_tui.ui.generate.screen import GenerateScreen
    from tinygpt_tui.ui.inspect.screen import InspectScreen
    from tinygpt_tui.ui.learn.guide import LessonGuide
    from tinygpt_tui.ui.runs.screen import RunsScreen
    from tinygpt_tui.ui.shell.tab_screen import TabScreen
    from tinygpt_tui.workers.client import Engine

LEARN_HELP = "Lessons: twenty short ones, in the app; from a lesson back to the app"
PALETTE_HELP = "Find an action, a setting, a model, a run or a text by any word"
PICTURE_HELP = "Save a picture of the curve or map in focus, or of the screen"
PALETTE_HINT = "any word: export, attention, temp 1.2, use tales, words of a text…"
GOODBYE_S = 2.0  # for the engine to end by itself
AT_ONCE_S = 0.3  # for the engine to end by itself when the terminal is gone
# Groups of workers that write what the user made.
SAVES = ("settings", "history", "session", "sessions-disk", "lessons")


def run(device: str = AUTO, lessons_from: tuple[Path, str] | None = None) -> int:
    """Run the app until it is quit; return its exit status. Models compute on `device`.

    With `lessons_from`, a folder of lessons and their language, it starts with the lessons. Raises what could not be
    saved at its end.
    """
    if has_few_colours():
        os.environ["NO_COLOR"] = "1"  # as Textual reads it
    app = TinyGPTApp(device=device, lessons_from=lessons_from)
    with leaving_in_order(app.leave):
        app.run()
    if app.unsaved is not None:
        raise app.unsaved
    return app.return_code or 0


class TinyGPTApp(App[None]):
    """The shell around the tabs."""

    TITLE = "tinygpt"
    # What the first picture needs; other screens bring their own.
    CSS_PATH = ["app.tcss", "generate/screen.tcss", "train/screen.tcss"]
    MODES = SCREENS
    DEFAULT_MODE = "generate"
    COMMANDS = {palette}

    BINDINGS = [
        bind_hidden("f1,question_mark", "help", "Help", "app.help", "What has the focus, and all keys"),
        *(
            bind_over(tab.keys, f"tab('{name}')", tab.title, f"app.{name}", f"Go to the {tab.title} tab")
            for name, tab in TABS.items()
        ),
        bind_over("alt+l", "learn", "Learn", "app.learn", LEARN_HELP),
        bind_over("ctrl+p", "command_palette", "Find", "app.palette", PALETTE_HELP),
        bind_hidden("alt+e", "save_picture", "Export", "app.picture", PICTURE_HELP),
        bind_hidden("ctrl+n", "night", "Night/day", "app.night", "Change between dark and light"),
        bind_over("ctrl+q", "quit", "Quit", "app.quit", "Quit; runs continue without the app"),
    ]

    def __init__(
        self, engine: Engine | None = None, device: str = AUTO, lessons_from: tuple[Path, str] | None = None
    ) -> None:
        """`engine` stands in for the engine process in tests; the real one computes on `device`."""
        super().__init__()
        self._lessons_from = lessons_from
        self._lessons: LessonGuide | None = None
        self._unexpected = ""
        self._loop_here: asyncio.AbstractEventLoop | None = None
        self._quitting = False
        self.save_text: Callable[[], Awaitable[TinyGPTError | None]] | None = None
        self.unsaved: TinyGPTError | None = None
        self._pictures: TerminalPictures | None = None  # of a real terminal
        self._shown_now: RenderableType | None = None
        self._garbage = GarbagePolicy()
        self._no_commands = NoCommands()
        self._typed = KeyQueue(self, super().on_event)
        self.preferences = Preferences()
        self.prompts = PromptHistory.load()
        self.selection: Callable[[], Selection | None] = lambda: None
        self.engine: Engine = engine or _engine_process(self.preferences.settings.frames_per_second, device)
        self.news = NewsFeed(self.engine)
        for theme in THEMES:
            self.register_theme(theme)
        if self.no_color:
            # Textual's monochrome makes black on black of themes in the terminal's own colours.
            for name in [name for name in self.available_themes if "ansi" in name]:
                self.unregister_theme(name)
        self._key_problems = self._use_own_keys()
        # Now, not when mounted: a theme put on later means that every style is computed twice.
        wanted = self.preferences.settings.theme
        self.theme = wanted if wanted in self.available_themes else DARK.name
        self.stylesheet.set_variables(self.get_css_variables())
        self._styled_for = self.theme

    def get_line_filters(self) -> Sequence[LineFilter]:
        """See App; the last one keeps what files say from commanding the terminal."""
        return [*super().get_line_filters(), self._no_commands]

    def refresh_css(self, animate: bool = True) -> None:
        """See App. For a new screen only with a new theme: its styles are computed as it is composed."""
        if self.theme != self._styled_for or (self.screen_stack and self.screen.is_mounted):
            self._styled_for = self.theme
            super().refresh_css(animate)

    def on_load(self) -> None:
        """Run tasks in the same order on every Python, and in the tests.

        Textual sets an eager task factory where there is one (Python 3.12): the first screen would then be composed
        before it is on the stack, and an Input in it ends the start (Textualize/textual#6444).
        """
        self._loop_here = asyncio.get_running_loop()
        self._loop_here.set_task_factory(None)

    def on_mount(self) -> None:
        """Remember the themes chosen from now on; the engine starts behind the first picture."""
        self.theme_changed_signal.subscribe(self, lambda theme: self.save_preferences(theme=theme.name))
        self.call_after_refresh(self._finish_start)
        if self.preferences.problem:
            words = f"{self.preferences.problem}\nthe usual settings are used; the file is kept when others are saved"
            self.notify(words, severity="warning", markup=False)
        for problem in self._key_problems:
            self.notify(f"{problem.message}\n{problem.hint}", severity="warning", timeout=10, markup=False)

    def _use_own_keys(self) -> list[UsageError]:
        """Give bindings the keys of the settings file; return what is wrong with it."""
        if not (typed := self.preferences.settings.own_keys()):
            return []
        from tinygpt_tui.ui.shell.keymap import own_keys

        keymap, problems = own_keys(typed)
        self.set_keymap(keymap)
        return problems

    def _finish_start(self) -> None:
        """Do what waits for the first picture."""
        if not gc.isenabled():  # as the command line left it
            self._garbage.take_over()
            self.news.listen(self)
            self.set_interval(CHECK_EVERY_S, self._garbage.collect_if_due)
        self._launch_engine()
        if self._lessons_from is not None:
            self._learn(resume=True)

    @work(exit_on_error=False)
    async def _launch_engine(self) -> None:
        await self.engine.launch()

    def on_engine_news(self, message: EngineNews) -> None:
        if any(isinstance(event, EngineReady) for event in message.events):
            self.news.leave(self)
            self._garbage.started()

    async def on_event(self, event: events.Event) -> None:
        """Collect no garbage between two keys; send each key to what the one before it focused."""
        if isinstance(event, events.InputEvent):
            self._garbage.key()
        if isinstance(event, events.Key) and event.key.startswith("alt+"):
            event.character = None  # else a text box would type it instead of leaving it to a binding
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self._typed.put(event)
        elif self.screen_stack or not isinstance(event, events.InputEvent):  # there is none when the app ends
            await super().on_event(event)

    def save_preferences(self, **changes: object) -> None:
        """Keep some settings for the next start; of a lesson that gives the sampling settings back, the user's own."""
        if self.preferences.change(**(self._lessons.own_settings(changes) if self._lessons else changes)):
            self._save(self.preferences.save, "settings")

    def remember_prompt(self, prompt: str) -> None:
        """Keep a prompt for those who look for it later."""
        if self.prompts.add(prompt):
            self._save(self.prompts.save, "history")

    def _save(self, save: Callable[[], object], group: str) -> None:
        def attempt() -> None:
            try:
                save()
            except TinyGPTError as error:
                words = f"{error.message}\n{error.hint}"
                self.call_from_thread(self.notify, words, severity="warning", markup=False)

        self.run_worker(attempt, group=group, thread=True, exclusive=True, exit_on_error=False)

    def on_tab_bar_chosen(self, message: TabBar.Chosen) -> None:
        self.action_tab(message.name)

    def action_tab(self, name: str) -> None:
        if not self.screen.is_modal:
            self.switch_mode(name)

    async def on_runs_screen_open_requested(self, message: RunsScreen.OpenRequested) -> None:
        await places.open_run(self, message.model_path)

    async def on_tab_screen_talk_to(self, message: TabScreen.TalkTo) -> None:
        await places.generate_with(self, message.model_path)

    async def on_generate_screen_train_on(self, message: GenerateScreen.TrainOn) -> None:
        (await places.to_train(self)).start_from(message.card.path, message.card.name)

    async def on_generate_screen_inspect(self, message: GenerateScreen.Inspect) -> None:
        (await places.to_inspect(self)).show_place(message.place)

    async def on_inspect_screen_return(self, message: InspectScreen.Return) -> None:
        await self.switch_mode("generate")

    def get_css_variables(self) -> dict[str, str]:
        """Return the theme's variables, with colours that can be read whatever the theme."""
        variables = super().get_css_variables()
        if not self.current_theme.ansi:  # the terminal's own colours are not known
            variables = readable(variables)
        self.theme_variables = variables
        return variables

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return what themes in the terminal's own colours lack."""
        return {"quiet": "ansi_default", "on-primary": "ansi_default", "on-success": "ansi_default"}

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(id="--command-palette", placeholder=PALETTE_HINT))

    def action_night(self) -> None:
        self.theme = LIGHT.name if self.current_theme.dark else DARK.name

    def action_learn(self) -> None:
        """Show the lessons; go to the lesson that is open, or from there back to the app."""
        if not self.screen.is_modal or self.screen.query("#lesson"):
            self._learn()

    def _learn(self, *, resume: bool = False) -> None:
        if self._lessons is None:
            self._lessons = places.lessons(self, self._lessons_from)
        self._lessons.start(resume=resume)

    def show_lesson(self, screen: Screen[Any]) -> None:
        """Show the lesson that is open beside a tab or a model card."""
        if self._lessons is not None:
            self._lessons.show_on(screen)

    @work(exit_on_error=False)
    async def action_save_picture(self) -> None:
        from tinygpt_tui.ui.shell.picture import save_picture

        await save_picture(self, self.focused)

    def action_help(self) -> None:
        from tinygpt_tui.ui.shell.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen.about(self.screen))

    def get_key_display(self, binding: Binding) -> str:
        """Write function keys as a keyboard shows them."""
        key = super().get_key_display(binding)
        return key.upper() if key[:1] == "f" and key[1:].isdigit() else key

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.notify(log_unexpected(event.worker.error), severity="error", timeout=10, markup=False)

    def _handle_exception(self, error: Exception) -> None:
        if self._exit and isinstance(error, MountError):
            return  # the app was ended before a widget was added, which is not needed any more
        # Textual would leave a screenful of traceback and local variables behind; the log is the place for it.
        self._unexpected = log_unexpected(error)
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        self.bell()
        self.panic(Text(self._unexpected))

    def _build_driver(self, headless: bool, inline: bool, mouse: bool, size: tuple[int, int] | None) -> Driver:
        driver = super()._build_driver(headless, inline, mouse, size)
        file = getattr(driver, "_file", None)  # what the drivers of real terminals write to
        if file is not None:
            driver._file = TolerantOutput(file)  # type: ignore[attr-defined]
            let_alt_have_digits(cast(dict[str, Any], ANSI_SEQUENCES_KEYS))
            if self.preferences.settings.pictures and may_draw_pictures(self.no_color):
                self._pictures = TerminalPictures(self, driver)
        return driver

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        self._shown_now = renderable
        super()._display(screen, renderable)

    def _end_update(self) -> None:
        if self._pictures is not None:
            self._pictures.after_update(self._shown_now)
            self._shown_now = None
        super()._end_update()

    def on_resize(self) -> None:
        """Pictures may need another size."""
        if self._pictures is not None:
            self._pictures.resized()

    async def action_quit(self) -> None:
        """Quit; the engine ends with the app, runs do not. Ask first where text could not be saved."""
        if self._quitting:
            return
        self._quitting = True
        error = await self.save_text() if self.save_text is not None else None
        if error is None:
            await self._end()
        else:
            from tinygpt_tui.ui.shared.confirm import ConfirmScreen

            said = f"{error.message}\n{error.hint}" if error.hint else error.message
            question = f"Your text is not saved: {said}\n\nF9 saves it elsewhere. If you quit now, it is lost."
            self.push_screen(ConfirmScreen("not saved", question, "Quit anyway", loses=True), self._quit_anyway)

    async def _quit_anyway(self, agreed: bool | None) -> None:
        if agreed:
            await self._end()
        self._quitting = False

    def leave(self, status: int) -> None:
        """Quit soon and without a question, with an exit status; for signal handlers and other threads."""
        if self._loop_here is None:  # the app has not started
            raise SystemExit(status)
        with suppress(RuntimeError):  # the loop is closed: it ends already
            self._loop_here.call_soon_threadsafe(self.call_later, self._leave, status)

    async def _leave(self, status: int) -> None:
        self._quitting = True
        await self._end(status, AT_ONCE_S)

    async def _end(self, status: int = 0, patience_s: float = GOODBYE_S) -> None:
        # A worker that has not started when the app exits never starts, and what it would have saved is lost.
        await _finished([worker for worker in self.workers if worker.group in SAVES], patience_s)
        await self.engine.close(patience_s)
        self.exit(return_code=status)


async def _finished(workers: list[Worker[Any]], patience_s: float) -> None:
    waits = (worker.wait() for worker in workers if not worker.is_finished)
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*waits, return_exceptions=True), patience_s)


def _engine_process(frames_per_second: int, device: str) -> Engine:
    from tinygpt_tui.ui.jobs.draw_pace import DrawPace
    from tinygpt_tui.workers.client import Engine
    from tinygpt_tui.workers.engine_process import EngineProcess

    return Engine(EngineProcess(frames_per_second, device), DrawPace())
