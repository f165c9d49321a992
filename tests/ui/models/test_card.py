"""A model's card as the user sees it: what is known, and what can be done with the model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from generate_bench import Bench, opened
from makers import LECTURE, make_model
from textual.widgets import Input, OptionList

from tinygpt_tui import paths
from tinygpt_tui.events.generation import Compared, GenerationEnded, TensorCompared
from tinygpt_tui.exports.result import Exported
from tinygpt_tui.ui.models.card import CardScreen
from tinygpt_tui.ui.models.compare import CompareScreen
from tinygpt_tui.ui.models.export import ExportScreen
from tinygpt_tui.ui.shell.help import HelpScreen
from tinygpt_tui.ui.shell.key_bar import KeyBar

pytestmark = pytest.mark.usefixtures("no_shipped_models")


def keys(bench: Bench) -> list[str]:
    return [key.description for key in bench.app.screen.query_one(KeyBar).keys]


async def sees(bench: Bench, *texts: str) -> None:
    await bench.until(lambda: all(text in bench.shown for text in texts))


@asynccontextmanager
async def card(size: tuple[int, int] = (80, 24), models: tuple[str, ...] = ("one",)) -> AsyncIterator[Bench]:
    """The card of the first model, reached by its key in the list of models."""
    for name in models:
        make_model(paths.models_folder() / name, LECTURE)
    async with opened(size=size, models=models) as bench:
        await bench.pilot.press("ctrl+o")
        await bench.until(lambda: isinstance(bench.screen.focused, OptionList))
        await bench.pilot.press("i")
        await bench.until(lambda: isinstance(bench.app.screen, CardScreen) and bench.app.screen.facts is not None)
        yield bench


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_it_shows_the_parts_and_the_facts(size: tuple[int, int]) -> None:
    async with card(size) as bench:
        await sees(bench, "one", "100.0%", "transformer", "parameters", "architecture", "gpt")
        await bench.pilot.press("end")
        await sees(bench, "attention_scale", "relu")
        await bench.pilot.press("tab", "down")
        await sees(bench, "output head")
        await bench.pilot.press("f1")
        await bench.until(lambda: isinstance(bench.app.screen, HelpScreen))
        assert "All learned numbers" in bench.app.screen.words  # type: ignore[attr-defined]


async def test_the_letter_is_a_letter_in_the_prompt() -> None:
    async with opened(models=("one",)) as bench:
        await bench.pilot.press("i")
        await bench.pilot.pause()
        assert bench.app.screen is bench.screen
        assert "Model card" not in bench.keys


async def test_rename_copy_delete_and_take_back() -> None:
    async with card() as bench:
        await bench.pilot.press("r")
        await bench.until(lambda: isinstance(bench.app.screen.focused, Input))
        await bench.pilot.press(*"two", "enter")
        await sees(bench, "renamed to “two”")
        assert not (paths.models_folder() / "one").exists()
        await bench.pilot.press("C")
        await bench.until(lambda: isinstance(bench.app.screen.focused, Input))
        await bench.pilot.press("enter")
        await sees(bench, "copied to “two-2”")
        await bench.pilot.press("d")
        await sees(bench, "“two-2” is in the trash · z to undo")
        await bench.until(lambda: keys(bench) == ["Undo", "Back"])
        assert [path.name for path in paths.models_folder().iterdir() if path.name[0] != "."] == ["two"]
        await bench.pilot.press("z")
        await sees(bench, "restored")
        await bench.pilot.press("r")
        await bench.until(lambda: isinstance(bench.app.screen.focused, Input))
        await bench.pilot.press(*"two", "enter")
        await sees(bench, "there is a model called 'two' already")
        await bench.pilot.press("escape")
        await bench.until(lambda: bench.screen.chooser.card is not None and bench.screen.chooser.card.name == "two-2")


async def test_a_shipped_model_can_be_copied_and_not_renamed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "shipped_models", lambda: tmp_path / "shipped")
    make_model(tmp_path / "shipped" / "one")
    async with card(models=()) as bench:
        await bench.until(lambda: keys(bench) == ["Copy", "Compare", "Export", "Back"])


async def test_two_models_are_compared_by_the_engine() -> None:
    async with card(models=("one", "two")) as bench:
        await bench.pilot.press("c")
        await sees(bench, "compare one with", "two")
        await bench.pilot.press("enter")
        await bench.until(lambda: bench.engine.compared)
        request = bench.engine.compared[0]
        assert (Path(request.model).name, Path(request.other).name) == ("one", "two")
        rows = (
            TensorCompared("a.weight", (2, 3), (2, 3), 0.5, 0.9),
            TensorCompared("b.weight", (2, 3), (2, 3), 1.5, -0.25),
            TensorCompared("c.weight", (2,), None),
        )
        bench.engine.say(Compared(9, rows), Compared(1, rows), GenerationEnded(1, "length", 0, 0.1, None))
        await sees(bench, "a.weight", "0.5000", "+0.9000", "2 | –", "2 of 3 tensors have the same shape")
        await bench.pilot.press("v")
        await bench.until(lambda: bench.shown.index("b.weight") < bench.shown.index("a.weight"))
        await bench.pilot.press("escape")
        await bench.until(lambda: isinstance(bench.app.screen, CardScreen))


async def test_a_comparison_that_fails_says_why() -> None:
    async with card(models=("one", "two")) as bench:
        await bench.pilot.press("c", "enter")
        await bench.until(lambda: isinstance(bench.app.screen, CompareScreen) and bench.engine.compared)
        bench.engine.say(GenerationEnded(1, "failed", 0, 0.0, None, "", "two is damaged", "copy it again"))
        await sees(bench, "two is damaged", "copy it again")


async def test_it_is_exported_and_asks_before_it_replaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, bool]] = []

    async def export(model: str, form: str, path: str, *, force: bool, **others: object) -> Exported:
        asked.append((form, path, force))
        return Exported(form, path, {"model.pth": 1}, ["read back"], None)

    monkeypatch.setattr("tinygpt_tui.ui.models.export.export", export)
    async with card() as bench:
        await bench.pilot.press("e")
        await bench.until(lambda: isinstance(bench.app.screen, ExportScreen))
        await sees(bench, "nanogpt     trains a nanogpt (3 minutes); cannot store: activation")
        await bench.pilot.press("end")
        await bench.until(lambda: "one-lecture" in bench.app.screen.query_one(Input).value)
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "model.pth").touch()
        bench.app.screen.query_one(Input).value = str(tmp_path / "out")
        await bench.pilot.press("enter")
        await sees(bench, "Enter again agrees")
        await bench.pilot.press("enter")
        await bench.until(lambda: isinstance(bench.app.screen, CardScreen))
        await sees(bench, "written: ", "read back")
        out = str(tmp_path / "out")
        assert asked == [("lecture", out, True)]


async def test_what_a_format_cannot_store_is_learned_by_a_model_that_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool, bool]] = []

    async def export(
        model: str, form: str, path: str, *, distil: bool, approximate: bool,
        report: Callable[[str], None], stop: asyncio.Event | None, **others: object,
    ) -> Exported:  # fmt: skip
        asked.append((form, distil, approximate))
        report("step 1/9")
        assert stop is not None
        await stop.wait()
        return Exported(form, path, {"ckpt.pt": 1}, ["it learned a little"], None)

    monkeypatch.setattr("tinygpt_tui.ui.models.export.export", export)
    async with card() as bench:
        await bench.pilot.press("e")
        await bench.until(lambda: isinstance(bench.app.screen, ExportScreen))
        screen = bench.app.screen
        assert isinstance(screen, ExportScreen)
        listing = screen.query_one(OptionList)
        listing.highlighted = listing.get_option_index("nanogpt")
        await bench.until(lambda: "one-nanogpt" in screen.query_one(Input).value)
        screen.query_one(Input).value = str(tmp_path / "out")
        await bench.pilot.press("enter")
        await sees(bench, "one-nanogpt learns this model's probabilities for 3 minutes", "Enter again agrees")
        assert not asked
        await bench.pilot.press("enter")
        await sees(bench, "step 1/9")
        await bench.pilot.press("escape")
        await bench.until(lambda: isinstance(bench.app.screen, CardScreen))
        await sees(bench, "written: ", "it learned a little")
        assert asked == [("nanogpt", True, False)]
