"""The layout of every tab at 80x24 and 140x40, compared with pictures that somebody has looked at.

After a wanted change: `pytest tests/ui/test_snapshots.py --snapshot-update`, and look at the pictures that differ.
"""

from __future__ import annotations

import importlib.metadata
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.numpy
from fakes import FakeEngine, make_model
from textual.pilot import Pilot
from textual.widgets import Input, Markdown, TextArea
from train_bench import STEPS, ScriptedRun, beginning, steps
from wait import shown, wait_until
from walk_bench import walk

from tinygpt_tui import paths
from tinygpt_tui.events.training import Finding, Saved
from tinygpt_tui.runs.timeline import path_of
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.generate.screen import GenerateScreen
from tinygpt_tui.ui.inspect.screen import InspectScreen
from tinygpt_tui.ui.jobs.training_session import Phase
from tinygpt_tui.ui.models.card import CardScreen
from tinygpt_tui.ui.models.export import ExportScreen
from tinygpt_tui.ui.models.open_model import OpenModelScreen
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shared.setting_row import SettingRow
from tinygpt_tui.ui.shell.help import HelpScreen
from tinygpt_tui.ui.timeline.screen import TimeMachineScreen
from tinygpt_tui.ui.train.screen import TrainScreen

Compare = Callable[..., bool]
Play = Callable[[Pilot[None]], Awaitable[None]]

SMALL, LARGE = (80, 24), (140, 40)
both_sizes = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x40"])
NOON = 1_800_014_400.0  # 15 January 2027, 12:00 UTC: later than the shipped runs, so that the scripted ones come first
# Windows that end in what was written, and in the prompt; the first is the shipped model's own.
NARROW_WINDOW, WIDE_WINDOW = 128, 360

PROMPT = "ROMEO:\nBut soft, what light through yonder window breaks?"
WRITTEN = """
It is the east, and Juliet is the sun.
Arise, fair sun, and kill the envious moon,
Who is already sick and pale with grief,
That thou her maid art far more fair than she.

JULIET:
O Romeo, Romeo! wherefore art thou Romeo? Deny thy father and refuse thy name; or, if thou wilt not, be but sworn my \
love, and I'll no longer be a Capulet."""


def _pinned(package: str) -> str:
    """The version of a package that the pictures were taken with."""
    constraints = Path(__file__).resolve().parents[2] / "constraints.txt"
    found = re.search(rf"^{package}==(.+)$", constraints.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


pytestmark = pytest.mark.skipif(
    any(importlib.metadata.version(package) != _pinned(package) for package in ("textual", "rich")),
    reason="the pictures are of the versions of Textual and Rich in constraints.txt; others draw differently",
)


@pytest.fixture(autouse=True)
def stillness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hold still what moves: the clock, its zone, the cursor, home, what was built, and the terminal's wishes."""
    monkeypatch.setattr("train_bench.time", SimpleNamespace(time=lambda: NOON))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for box in (Input, TextArea):
        monkeypatch.setattr(box, "cursor_blink", False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "home", lambda: Path("home"))
    monkeypatch.setattr("tinygpt_tui.planning.cost.load_library", lambda: None)  # a training takes less memory with it
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def app() -> TinyGPTApp:
    """The app with a fake engine, and without motion."""
    app = TinyGPTApp(FakeEngine())
    app.animation_level = "none"
    return app


@pytest.fixture
def picture(app: TinyGPTApp, snap_compare: Compare) -> Callable[[Play, tuple[int, int]], bool]:
    """Play something on the app, then compare what it shows with the picture of it."""
    return lambda play, size: snap_compare(app, terminal_size=size, run_before=play)


Picture = Callable[[Play, tuple[int, int]], bool]


async def sees(pilot: Pilot[None], *texts: str) -> None:
    """Wait until all `texts` stand on the screen."""
    await wait_until(pilot, lambda: all(text in shown(pilot.app) for text in texts))


async def generate_tab(pilot: Pilot[None]) -> GenerateScreen:
    """Wait until the models are there, and all boxes of the sampling settings."""
    screen = pilot.app.screen
    assert isinstance(screen, GenerateScreen)
    await wait_until(pilot, lambda: screen.pane.output.border_title == "shakespeare")
    await wait_until(pilot, lambda: screen.query(SettingRow) and screen.query("SettingRow Input"))
    await sees(pilot, "block size")
    return screen


async def generate(pilot: Pilot[None]) -> None:
    """Have a whole generation happen; the text is longer than the model's window."""
    screen, engine = await generate_tab(pilot), pilot.app.engine  # type: ignore[attr-defined]
    screen.query_one(PromptBox).text = PROMPT
    await pilot.press("enter")
    await wait_until(pilot, lambda: engine.asked)
    engine.begin()
    engine.write(WRITTEN)
    engine.end()
    await sees(pilot, "-token limit", "Capulet.")


async def train_tab(pilot: Pilot[None]) -> TrainScreen:
    """Go to Train and wait until the text is read."""
    await generate_tab(pilot)
    await pilot.press("f3")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainScreen) and pilot.app.screen.is_mounted)
    screen = pilot.app.screen
    assert isinstance(screen, TrainScreen)
    await wait_until(pilot, lambda: screen.form.state.facts is not None)
    await sees(pilot, "1,050,238 characters", "epochs")
    return screen


async def runs_dialog(pilot: Pilot[None]) -> TrainScreen:
    """Open the list of runs."""
    screen = await train_tab(pilot)
    await pilot.press("ctrl+o")
    await wait_until(pilot, lambda: pilot.app.screen.is_modal)
    await sees(pilot, "scripted", "finished")
    return screen


@pytest.fixture
def finished() -> None:
    """A run of the user's own that has come to its end."""
    run = ScriptedRun()
    make_model("scripted", loss=1.7455)
    run.write(beginning())
    run.write([*steps(1, STEPS), Saved(STEPS, "best"), Saved(STEPS, "resume")])
    run.end("finished", STEPS)


@both_sizes
def test_generate_at_the_start(picture: Picture, size: tuple[int, int]) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await generate_tab(pilot)

    assert picture(play, size)


@pytest.mark.parametrize(
    ("size", "window"), [(SMALL, NARROW_WINDOW), (LARGE, WIDE_WINDOW)], ids=["80x24-written", "140x40-prompt"]
)
def test_generate_with_text_beyond_the_window(
    picture: Picture, size: tuple[int, int], window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fakes.BLOCK_SIZE", window)
    assert picture(generate, size)


@both_sizes
def test_generate_with_the_microscope(picture: Picture, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fakes.BLOCK_SIZE", NARROW_WINDOW)

    async def play(pilot: Pilot[None]) -> None:
        await generate(pilot)
        screen, engine = pilot.app.screen, pilot.app.engine  # type: ignore[attr-defined]
        assert isinstance(screen, GenerateScreen)
        await pilot.press("f6", "f5", *["right"] * 5)
        answered: list[int] = []  # jobs
        while screen.pane.glass.index.info(len(PROMPT) + 5).state != "known":
            await wait_until(pilot, lambda: engine.asked_why and engine.asked_why[-1].job not in answered)
            answered.append(engine.asked_why[-1].job)
            engine.explain_next()
            await wait_until(
                pilot, lambda: screen.pane.glass.index.question is None or engine.asked_why[-1].job not in answered
            )
        await sees(pilot, "probability", "rank 2")

    assert picture(play, size)


def test_generate_by_day(picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fakes.BLOCK_SIZE", WIDE_WINDOW)

    async def play(pilot: Pilot[None]) -> None:
        await generate(pilot)
        await pilot.press("ctrl+n")
        await wait_until(pilot, lambda: pilot.app.theme == "tinygpt-light")

    assert picture(play, LARGE)


def test_generate_with_the_drawer_of_sampling(picture: Picture) -> None:
    async def play(pilot: Pilot[None]) -> None:
        screen = await generate_tab(pilot)
        await pilot.press("ctrl+t")
        await wait_until(pilot, lambda: isinstance(screen.focused, Input))
        await sees(pilot, "sampling", "temperature")

    assert picture(play, SMALL)


def test_generate_with_the_drawer_of_models(picture: Picture) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await generate_tab(pilot)
        await pilot.press("ctrl+o")
        await sees(pilot, "models", "shakespeare-small")

    assert picture(play, SMALL)


@both_sizes
def test_train_with_the_form(picture: Picture, size: tuple[int, int]) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await train_tab(pilot)

    assert picture(play, size)


@both_sizes
@pytest.mark.usefixtures("finished")
def test_train_with_a_finished_run(picture: Picture, size: tuple[int, int]) -> None:
    async def play(pilot: Pilot[None]) -> None:
        screen = await runs_dialog(pilot)
        await pilot.press("enter")
        await wait_until(pilot, lambda: screen.session is not None and screen.session.phase is Phase.FINISHED)
        await sees(pilot, "Done:", "step 100 of 100", "validation")

    assert picture(play, size)


@pytest.mark.usefixtures("finished")
def test_train_with_the_list_of_runs(picture: Picture) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await runs_dialog(pilot)

    assert picture(play, SMALL)


@pytest.fixture
def others() -> None:
    """A file of the lecture's, whose name tells what shapes do not, and one that broke off."""
    folder = paths.models_folder() / "model-fables-16-ctx-1-lyr-2-head-600-iters-16-batch"
    folder.mkdir(parents=True)
    shapes: dict[str, tuple[int, ...]] = {
        "token_embedding_table.weight": (65, 8), "position_embedding_table.weight": (16, 8),
        **{f"blocks.0.sa.heads.{h}.{part}.weight": (4, 8) for h in (0, 1) for part in ("key", "query", "value")},
        "blocks.0.sa.proj.weight": (8, 8), "blocks.0.sa.proj.bias": (8,), "blocks.0.ffwd.net.0.weight": (32, 8),
        "blocks.0.ffwd.net.0.bias": (32,), "blocks.0.ffwd.net.2.weight": (8, 32), "blocks.0.ffwd.net.2.bias": (8,),
        **{f"{norm}.{kind}": (8,) for norm in ("blocks.0.ln1", "blocks.0.ln2", "ln_f") for kind in ("weight", "bias")},
        "lm_head.weight": (65, 8), "lm_head.bias": (65,),
    }  # fmt: skip
    tensors = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    (paths.models_folder() / "broken.pt").write_bytes(b"PK\x03\x04 and no more")


async def card_of_another(pilot: Pilot[None], *steps: str) -> None:
    """Go through the list of models with these keys, and show the card of where that leads."""
    await generate_tab(pilot)
    await pilot.press("ctrl+o", *steps, "i")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, CardScreen))
    await sees(pilot, "esc Back")


@both_sizes
@pytest.mark.usefixtures("others")
def test_card_of_another_programs_model(picture: Picture, size: tuple[int, int]) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await card_of_another(pilot, "up")
        await sees(pilot, "C Copy", "where each fact comes from", "100.0%")

    assert picture(play, size)


@pytest.mark.usefixtures("others")
def test_card_of_a_file_that_broke_off(picture: Picture) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await card_of_another(pilot, "up", "up")
        await sees(pilot, "this cannot be opened", "d Delete")

    assert picture(play, SMALL)


@pytest.mark.usefixtures("others")
def test_export_by_day(picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinygpt_tui.ui.models.export.Path.cwd", staticmethod(lambda: Path("/here")))

    async def play(pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+n")
        await card_of_another(pilot, "up")
        await sees(pilot, "e Export")
        await pilot.press("e")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ExportScreen))
        await sees(pilot, "nanogpt", "Enter to export")

    assert picture(play, SMALL)


@pytest.mark.usefixtures("others")
def test_open_a_model(picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinygpt_tui.ui.generate.model_chooser.Path.cwd", staticmethod(lambda: Path("home")))

    async def play(pilot: Pilot[None]) -> None:
        await generate_tab(pilot)
        await pilot.press("ctrl+o", "o")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, OpenModelScreen))
        await sees(pilot, "models", "hf:NAME")

    assert picture(play, SMALL)


async def inspect_tab(pilot: Pilot[None]) -> InspectScreen:
    """Walk through a tiny net, to the attention of its first block."""
    screen, engine = await generate_tab(pilot), pilot.app.engine  # type: ignore[attr-defined]
    screen.query_one(PromptBox).text = "a bad cab"
    await pilot.press("f10")
    await wait_until(pilot, lambda: engine.traced)
    engine.say(*walk("wide", "a bad cab", engine.traced[-1].job))
    inspect = pilot.app.screen
    assert isinstance(inspect, InspectScreen)
    await wait_until(pilot, lambda: inspect.walked.steps)
    await pilot.press("down", "down", "down", "down", "right", "down", "right", *["down"] * 4)
    await sees(pilot, "w = softmax(mask(q kᵀ / √16))", "block 1 › attention")
    return inspect


@both_sizes
def test_inspect_walks_through_a_net(picture: Picture, size: tuple[int, int]) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await inspect_tab(pilot)

    assert picture(play, size)


def test_inspect_by_day_with_the_attention_of_all_heads(picture: Picture) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await inspect_tab(pilot)
        await pilot.press("2", "ctrl+n")
        await wait_until(pilot, lambda: pilot.app.theme == "tinygpt-light")
        await sees(pilot, "attends to")

    assert picture(play, SMALL)


def test_inspect_with_the_guess_after_each_layer(picture: Picture) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await inspect_tab(pilot)
        await pilot.press("3")
        await sees(pilot, "after each layer")

    assert picture(play, LARGE)


@both_sizes
def test_help(picture: Picture, size: tuple[int, int]) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await generate_tab(pilot)
        await pilot.press("f1")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        await wait_until(pilot, lambda: pilot.app.screen.query_one(Markdown).children)
        await sees(pilot, "The prompt: the text", "Enter generates")

    assert picture(play, size)


@pytest.fixture
def live() -> ScriptedRun:
    """A run in training that has kept a few moments."""
    run = ScriptedRun("sketch")
    run.live(until=40)
    run.folder.timeline.mkdir()
    for step in (0, 2, 5, 10, 20, 40):
        path_of(run.folder, step).write_bytes(b"weights")
    return run


def test_the_time_machine_by_day(picture: Picture, live: ScriptedRun) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await generate_tab(pilot)
        await pilot.press("ctrl+n", "f3")
        await sees(pilot, "step 40 of 100", "validation")
        await pilot.press("h")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TimeMachineScreen))
        engine = pilot.app.engine  # type: ignore[attr-defined]
        await wait_until(pilot, lambda: engine.asked)
        engine.begin(step=40)
        engine.write("To be, or not to be: that is the question.")
        engine.end()
        await sees(pilot, "the question", "6 of 6")

    assert picture(play, LARGE)


@both_sizes
@pytest.mark.usefixtures("no_shipped_models", "live", "finished")
def test_runs(picture: Picture, size: tuple[int, int]) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await sees(pilot, "scripted")
        if size == LARGE:
            await pilot.press("ctrl+n")
        await pilot.press("f7")
        await sees(pilot, "sketch", "running", "scripted", "best at step")
        if size == LARGE:
            await sees(pilot, "sample at step")

    assert picture(play, size)


def test_train_with_the_doctor_before_a_start(picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        Finding(0, "mojibake", "warning", "2 places where UTF-8 was read as Latin-1", "It would learn them.", place=9),
        Finding(0, "by-heart", "warning", "it will learn the text by heart", remedy={"dropout": "0.2"}),
        Finding(0, "one-batch", "fine", "the net can learn a batch by heart"),
    ]

    class Examiner:
        def __init__(self, case: object) -> None:
            pass

        def __iter__(self) -> Iterator[Finding]:
            return iter(found)

        def close(self) -> None:
            pass

    monkeypatch.setattr("tinygpt_tui.ui.train.draft_doctor.Examiner", Examiner)

    async def play(pilot: Pilot[None]) -> None:
        await train_tab(pilot)
        await pilot.press("ctrl+y")
        await sees(pilot, "done  enter", "set dropout 0.2 in the form")

    assert picture(play, SMALL)
