"""The lesson beside the app: opened, followed onto other tabs, answered, closed; its keys and its progress."""

from __future__ import annotations

from textwrap import wrap

import pytest
from fakes import FakeEngine, make_model
from textual.pilot import Pilot
from textual.widgets import Static
from wait import wait_until

from tinygpt_tui.lessons.labels import labels_of
from tinygpt_tui.lessons.pack import SHIPPED, read_pack
from tinygpt_tui.lessons.progress import load_progress, progress_file
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.learn.guide import LessonGuide
from tinygpt_tui.ui.learn.key_names import with_keys
from tinygpt_tui.ui.learn.lesson_list import LessonList
from tinygpt_tui.ui.learn.pane import LessonPane
from tinygpt_tui.ui.models.card import CardScreen

pytestmark = pytest.mark.usefixtures("no_shipped_models")


def shown(app: TinyGPTApp) -> str:
    """Return what the pane in front says."""
    return str(app.screen.query_one("#lesson-text", Static).content)


async def test_a_lesson_is_done_by_keys_and_a_near_miss_does_not_pass() -> None:
    progress_file().parent.mkdir(parents=True, exist_ok=True)
    progress_file().write_text("{ half a file")
    make_model("shakespeare", architecture=GPTSettings(vocab_size=3))
    app = TinyGPTApp(engine := FakeEngine())
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: app.screen.chooser.card is not None)  # type: ignore[attr-defined]
        await pilot.press("alt+l")
        await wait_until(pilot, lambda: isinstance(app.screen, LessonList))
        assert any("damaged" in note.message for note in app._notifications)
        await pilot.press("enter")
        await wait_until(pilot, lambda: app.screen.query(LessonPane) and app.screen.query_one(LessonPane).has_focus)
        pane = app.screen.query_one(LessonPane)
        assert "What is a token?" in str(pane.border_title)
        assert pane.region.bottom == 23
        await pilot.press("enter", *"abc", "enter")
        await wait_until(pilot, lambda: engine.asked)
        engine.begin()
        engine.write("xyz")
        engine.end()
        await wait_until(pilot, lambda: "stopped" in str(app.screen.query_one("#status").render()))
        assert app._lessons is not None
        app._lessons.watch()
        assert app._lessons.course.state.stage == "task"  # every character is known
        assert "Still to do: shakespeare continues exactly" in shown(app)
        assert pane.border_subtitle == "alt+l hints, answer"
        # As the line of keys says it; where a letter would be typed, a key that is none.
        assert app._lessons.with_keys("{microscope.next} {generate.branches}") == "] ^b"
        await pilot.press("7", "enter")
        await wait_until(pilot, lambda: len(engine.asked) == 2)
        engine.begin(unknown="7")
        engine.write("xyz")
        engine.end()
        await wait_until(pilot, lambda: app.screen.pane.editor.current.reason)  # type: ignore[attr-defined]
        app._lessons.watch()
        assert app._lessons.course.state.stage == "task"  # another prompt than the one that is asked for
        await pilot.press("ctrl+u", *"ROMEO: 7 kings", "enter")
        await wait_until(pilot, lambda: len(engine.asked) == 3)
        engine.begin(unknown="7")
        engine.write("xyz")
        engine.end()
        await wait_until(pilot, lambda: "Question" in shown(app))
        assert pane.border_subtitle == "Task done! alt+l: answer"  # where it covers nothing
        assert not any("Task done" in note.message for note in app._notifications)
        await pilot.press("alt+l", "h", *"66", "enter")  # the first digit opens the line for the answer
        await wait_until(pilot, lambda: "66" in shown(app))
        await pilot.press("h")  # a key of the lesson again, not a letter of the answer
        await wait_until(pilot, lambda: "Hint 2" in shown(app))
        await pilot.press("alt+right", "f12")  # keys of the panes, which have not the focus
        await wait_until(pilot, lambda: isinstance(app.screen, CardScreen))
        await wait_until(pilot, lambda: app.screen.query("#lesson-text") and "Question" in shown(app))
        assert "another answer" in shown(app)
        assert "h: a hint" not in shown(app)  # both were shown
        await pilot.press("alt+l")
        assert app.screen.query_one(LessonPane).has_focus
        await pilot.press("escape", "escape")
        await wait_until(pilot, lambda: not app.screen.is_modal)
        assert app.screen.form.settings.temperature == 0.9  # type: ignore[attr-defined]
        await _leaves_a_lesson_that_gives_the_settings_back(app, pilot)
        await pilot.press("f3")
        await wait_until(pilot, lambda: app.current_mode == "train" and app.screen.query(LessonPane))
        await pilot.press("f2")
        await wait_until(pilot, lambda: app.current_mode == "generate" and not pane.has_focus_within)
        await pilot.press("f3")
        await wait_until(pilot, lambda: app.current_mode == "train")
        await pilot.press("alt+l", "q")
        await wait_until(pilot, lambda: not app.screen.query(LessonPane))
        await pilot.press("f2")
        await wait_until(pilot, lambda: app.current_mode == "generate" and not app.screen.query(LessonPane))
    progress, problem = load_progress()
    assert not problem
    assert [attempt.text for attempt in progress.lessons["01-tokens"].attempts] == ["66"]
    assert progress.lessons["01-tokens"].done == 0


async def _leaves_a_lesson_that_gives_the_settings_back(app: TinyGPTApp, pilot: Pilot[None]) -> None:
    guide, form = app._lessons, app.screen.form  # type: ignore[attr-defined]
    assert guide is not None
    await pilot.press("alt+left")
    await wait_until(pilot, lambda: form.settings.temperature == 0.8)
    guide.open(guide.course.lessons[2])
    await wait_until(pilot, lambda: app.screen.query_one(LessonPane).has_focus)
    await pilot.press("enter", *"loops", "enter")
    await wait_until(pilot, lambda: "To do" in shown(app))
    guide.watch()
    await pilot.press("alt+right", "alt+right")
    await wait_until(pilot, lambda: form.settings.temperature == 1.0)
    assert app.preferences.settings.sampling == guide.course.state.sampling  # also if the terminal is closed now
    guide.open(guide.course.lessons[0])
    await wait_until(pilot, lambda: form.settings.temperature == 0.8)
    await wait_until(pilot, lambda: app.screen.query_one(LessonPane).has_focus)


@pytest.mark.parametrize("language", ["en", "de"])
async def test_each_task_and_what_is_still_to_do_fit_into_the_strip_of_a_small_terminal(language: str) -> None:
    words = labels_of(language)
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(80, 24)):
        for lesson in read_pack(language=language):
            task = wrap(f"▸ {words['task']}: {with_keys(app, lesson.texts.task)}", 76)
            left = wrap(f"{words['still_to_do']}: {'; '.join(lesson.texts.steps)}", 76)
            assert len(task) + len(left) <= 4, lesson.id


async def test_a_lesson_closes_the_microscope_which_hides_the_prompt() -> None:
    make_model("shakespeare", architecture=GPTSettings(vocab_size=3))
    app = TinyGPTApp(engine := FakeEngine())
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: app.screen.chooser.card is not None)  # type: ignore[attr-defined]
        await pilot.press(*"abc", "enter")
        await wait_until(pilot, lambda: engine.asked)
        engine.begin()
        engine.write("xyz")
        engine.end()
        await wait_until(pilot, lambda: app.screen.pane.editor.current.reason)  # type: ignore[attr-defined]
        await pilot.press("f5")
        await wait_until(pilot, lambda: not app.screen.query_one("#prompt").display)
        await pilot.press("alt+l")
        await wait_until(pilot, lambda: isinstance(app.screen, LessonList))
        await pilot.press("enter")
        await wait_until(pilot, lambda: app.screen.query(LessonPane) and app.screen.query_one(LessonPane).has_focus)
        assert app.screen.query_one("#prompt").display


@pytest.mark.parametrize("language", ["en", "de"])
async def test_beside_a_tab_no_title_is_cut(language: str) -> None:
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(140, 40)) as pilot:
        guide = LessonGuide(app, SHIPPED, language)
        guide.open(guide.course.lessons[0])
        await wait_until(pilot, lambda: app.screen.query("#lesson-text"))
        for lesson in guide.course.lessons:
            guide.open(lesson)
            pane = app.screen.query_one(LessonPane)
            assert shown(app).startswith(f"{lesson.texts.title}\n"), lesson.id
            assert len(str(pane.border_title)) <= pane.region.width - 6, lesson.id
        guide.close()
