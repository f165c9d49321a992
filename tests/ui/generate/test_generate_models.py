"""The model picker inside the Generate tab: choosing, filtering, live marks, and nothing to choose."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import generate_bench
import msgspec
import numpy as np
import pytest
import safetensors.numpy
from fakes import FakeEngine, make_model
from textual.pilot import Pilot
from textual.widgets import Input, OptionList
from wait import wait_until

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.card import ORIGIN, ModelCard, Origin, read_config, write_config
from tinygpt_tui.foreign.facts import Fact
from tinygpt_tui.runs.control import process_started_at
from tinygpt_tui.runs.folder import CorpusReference, RunFolder, RunSettings, RunState, RunStatus
from tinygpt_tui.settings.model_config import Adapter, TrainedOn
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.generate.screen import GenerateScreen
from tinygpt_tui.ui.models.model_list import ModelList
from tinygpt_tui.ui.models.model_picker import ModelPicker, details_of
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shell.key_bar import KeyBar
from tinygpt_tui.ui.shell.preferences import Preferences

pytestmark = pytest.mark.usefixtures("no_shipped_models")


def shown(app: TinyGPTApp) -> list[str]:
    """Return the picker's rows as text."""
    screen = app.screen
    assert isinstance(screen, GenerateScreen)
    return [str(option.prompt) for option in screen.query_one("#models OptionList", OptionList).options]


async def picked(app: TinyGPTApp, pilot: Pilot[None], name: str) -> GenerateScreen:
    """Wait until the model of this name is in use."""
    screen = app.screen
    assert isinstance(screen, GenerateScreen)
    await wait_until(pilot, lambda: screen.pane.output.border_title == name)
    return screen


def train(model: Path, state: RunState, step: int) -> None:
    """Leave a run folder as this very process would if it were the trainer."""
    model.mkdir(parents=True, exist_ok=True)
    run = RunFolder(model)
    corpus = CorpusReference(name="text", path="text.txt")
    run.write_settings(RunSettings(name=model.name, created=0.0, corpus=corpus, training=TrainingSettings(steps=100)))
    run.write_status(
        RunStatus(
            state=state, step=step, steps=100, pid=os.getpid(), pid_created=process_started_at(), time=time.time()
        )
    )


async def test_the_list_of_models_shows_its_keys_first_and_a_text_keeps_its_writer() -> None:
    async with generate_bench.opened(size=(80, 24), models=("one", "two")) as bench:
        await bench.write("ab", "cd")
        await bench.pilot.press("ctrl+o")
        await bench.until(lambda: isinstance(bench.screen.focused, OptionList))
        bar = bench.screen.query_one(KeyBar)
        await bench.until(lambda: all(key in bar.render().plain for key in ("i Model card", "o Open", "t Fine-tune")))
        written_by = bench.screen.chooser.in_use.name
        assert "by" not in str(bench.screen.pane.output.border_subtitle)
        await bench.pilot.press("down" if written_by == "one" else "up")
        await bench.until(lambda: bench.screen.chooser.in_use.name != written_by)
        await bench.until(lambda: f"by {written_by}" in str(bench.screen.pane.output.border_subtitle))


async def test_when_the_model_in_use_is_gone_it_is_said_who_writes_now() -> None:
    async with generate_bench.opened(size=(80, 24), models=("one", "two")) as bench:
        used = bench.screen.chooser.in_use.name
        shutil.rmtree(paths.models_folder() / used)
        bench.screen.chooser.refresh_models()
        other = "two" if used == "one" else "one"
        await bench.until(lambda: f"{used} is missing; {other} is used" in bench.notes)


async def test_a_row_says_size_architecture_loss_and_origin() -> None:
    make_model("one")
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(140, 40)) as pilot:
        await picked(app, pilot, "one")
        (row,) = shown(app)
        for said in ("▸ one", "810k", "gpt", "loss 1.50", "yours"):
            assert said in row


async def test_an_adapter_is_under_its_base_and_weighed_by_keys_and_by_name() -> None:
    for name in ("one", "another"):
        folder = make_model(name)
    adapter = Adapter(base="one", path=str(paths.models_folder() / "one"), rank=2)
    write_config(folder, msgspec.structs.replace(read_config(folder), adapter=adapter))
    (folder / "weights.safetensors").write_bytes(safetensors.numpy.save({"x.lora_B": np.zeros((1, 2))}))
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(140, 40)) as pilot:
        await picked(app, pilot, "one")
        first, second = shown(app)
        assert "▸ one" in first
        assert "└ another" in second
        assert "rank-2 adapter · loss 1.50" in second
        await pilot.press("ctrl+o", "down")
        await picked(app, pilot, "another")
        await pilot.press("left_square_bracket")
        await picked(app, pilot, "one+another×0.9")
        await wait_until(pilot, lambda: any("└ another×0.9" in row for row in shown(app)))
        await pilot.press("right_square_bracket")
        await picked(app, pilot, "one+another×1")
        await pilot.press("slash", *"another:0.5", "enter")
        await picked(app, pilot, "one+another×0.5")
        await wait_until(pilot, lambda: not app.screen.query_one(ModelPicker).query_one(Input).value)
        assert sum("another" in row for row in shown(app)) == 2  # only the last mix


async def test_moving_picks_opens_remembers_and_keeps_the_prompt() -> None:
    for name in ("one", "two", "three"):
        make_model(name)
    engine = FakeEngine()
    app = TinyGPTApp(engine)
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await picked(app, pilot, "one")
        await wait_until(pilot, lambda: [Path(path).name for path in engine.opened] == ["one"])
        await pilot.press(*"prompt", "ctrl+o", "down")
        await picked(app, pilot, "three")
        await pilot.press("down")
        await picked(app, pilot, "two")
        await wait_until(pilot, lambda: Path(engine.opened[-1]).name == "two")
        await pilot.press("enter")
        assert isinstance(screen.focused, PromptBox)
        assert screen.focused.text == "prompt"
        await wait_until(pilot, lambda: Preferences().settings.model == "two")
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(140, 40)) as pilot:
        await picked(app, pilot, "two")


async def test_shakespeare_is_the_first_choice() -> None:
    for name in ("a model", "shakespeare"):
        make_model(name)
    app = TinyGPTApp(FakeEngine())
    async with app.run_test() as pilot:
        await picked(app, pilot, "shakespeare")


async def test_typing_filters_and_enter_takes_the_first() -> None:
    for name in ("one", "two", "three"):
        make_model(name)
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await picked(app, pilot, "one")
        screen.pane.output.focus()
        await pilot.press("slash", *"thr")
        await wait_until(pilot, lambda: len(shown(app)) == 1)
        assert screen.pane.output.border_title == "one"
        await pilot.press("enter")
        await picked(app, pilot, "three")
        assert len(shown(app)) == 3
        await pilot.press("ctrl+o", "slash", *"none such")
        await wait_until(pilot, lambda: screen.query_one(ModelPicker).has_class("-empty"))


async def test_a_model_whose_letters_are_a_guess_says_so_in_its_row() -> None:
    make_model("imported")
    guess = Fact(name="vocabulary", value="65 characters", source="convention", detail="tiny Shakespeare's")
    origin = Origin(layout="nanogpt", path="ckpt.pt", facts=(guess,))
    (paths.models_folder() / "imported" / ORIGIN).write_bytes(msgspec.json.encode(origin))
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until(pilot, lambda: any("? its letters are a guess" in row for row in shown(app)))


async def test_a_model_with_a_problem_says_so_and_cannot_be_picked() -> None:
    make_model("broken", weights=False)
    make_model("one")
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await picked(app, pilot, "one")
        assert "no weights yet" in shown(app)[0]
        await pilot.press("ctrl+o", "up")
        assert screen.pane.output.border_title == "one"
        picker = screen.query_one(ModelPicker)
        await wait_until(pilot, lambda: picker.resting is not None and picker.resting.name == "broken")
        await pilot.press("down")
        await wait_until(pilot, lambda: picker.resting is None)


async def test_a_training_is_marked_and_its_stamp_shown() -> None:
    train(make_model("one"), "running", 45)
    engine = FakeEngine()
    app = TinyGPTApp(engine)
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await picked(app, pilot, "one")
        assert "● 45%" in shown(app)[0]
        await pilot.press("enter")
        await wait_until(pilot, lambda: engine.asked)
        engine.begin(step=2400, loss=1.62, in_training=True)
        await wait_until(pilot, lambda: screen.pane.output.border_title == "one · step 2,400 (newest), loss 1.62")


async def test_looking_again_keeps_the_choice_and_shows_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinygpt_tui.ui.generate.screen.REFRESH_EVERY_S", 0.05)
    folder = make_model("one")
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await picked(app, pilot, "one")
        make_model("another")
        train(paths.models_folder() / "begun", "running", 0)
        await wait_until(pilot, lambda: len(shown(app)) == 3)
        assert screen.pane.output.border_title == "one"
        assert "no weights yet" in shown(app)[1]
        train(folder, "paused", 70)
        await wait_until(pilot, lambda: "‖ 70%" in shown(app)[2])
        listing = screen.query_one("#models OptionList", OptionList)
        assert listing.highlighted == 2


async def test_without_models_the_way_out_is_shown() -> None:
    engine = FakeEngine()
    app = TinyGPTApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = app.screen
        assert isinstance(screen, GenerateScreen)
        await wait_until(pilot, lambda: "Train" in screen.pane.output.hint)
        await pilot.press("enter")
        await wait_until(pilot, lambda: len(app._notifications) == 1)
        assert engine.asked == []
        make_model("one")
        screen.on_screen_resume()
        await picked(app, pilot, "one")


async def test_a_click_picks() -> None:
    for name in ("one", "two"):
        make_model(name)
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await picked(app, pilot, "one")
        await pilot.click("#models OptionList", offset=(5, 3))
        await picked(app, pilot, "two")
        assert isinstance(screen.focused, PromptBox)
        assert not screen.query_one("#models Input", Input).has_focus


def test_a_loss_from_a_part_of_the_split_is_marked_in_the_list() -> None:
    trained = TrainedOn(corpus="tales", step=9, validation_loss=1.62, tokens=4096)
    card = ModelCard(name="one", path="/models/one", origin="yours", trained=trained)
    assert details_of(card, 40, untrained=False).endswith("loss ≈1.6")
    whole = msgspec.structs.replace(card, trained=msgspec.structs.replace(trained, tokens=0))
    assert details_of(whole, 40, untrained=False).endswith("loss 1.62")
    calibrated = msgspec.structs.replace(whole, is_calibrated=True)  # and so not the best loss of its run
    assert details_of(calibrated, 40, untrained=False).endswith("loss 1.62 calibrated")
    assert details_of(calibrated, 12, untrained=False).endswith("loss 1.62")  # where there is room
    assert "loss" not in details_of(whole, 40, untrained=True)


async def test_the_app_looks_for_models_once_when_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    look = ModelList.refresh

    def counted(models: ModelList) -> bool:
        looks.append("look")
        return look(models)

    monkeypatch.setattr(ModelList, "refresh", counted)
    monkeypatch.setattr("tinygpt_tui.ui.generate.screen.REFRESH_EVERY_S", 3600.0)
    make_model("one")
    app = TinyGPTApp(FakeEngine())
    async with app.run_test() as pilot:
        await picked(app, pilot, "one")
        assert looks == ["look"]
