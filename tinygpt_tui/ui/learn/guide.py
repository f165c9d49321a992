"""Runs the lessons in the app: which one is open, what the learner does, the pane on each tab."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from textual.screen import Screen
from textual.timer import Timer

from tinygpt_tui.lessons.course import Course
from tinygpt_tui.lessons.facts import Facts, Model, Seen, Trained
from tinygpt_tui.lessons.gather import RunReader, read_models
from tinygpt_tui.lessons.labels import labels_of
from tinygpt_tui.lessons.lesson import Lesson
from tinygpt_tui.lessons.pack import pack_name, read_pack
from tinygpt_tui.lessons.progress import load_progress, save_progress
from tinygpt_tui.settings.sampling import from_lines, to_lines
from tinygpt_tui.ui.generate.screen import GenerateScreen
from tinygpt_tui.ui.learn.key_names import with_keys
from tinygpt_tui.ui.learn.lesson_list import Chosen, LessonList
from tinygpt_tui.ui.learn.observer import seen_on, texts_of, written_on
from tinygpt_tui.ui.learn.pane import LessonPane
from tinygpt_tui.ui.models.card import CardScreen
from tinygpt_tui.ui.shell.keys import shown_key

if TYPE_CHECKING:
    from tinygpt_tui.ui.app import TinyGPTApp

LOOK_EVERY_S = 0.1  # at what is in sight, while a lesson is open
READ_EVERY_S = 1.0  # of runs and models
GROUP = "lessons"  # of the workers that write the progress


class LessonGuide:
    """Belongs to the app, and is made when the lessons are first asked for. Raises UsageError for a wrong pack."""

    def __init__(self, app: TinyGPTApp, folder: Path, language: str) -> None:
        progress, problem = load_progress()
        self.course = Course(read_pack(folder, language), progress, pack_name(folder))
        self.words = labels_of(language)
        self.is_open = False
        self._app = app
        self._facts, self._runs = Facts(), RunReader()
        self._reading = False
        self._in_sight: tuple[Seen, ...] = ()
        self._texts: tuple[object, ...] = ()  # what tells whether a text is new
        self._news = True  # there is something that was not checked yet
        self.still_to_do: list[str] = []  # of the task
        self._generate: GenerateScreen | None = None
        self._tab: Screen[Any] | None = None  # the one that was shown last
        self._timers: list[Timer] = []
        self._saving, self._saved, self._to_save = threading.Lock(), 0, 0
        if problem:
            app.notify(problem, severity="warning", markup=False)

    @property
    def key(self) -> str:
        """The key of the lessons, as it is shown."""
        return shown_key(self._app, "app.learn", "alt+l")

    @property
    def has_hint(self) -> bool:
        """Whether there is a hint that was not shown yet."""
        lesson = self.course.lesson
        return lesson is not None and self.course.state.hints < len(lesson.texts.hints)

    def own_settings(self, changes: dict[str, object]) -> dict[str, object]:
        """Return changes of settings with the sampling from before the lesson, where that gives it back."""
        before = self.course.state.sampling if self.is_open and self.course.lesson is not None else None
        return {**changes, "sampling": before} if before is not None and "sampling" in changes else changes

    def with_keys(self, text: str) -> str:
        """Return a text of a lesson with the keys that its bindings have now."""
        return with_keys(self._app, text)

    # Opening

    def start(self, *, resume: bool = False) -> None:
        """Go to the lesson that is open, or out of it again; show the list if none is."""
        pane = self._pane
        if self.is_open and pane is not None:
            pane.action_leave() if pane.has_focus_within else pane.enter()
        elif resume and self.course.lesson is not None:
            self.open(self.course.lesson)
        else:
            self.open_list()

    def open_list(self) -> None:
        def choose(chosen: Chosen | None) -> None:
            if chosen is not None and chosen.reset:
                self.course.reset(chosen.lesson)
            if chosen is not None:
                self.open(chosen.lesson)

        self._app.push_screen(LessonList(self.course, self.words, is_open=self.is_open), choose)

    def open(self, lesson: Lesson) -> None:
        """Open a lesson, beside the tab that is shown."""
        if lesson is not self.course.lesson:
            self._restore_sampling()
        self.course.open(lesson)
        if not self.is_open:
            self.course.state.sampling = None  # of an earlier start, which began with the user's own, too
        self.is_open = True
        if isinstance(tab := self._app.screen, GenerateScreen):
            tab.pane.glass.close()  # where there is little room, it hides the prompt
        self._forget_sight()
        self._save()
        if not self._timers:
            self._timers = [
                self._app.set_interval(LOOK_EVERY_S, self.watch),
                self._app.set_interval(READ_EVERY_S, self.read_disk),
            ]
        self.read_disk()
        self.show_on(self._app.screen)
        self._app.call_after_refresh(self._enter)

    def _forget_sight(self) -> None:
        self._facts = msgspec.structs.replace(self._facts, wrote=())
        self._in_sight, self._texts, self._news = (), (), True
        self.still_to_do = self.course.still_to_do(self._facts)

    def _enter(self) -> None:
        if (pane := self._pane) is not None:
            pane.show_newest()
            pane.enter()

    def open_next(self) -> None:
        """Open the next lesson that is not done; the list if all are."""
        lesson = self.course.next_lesson
        if lesson is None:
            self.open_list()
        else:
            self.open(lesson)

    def close(self) -> None:
        """Close the lesson; its progress stays."""
        self.is_open = False
        self._restore_sampling()
        for timer in self._timers:
            timer.stop()
        self._timers = []
        self._save()
        for pane in [pane for screen in self._app.screen_stack for pane in screen.query(LessonPane)]:
            pane.remove()

    # The pane

    def show_on(self, screen: Screen[Any]) -> None:
        """Put the lesson beside a tab or a model card, or take it away."""
        if isinstance(screen, GenerateScreen):
            self._generate = screen
        is_tab, pane = hasattr(screen, "TAB"), next(iter(screen.query(LessonPane)), None)
        if is_tab and screen is not self._tab:
            self._tab = screen
            if pane is not None and pane.has_focus_within:
                pane.action_leave()  # on another tab the learner does something; the key of the lessons comes back
        if self.is_open and pane is None and (is_tab or isinstance(screen, CardScreen)):
            screen.mount(LessonPane(self))
        elif not self.is_open and pane is not None:
            pane.remove()
        elif pane is not None:
            pane.show_newest()

    @property
    def _pane(self) -> LessonPane | None:
        return next(iter(self._app.screen.query(LessonPane)), None)

    def _update_pane(self) -> None:
        if (pane := self._pane) is not None:
            pane.show_newest()

    # What the learner does

    def read_idea(self) -> None:
        self.course.read()
        self.still_to_do = self.course.still_to_do(self._facts)
        self._news = True
        self._changed()

    def submit(self, text: str) -> None:
        """Take a prediction or an answer."""
        if self.course.state.stage == "predict":
            self.course.predict(text)
            self.still_to_do = self.course.still_to_do(self._facts)
            self._news = True
        else:
            self.watch()
            self.course.answer(text, self._facts)
        self._changed()

    def show_hint(self) -> None:
        self.course.hint()
        self._changed()

    def _changed(self) -> None:
        self._save()
        self._update_pane()

    # Watching

    def watch(self) -> None:
        """See what is in sight; go to the question when the task is done."""
        stack = self._app.screen_stack  # empty while the app ends
        if not stack or self.course.lesson is None or self.course.state.stage not in ("task", "question"):
            return
        in_sight = tuple(seen_on(stack[-1], self.course.state.opened))
        if in_sight != self._in_sight:
            self._in_sight, self._news = in_sight, True
            self.course.add_seen(in_sight)
        for tab in stack:
            if isinstance(tab, GenerateScreen) and (texts := texts_of(tab)) != self._texts:
                self._texts, self._news = texts, True
                wrote = tuple(written_on(tab, self.course.state.opened))
                self._facts = msgspec.structs.replace(self._facts, wrote=wrote)
        if not self._news:
            return
        self._news = False
        self._note_sampling()
        is_done = self.course.check_task(self._facts)
        left = self.course.still_to_do(self._facts)
        if is_done or left != self.still_to_do:
            self.still_to_do = left
            self._changed()

    def _note_sampling(self) -> None:
        """Remember the settings from before a lesson that gives them back."""
        lesson, state = self.course.lesson, self.course.state
        if lesson is not None and lesson.restore_sampling and state.sampling is None and self._generate:
            state.sampling = to_lines(self._generate.panes.own_sampling)

    def _restore_sampling(self) -> None:
        """Give the user's settings back where the lesson that is left has changed them."""
        if self.course.lesson is None:
            return
        state = self.course.state
        before, state.sampling = state.sampling, None
        if before is not None and self._generate and to_lines(self._generate.panes.own_sampling) != before:
            self._generate.panes.use_own(from_lines(before))
            self._app.notify(self.words["sampling_restored"], markup=False)

    def read_disk(self) -> None:
        """Read runs and models in a thread, one at a time."""
        if not self._reading:
            self._reading = True
            self._app.run_worker(self._read, thread=True, exit_on_error=False, group="lesson-facts")

    def _read(self) -> None:
        try:
            trained = self._runs.read()
            models = self._facts.models
            if not models or trained != self._facts.trained:
                models = read_models()
            self._app.call_from_thread(self._apply, trained, models)
        finally:
            self._reading = False

    def _apply(self, trained: tuple[Trained, ...], models: dict[str, Model]) -> None:
        self._news = self._news or trained != self._facts.trained
        self._facts = msgspec.structs.replace(self._facts, trained=trained, models=models)

    # Saving

    def _save(self) -> None:
        """Write the progress in a thread; an older one never replaces a newer one."""
        self._to_save += 1
        number, content = self._to_save, self.course.encoded()

        def write() -> None:
            with self._saving:
                error = save_progress(content) if number > self._saved else None
                self._saved = max(number, self._saved)
            if error is not None:
                self._app.call_from_thread(
                    self._app.notify, f"{error.message}\n{error.hint}", severity="warning", markup=False
                )

        self._app.run_worker(write, thread=True, exit_on_error=False, group=GROUP)
