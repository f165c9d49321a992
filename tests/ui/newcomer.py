"""A newcomer who follows the lessons by keys: reads the screen, types, and finds the answers in the app."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from textual import events
from textual.pilot import Pilot
from wait import wait_until

from tinygpt_tui.corpora.floors import Floor
from tinygpt_tui.doctor.examination import Examination, run_path, write_examination
from tinygpt_tui.events.training import Evaluation, RunEnded, RunStarted, Step, TrainingEvent
from tinygpt_tui.lessons.course import Course
from tinygpt_tui.runs.control import process_started_at
from tinygpt_tui.runs.folder import RunFolder, RunStatus
from tinygpt_tui.runs.journal import Journal
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.learn.key_names import key_of
from tinygpt_tui.ui.learn.pane import LessonPane


class Newcomer:
    """Presses keys in the real app."""

    def __init__(self, app: TinyGPTApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def course(self) -> Course:
        assert self.app._lessons is not None
        return self.app._lessons.course

    @property
    def shown(self) -> str:
        """All characters on the screen."""
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    @property
    def pane(self) -> LessonPane:
        return self.app.screen.query_one(LessonPane)

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait until a condition holds; fail with what is on the screen."""
        try:
            await wait_until(self.pilot, condition)
        except AssertionError:
            raise AssertionError(f"{what}\n{self.shown}") from None

    async def sees(self, text: str) -> None:
        await self.until(lambda: text in self.shown, f"never saw {text!r}")

    def finds(self, pattern: str) -> str:
        """Return what a pattern's group finds on the screen."""
        found = re.search(pattern, self.shown)
        assert found, f"{pattern} is not on the screen:\n{self.shown}"
        return found[1]

    async def press(self, *bindings: str) -> None:
        """Press the keys of bindings, by their names; a name without a point is a key."""
        for name in bindings:
            key = key_of(self.app, name) if "." in name and len(name) > 1 else name
            assert key is not None, name
            await self.pilot.press(key)

    async def type(self, text: str) -> None:
        """Type a letter and paste the rest: the screen is drawn twice, not once a letter."""
        await self.pilot.press(text[0])
        if text[1:]:
            await self._send(events.Paste(text[1:]))

    async def repeat(self, key: str, times: int) -> None:
        """Press a key several times, faster than the screen is drawn."""
        await self._send(*(events.Key(key, None) for _ in range(times)))

    async def _send(self, *typed: events.Event) -> None:
        assert self.app._driver is not None
        for event in typed:
            event.set_sender(self.app)
            self.app._driver.send_message(event)
        await self.pilot.pause()

    async def go(self, tab: str) -> None:
        await self.press(f"app.{tab}")
        await self.until(lambda: self.app.current_mode == tab and self.app.screen.query(LessonPane))

    # The lesson

    async def read(self, number: int, predicted: str = "") -> None:
        """Open the next lesson, read its idea, predict."""
        if self.course.lesson is not None and self.course.lesson.number != number:
            if not self.pane.has_focus:
                await self.press("app.learn")
            await self.press("lesson.next")
        await self.until(lambda: self.course.lesson is not None and self.course.lesson.number == number)
        await self.until(lambda: self.app.screen.query(LessonPane) and self.pane.has_focus)
        await self.pilot.press("enter")
        if self.course.state.stage == "predict":
            await self.type(predicted or "no idea")
            await self.pilot.press("enter")
        await self.until(lambda: not self.pane.has_focus_within, "still in the lesson")
        assert self.course.state.stage in ("task", "question")

    async def is_done(self) -> None:
        await self.until(lambda: self.course.state.stage == "question", "the task is not done")

    def is_not_done(self) -> None:
        """See all that was done so far, and that it is not enough."""
        assert self.app._lessons is not None
        self.app._lessons.watch()
        assert self.course.state.stage == "task"

    async def answer(self, *answers: str) -> None:
        """Type answers; only the last one is right."""
        await self.is_done()
        await self.press("app.learn")
        for text in answers:
            assert self.course.state.stage == "question", f"{text} comes after a right answer"
            await self.until(lambda: self.pane.has_focus)
            if text is answers[0]:  # Enter opens the line, and so does the first digit of another answer
                await self.press("enter")
            await self.type(text)
            await self.pilot.press("enter")
        await self.until(lambda: self.course.state.stage == "solved", f"{answers[-1]} is not right")
        await self.until(lambda: self.pane.has_focus)


def scripted_trainer(run: RunFolder, settings: object = None) -> int:
    """Write the journal that a real short run of such settings had, instead of training; return a process number."""
    read = run.read_settings()
    known = len(set(Path(read.corpus.path).read_text(encoding="utf-8")))  # a trainer fills it in
    architecture = msgspec.structs.replace(read.training.architecture, vocab_size=known)
    training = msgspec.structs.replace(read.training, architecture=architecture)
    run.write_settings(msgspec.structs.replace(read, training=training))
    curve = list(_curve(read.training.learning_rate, read.corpus.characters, bool(read.start)))
    last, best = curve[-1][0], min(curve, key=lambda one: one[1])
    journalled: list[TrainingEvent] = [RunStarted(read.created, 0, last, 1, 900, 100, "cpu", 1)]
    for (step, loss, train), (before, *_) in zip(curve, [(0,), *curve], strict=False):
        journalled += [Step(one, train, 0.01, 0.5, 10_000.0, one * 0.03) for one in range(before + 1, step + 1)]
        so_far = min((seen for seen in curve if seen[0] <= step), key=lambda seen: seen[1])
        journalled.append(Evaluation(step, loss, train, so_far[0], so_far[1], 0.1))
    journalled.append(RunEnded(time.time(), last, "finished", best[0], best[1], last * 0.03))
    journal = Journal(run.events)
    journal.append(journalled)
    journal.close()
    floors = [Floor("unigram", 1, 2.9), Floor("bigram", 2, 2.1), Floor("trigram", 3, 1.6), Floor("5-gram", 5, 1.0)]
    write_examination(Examination(floors=floors), run_path(run))
    birth = process_started_at()
    run.write_status(
        RunStatus(state="finished", step=last, steps=last, pid=1, pid_created=birth, time=time.time(), message="")
    )
    return 1 << 22  # no process has this number


def _curve(rate: float, characters: int, fine_tuned: bool) -> Iterator[tuple[int, float, float]]:
    """Yield (step, validation loss, training loss) of four short runs that were really made."""
    if fine_tuned:
        yield from ((0, 3.70, 3.70), (10, 3.2, 2.9), (20, 2.97, 1.71))
    elif characters < 1000:
        yield from ((0, 3.8, 3.8), (6, 2.57, 2.9), (12, 2.9, 1.4), (18, 3.4, 0.6), (24, 4.6, 0.07))
    elif characters < 100_000:
        yield from ((0, 4.25, 4.25), (12, 3.23, 2.9), (24, 3.3, 2.0), (36, 3.5, 1.2))
    else:
        best = 1.02 if rate > 0.01 else 1.25
        yield from ((0, 4.06, 4.06), (36, 1.40, 1.54), (72, best + 0.1, 1.3), (140, best, best))


def write_text(path: Path) -> Path:
    """Write a text of one's own."""
    path.write_text("the cat sat on the mat, and the dog saw the cat.\n" * 100)
    return path
