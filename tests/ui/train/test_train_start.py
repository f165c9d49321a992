"""Before a start: a model to begin with, and the doctor's word on the training in the form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from makers import MODERN, TEXT, make_model
from textual.widgets import Checkbox, Input, Select, Static
from train_bench import TrainBench, train_tab

from tinygpt_tui import paths
from tinygpt_tui.events.training import Finding, Progress
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.training.fine_tuning import RATE
from tinygpt_tui.ui.jobs.training_session import TrainingSession
from tinygpt_tui.ui.train import screen as train
from tinygpt_tui.ui.train.base_model import NOTHING
from tinygpt_tui.ui.train.doctor import TrainDoctor
from tinygpt_tui.ui.train.form import PresetSelect
from tinygpt_tui.workers.examiner import Case

pytestmark = pytest.mark.usefixtures("no_shipped_models")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "letters.txt"
    path.write_text("abc fed gih kj\nzü" * 400, encoding="utf-8")
    return path


def choose(bench: TrainBench, value: str) -> None:
    bench.form.query_one("#start-from", Select).value = value


async def test_a_training_starts_from_a_model(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = paths.models_folder() / "one"
    make_model(model, MODERN)
    monkeypatch.setattr(TrainingSession, "launch", lambda self: None)
    async with train_tab((80, 24)) as bench:
        await bench.choose(text)
        await bench.until(lambda: bench.form.state.facts and bench.form.state.facts.reference.name == "letters")
        assert bench.form.state.preset_name == "timed"  # for a text of one's own
        own_rate = ALL_PRESETS["timed"].training.learning_rate
        choose(bench, str(model))
        await bench.sees("adds 2 new characters: zü")
        assert bench.form.name_row.text == "one-letters"
        settings = bench.form.settings
        assert settings is not None
        assert settings.architecture == msgspec.structs.replace(MODERN, vocab_size=MODERN.vocab_size + 2)
        assert settings.learning_rate == pytest.approx(RATE * own_rate)
        row = bench.row("n_layer")
        assert row.box.disabled
        assert "fixed by one" in str(row.query_one(".-note", Static).render())
        await bench.set("dropout", "0.3")  # changes no weight
        assert not bench.form.query_one("#setting-dropout", Input).disabled
        await bench.pilot.press("ctrl+g")
        await bench.until(lambda: bench.screen.session is not None)
        made = RunFolder(paths.models_folder() / "one-letters").read_settings()
        assert made.start is not None
        assert (made.start.name, made.start.path, made.preset) == ("one", str(model.resolve()), "")
        assert made.training.architecture.dropout == 0.3
        await bench.sees("from one, trained on letters")

        # Another one of the same kind, and then from nothing again.
        bench.screen.action_new()
        choose(bench, NOTHING)
        await bench.until(lambda: not bench.form.query_one("#setting-n_layer", Input).disabled)
        assert bench.form.state.preset_name == "timed"
        assert bench.form.name_row.text == "letters"


async def test_a_model_of_another_kind_and_one_that_is_gone(text: Path) -> None:
    from makers import VARIANTS

    for name in ("gru", "broken"):
        make_model(paths.models_folder() / name, VARIANTS["gru"])
    async with train_tab() as bench:
        await bench.choose(text)
        await bench.until(lambda: bench.form.state.facts and bench.form.state.facts.reference.name == "letters")
        choose(bench, str(paths.models_folder() / "gru"))
        await bench.until(lambda: bench.form.query("#setting-n_hidden"))
        await bench.until(lambda: bench.form.query_one("#setting-n_hidden", Input).disabled)
        (paths.models_folder() / "broken" / "weights.safetensors").unlink()
        choose(bench, str(paths.models_folder() / "broken"))
        await bench.sees("✗ broken has no weights yet")
        await bench.until(lambda: bench.form.query("#setting-n_head"))
        await bench.until(lambda: bench.start_enabled)


async def test_from_the_list_of_models(text: Path) -> None:
    model = paths.models_folder() / "one"
    make_model(model)
    async with train_tab() as bench:
        await bench.pilot.press("f2", "ctrl+o")
        await bench.until(
            lambda: "Fine-tune" in {b.binding.description for b in bench.app.screen.active_bindings.values()}
        )
        await bench.pilot.press("t")
        await bench.until(lambda: isinstance(bench.app.screen, train.TrainScreen))
        await bench.until(lambda: bench.form.state.start is not None and bench.form.state.start.name == "one")


async def test_the_doctor_before_a_start(tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text(TEXT + "Ã©", encoding="utf-8")
    async with train_tab((80, 24)) as bench:
        await bench.choose(path)
        await bench.until(lambda: bench.form.state.facts and bench.form.state.facts.reference.name == "short")
        bench.form.query_one(PresetSelect).value = "quick"
        await bench.until(lambda: bench.form.state.preset == "quick")
        for name, value in (("n_embd", "16"), ("n_layer", "1"), ("steps", "90000")):
            await bench.set(name, value)
        await bench.pilot.press("ctrl+y")
        await bench.until(lambda: bench.app.screen.is_modal)
        await bench.sees("done  enter")
        doctor = bench.app.screen.query_one(TrainDoctor)
        found = {finding.check: finding for finding in doctor._findings}
        assert found["one-batch"].level in ("fine", "hint")
        assert found["initial-loss"].level == "fine"
        assert found["mojibake"].place is not None
        assert found["by-heart"].remedy == {"dropout": "0.2"}
        doctor.highlighted = list(found).index("by-heart")
        await bench.pilot.press("enter")
        await bench.until(lambda: not bench.app.screen.is_modal)
        assert bench.form.query_one("#setting-dropout", Input).value == "0.2"
        await bench.sees("changed: ")


async def test_what_the_doctor_finds_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        Progress(0, "survey", 0.5),
        Finding(0, "addresses", "hint", "1 e-mail address", place=1, action="leave-out-addresses"),
    ]

    class Examiner:
        def __init__(self, case: Case) -> None:
            assert case.own

        def __iter__(self) -> Iterator[Finding | Progress]:
            return iter(found)

        def close(self) -> None:
            pass

    monkeypatch.setattr("tinygpt_tui.ui.train.draft_doctor.Examiner", Examiner)
    path = tmp_path / "short.txt"
    path.write_text(TEXT + "write to bob@here.org", encoding="utf-8")
    async with train_tab((80, 24)) as bench:
        await bench.choose(path)
        await bench.until(lambda: bench.form.state.facts and "@" in bench.form.state.facts.characters)
        await bench.pilot.press("ctrl+y")
        await bench.until(lambda: bench.app.screen.is_modal)
        await bench.sees("leave them out")
        doctor = bench.app.screen.query_one(TrainDoctor)
        doctor.highlighted = [finding.check for finding in doctor._findings].index("addresses")
        await bench.pilot.press("enter")
        await bench.until(lambda: bench.form.state.facts and "@" not in bench.form.state.facts.characters)
        box = bench.form.query_one("#left-out-addresses", Checkbox)
        assert box.value
        box.focus()
        await bench.pilot.press("space")
        await bench.until(lambda: bench.form.state.facts and "@" in bench.form.state.facts.characters)
