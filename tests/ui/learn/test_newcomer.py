"""All twenty lessons, done by keys at 80x24 with the real engine; the runs are short ones that were made before."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from newcomer import Newcomer, scripted_trainer, write_text
from textual.widgets import Input, OptionList, Select
from wait import wait_until

from tinygpt_tui import files, paths
from tinygpt_tui.lessons.facts import Looked
from tinygpt_tui.lessons.progress import load_progress
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.learn.lesson_list import LessonList

BITS = r"surprise ([\d.]+) bits"

pytestmark = [pytest.mark.torch, pytest.mark.slow]


@pytest.fixture
def no_rest() -> None:
    """Draw as often as for a user: twenty lessons write thousands of tokens."""


@pytest.mark.timeout(1500)
async def test_a_newcomer_does_all_lessons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tinygpt_tui.ui.jobs.training_session.start_trainer", scripted_trainer)
    own = write_text(tmp_path / "own.txt")
    files.write_text(paths.settings_file(), 'pace = "full"\nrace_pace = "full"\n')
    app = TinyGPTApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: app.screen.chooser.card is not None)  # type: ignore[attr-defined]
        await pilot.press("alt+l")
        await wait_until(pilot, lambda: isinstance(app.screen, LessonList))
        await pilot.press("enter")
        me = Newcomer(app, pilot)
        await _generate_lessons(me)
        await _train_lessons(me, own)
        await _inspect_lessons(me)
        await _rnn_lesson(me)
        await _other_lessons(me, own)
    await app.engine.close()
    progress, _ = load_progress()
    assert len([one for one in progress.lessons.values() if one.done]) == 20


async def _write(me: Newcomer, prompt: str = "") -> None:
    """Generate from a prompt, or from the one that is there, and wait for the end."""
    if prompt:
        await me.pilot.press("end", "ctrl+u")
        await me.type(prompt)
    texts = me.app.screen.pane.editor.session.next_id  # type: ignore[attr-defined]
    await me.press("generate.generate")
    await _written(me, texts)


async def _written(me: Newcomer, texts: int) -> None:
    pane = me.app.screen.pane  # type: ignore[attr-defined]
    await me.until(lambda: pane.editor.session.next_id > texts and not pane.writing.busy and pane.editor.current.reason)


async def _pick(me: Newcomer, model: str) -> None:
    """Move to a model in the list of models that has the focus."""
    listing = me.app.screen.focused
    assert isinstance(listing, OptionList)
    await me.until(lambda: listing.option_count > 3)
    await me.press("home")
    for _ in range(listing.option_count):
        if f"{model} " in str(listing.get_option_at_index(listing.highlighted or 0).prompt):
            return
        await me.press("down")
    raise AssertionError(f"{model} is not in the list:\n{me.shown}")


async def _use(me: Newcomer, model: str) -> None:
    """Choose a model in the list."""
    chooser = me.app.screen.chooser  # type: ignore[attr-defined]
    if not chooser.has_focus_within:
        await me.press("generate.models")
    await me.until(lambda: chooser.has_focus_within)
    await _pick(me, model)
    await me.press("enter")
    await me.until(lambda: chooser.in_use.card.name == model and not chooser.has_focus_within)


async def _sample(me: Newcomer, **values: str) -> None:
    """Type sampling settings and generate with them."""
    texts = me.app.screen.pane.editor.session.next_id  # type: ignore[attr-defined]
    form = me.app.screen.form  # type: ignore[attr-defined]
    await me.press("generate.sampling")
    if not form.has_focus_within:
        await me.pilot.pause()
    if not form.display or not form.has_focus_within:
        await me.press("generate.sampling")
    await me.until(lambda: isinstance(me.app.screen.focused, Input) and form.has_focus_within)
    for name, value in values.items():
        await _tab_to(me, f"#sampling-{name}")
        await me.type(value)
    await me.press("enter")
    await _written(me, texts)
    if form.has_focus_within:
        await me.press("generate.sampling")
    await me.until(lambda: not form.has_focus_within)


async def _look(me: Newcomer) -> None:
    """Open the microscope, and wait until it says something."""
    await me.press("generate.microscope")
    await _bits(me)


async def _bits(me: Newcomer) -> str:
    """Return the surprise in the microscope, once it says something."""
    await me.until(lambda: re.search(BITS, me.shown))
    return me.finds(BITS)


async def _generate_lessons(me: Newcomer) -> None:
    await me.read(1)
    await _write(me, "ROMEO: kings")
    me.is_not_done()
    await _write(me, "ROMEO: 7 kings")
    await me.answer("64", "65")

    await me.read(2, "4")
    await _write(me)
    await _look(me)
    while float(await _bits(me)) < 4:
        await me.press("right")
    await me.is_done()
    bits = await _bits(me)
    await me.answer(str(float(bits) + 1), bits)
    await me.press("lesson.leave", "microscope.leave")

    await me.read(3)
    await _use(me, "shakespeare-small")
    await _sample(me, temperature="0")
    await _sample(me, temperature="1.5", top_p="0.5")
    await me.press("generate.branches")
    await me.until(lambda: me.app.screen.is_modal)
    await me.press("up", "enter")
    await me.until(lambda: not me.app.screen.is_modal)
    await _look(me)
    await me.answer("2", me.finds(r"rank (\d+)"))
    await me.press("lesson.leave", "microscope.leave")

    await me.read(4)
    await _use(me, "tales")
    await _write(me, "Tom")
    me.is_not_done()
    texts = me.app.screen.pane.editor.session.next_id  # type: ignore[attr-defined]
    await me.press("generate.go_on")
    await _written(me, texts)
    await me.answer("128", "8")

    await me.read(5, "1.5")
    await _use(me, "shakespeare")
    await me.press("generate.untrained")
    await _write(me)
    await _look(me)
    seen = me.app._lessons.course.state.seen  # type: ignore[union-attr]
    for count in (1, 2, 3):
        await me.until(lambda count=count: len({one.offset for one in seen if isinstance(one, Looked)}) >= count)
        await me.press("right")
    await me.is_done()
    await me.answer("4.17", await _bits(me))
    await me.press("lesson.leave", "microscope.leave", "generate.untrained")


async def _tab_to(me: Newcomer, selector: str) -> None:
    """Press Tab until a part of the form has the focus."""
    wanted, chain, focused = me.app.screen.query_one(selector), me.app.screen.focus_chain, me.app.screen.focused
    assert focused is not None
    there = next(at for at, widget in enumerate(chain) if wanted in widget.ancestors_with_self)
    await me.repeat("tab", (there - chain.index(focused)) % len(chain))
    await me.until(lambda: wanted.has_focus_within, f"{selector} cannot be reached")


async def _preset(me: Newcomer) -> None:
    """Choose the preset Seconds in the form."""
    await _tab_to(me, "#preset")
    await me.press("enter", "home", "enter")
    await me.until(lambda: me.app.screen.query_one("#preset", Select).value == "seconds")
    await me.until(lambda: me.app.screen.form.is_settled)  # type: ignore[attr-defined]


async def _start(me: Newcomer) -> None:
    form = me.app.screen.form  # type: ignore[attr-defined]
    await me.until(lambda: form.settings is not None, "the form cannot start")
    await me.press("train.start")
    await me.sees("finished")


async def _file(me: Newcomer, path: Path) -> None:
    await me.press("train.file")
    await me.until(lambda: me.app.screen.is_modal and isinstance(me.app.screen.focused, Input))
    await me.type(path.name)
    await me.press("enter")
    form = me.app.screen_stack[0].form  # type: ignore[attr-defined]
    await me.until(
        lambda: form.state.facts is not None and form.state.facts.reference.name == path.stem and not form.problem
    )


async def _train_lessons(me: Newcomer, own: Path) -> None:
    await me.read(6, "ln 58 = 4.06")
    await me.go("train")
    await me.until(lambda: me.app.screen.form.state.facts is not None)  # type: ignore[attr-defined]
    await _preset(me)
    await _start(me)
    await me.is_done()
    await me.press("pane.log")
    await me.answer("1.02", me.finds(r" 0  validation ([\d.]+)"))

    await me.read(7, "training")
    await me.go("generate")
    await _write(me, "ROMEO:")
    await me.press("generate.save")
    await me.until(lambda: me.app.screen.is_modal)
    await me.press("enter")
    await me.until(lambda: not me.app.screen.is_modal)
    await me.until(lambda: list(own.parent.glob("shakespeare-*.txt")))
    await me.go("train")
    await me.press("train.new")
    await _file(me, next(own.parent.glob("shakespeare-*.txt")))
    await _preset(me)
    await _start(me)
    await me.press("pane.doctor")
    await me.answer("12", me.finds(r"verfitting since step (\d+)"))

    await me.read(8)
    await me.go("runs")
    await _open_run(me, "shakespeare")
    await me.answer("1.44", me.finds(r"5-gram, by ([\d.]+) nats"))

    await _rate_lesson(me)


async def _rate_lesson(me: Newcomer) -> None:
    await me.read(9)
    if me.app.screen.session is not None:  # type: ignore[attr-defined]
        await me.press("train.new")
    await _corpus_tales(me)
    await _preset(me)
    await _tab_to(me, "#setting-learning_rate")
    await me.type("0.0002")
    await _start(me)
    await me.is_done()
    await me.go("runs")
    await me.sees("1.02")
    await me.answer("1.25", "1.02")


async def _corpus_tales(me: Newcomer) -> None:
    """Choose Tales in the form, where another text was chosen before."""
    await _tab_to(me, "#corpus")
    await me.press("enter", "home", "down", "enter")
    form = me.app.screen.form  # type: ignore[attr-defined]
    await me.until(lambda: form.state.facts is not None and form.state.facts.reference.name == "tales")


async def _open_run(me: Newcomer, name: str) -> None:
    """Open a run of the table."""
    table = me.app.screen.query_one("RunsTable")
    await me.until(lambda: table.selected is not None)  # type: ignore[attr-defined]
    await me.press("home")
    for _ in range(12):
        if table.selected.card.name == name:  # type: ignore[attr-defined]
            break
        await me.press("down")
    await me.press("runs.train")
    await me.until(lambda: me.app.current_mode == "train" and me.app.screen.session.name == name)  # type: ignore[attr-defined]
    await me.sees("Doctor")
    await me.press("pane.chart")
    await me.sees("5-gram, by")


async def _trace(me: Newcomer, prompt: str) -> None:
    """Have the model read a prompt in Inspect."""
    await me.press("inspect.prompt", "end", "ctrl+u")
    await me.type(prompt)
    await me.press("inspect.walk_prompt")
    await me.sees(f"of {len(prompt)}:")


async def _inspect_lessons(me: Newcomer) -> None:
    await me.read(10)
    await me.go("inspect")
    await me.until(lambda: me.app.screen.card is not None)  # type: ignore[attr-defined]
    await _trace(me, "ROMEO: But soft")
    await me.press("inspect.attention")
    await me.is_done()
    weights = {}
    for layer in range(1, 5):
        for head in range(1, 5):
            await me.sees(f"layer {layer} of 4   head {head} of 4")
            if "(1 back)" in me.shown:
                weights[layer, head] = int(me.finds(r"\(1 back\) (\d+)%"))
            await me.press("right")
        await me.press("down")
    best = max(weights, key=lambda one: weights[one])
    worst = min(weights, key=lambda one: weights[one])
    await me.answer(f"{worst[0]}.{worst[1]}", f"{best[0]}.{best[1]}")

    await me.read(11)
    await me.press("inspect.guesses")
    await me.is_done()
    column = [me.finds(rf"{row} .* (\S)\s*\n") for row in ("embedding", "block 1", "block 2", "block 3", "block 4")]
    settled = next(at for at in range(5) if len(set(column[at:])) == 1)
    await me.answer("0" if settled else "1", str(settled))

    await me.read(12, "the blocks")
    await me.press("inspect.parameters")
    await me.answer("805,120", me.finds(r"block 1 .*? ([\d,]{7})"))


async def _race(me: Newcomer, *models: str) -> None:
    """Have these models race, both trained."""
    await me.go("race")
    screen = me.app.screen
    await me.until(lambda: all(lane.contender.model for lane in screen.race.lanes))  # type: ignore[attr-defined]
    for number, model in enumerate(models):
        while not screen.panes[number].has_focus_within:  # type: ignore[attr-defined]
            await me.press("race.next")
        await me.pilot.press("m")
        await me.until(lambda: me.app.screen.is_modal)
        await me.until(lambda: isinstance(me.app.screen.focused, OptionList))
        await _pick(me, model)
        await me.press("enter")
        await me.until(lambda: not me.app.screen.is_modal)
        if screen.race.lanes[number].contender.untrained:  # type: ignore[attr-defined]
            await me.pilot.press("u")
    await me.press("escape")
    await me.until(lambda: screen.focused.id == "race-prompt")  # type: ignore[union-attr]
    await me.press("end", "ctrl+u")
    await me.type("ROMEO:")
    await me.press("enter")


async def _rnn_lesson(me: Newcomer) -> None:
    await me.read(13)
    await _race(me, "shakespeare", "shakespeare-rnn")
    await me.answer("2", f"{805 / 71:.1f}")


async def _other_lessons(me: Newcomer, own: Path) -> None:
    await me.read(14)
    await me.go("runs")
    await _open_run(me, "shakespeare")
    await me.press("train.compare")
    await me.until(lambda: me.app.screen.is_modal)
    options = me.app.screen.query_one(OptionList)
    while "the lecture" not in str(options.get_option_at_index(options.highlighted or 0).prompt):
        await me.press("down")
    await me.press("overlays.mark", "enter")
    await me.until(lambda: not me.app.screen.is_modal)
    await me.press("chart.yardsticks")
    await me.sees("one head")
    await me.answer("2.06", me.finds(r"one head ([\d.]+)"))

    await me.read(15, "2")
    await me.go("generate")
    await _write(me, "ROMEO:")
    await me.press("generate.surprise")
    me.is_not_done()  # the chart was not seen in bits
    await me.go("train")
    await me.press("pane.chart", "chart.view")
    await me.answer("1.391", me.finds(r"best ([\d.]+) @"))
    await me.press("lesson.leave", "chart.view-back")
    await me.go("generate")
    await me.press("generate.surprise")  # no colours from here on

    await _last_lessons(me, own)


async def _last_lessons(me: Newcomer, own: Path) -> None:
    await me.read(16, "41")
    await me.go("inspect")
    await me.press("inspect.walk")
    sentence = "To be, or not to be, that is the question"
    await _trace(me, sentence)
    await me.answer("10", me.finds(r"token \d+ of (\d+)"))

    await me.read(17)
    await me.go("train")
    await me.press("train.new")
    await _file(me, own)
    await _preset(me)
    different = me.finds(r"(\d+) different")
    await _start(me)
    await me.answer(str(int(different) + 1), different)

    await me.read(18, "lower")
    await me.go("generate")
    await me.press("generate.models")
    chooser = me.app.screen.chooser  # type: ignore[attr-defined]
    await me.until(lambda: chooser.has_focus_within)
    await _pick(me, "shakespeare-small")
    await me.press("t")
    await me.until(lambda: me.app.current_mode == "train")
    await _file(me, own)
    await _start(me)
    await me.press("pane.log")
    await me.answer("4.17", me.finds(r" 0  validation ([\d.]+)"))

    await _judging_lessons(me)


async def _judging_lessons(me: Newcomer) -> None:
    await me.read(19)
    await me.go("generate")
    await _use(me, "shakespeare")
    await _sample(me, temperature="1", top_p="1")
    await me.press("generate.microscope")
    await me.sees("rank ")
    right, seen = 0, 0
    for _ in range(200):
        await me.sees("rank ")
        if 50 <= float(me.finds(r"1 [▸ ] .*?([\d.]+)%")) <= 80:
            seen, right = seen + 1, right + (me.finds(r"rank (\d+)") == "1")
        if seen >= 11:
            break
        await me.press("right")
    share = 100 * right / seen
    await me.answer(str(share - 40 if share > 50 else share + 40), f"{share:.0f}")
    await me.press("lesson.leave", "microscope.leave")

    await me.read(20, "1")
    await _race(me, "shakespeare-small", "shakespeare")
    await me.answer("2.72", f"{2.147 - 1.391:.2f}")
