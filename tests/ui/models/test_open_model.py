"""A model from anywhere: another program's file is opened by its path, its card says what is known, and it is kept."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from generate_bench import Bench, opened
from makers import make_model, tiny_gpt
from textual.widgets import Input, OptionList

from tinygpt_tui import load, paths
from tinygpt_tui.checkpoints.importing import import_model
from tinygpt_tui.checkpoints.stored import read_model
from tinygpt_tui.errors import DownloadError
from tinygpt_tui.exports.export import export
from tinygpt_tui.exports.forms import FORMS
from tinygpt_tui.foreign.hub import Fetched
from tinygpt_tui.ui.models.card import CardScreen
from tinygpt_tui.ui.models.open_model import ModelTree, OpenModelScreen

pytestmark = pytest.mark.usefixtures("no_shipped_models")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of nanoGPT's."""
    folder = tmp_path_factory.mktemp("foreign")
    make_model(folder / "letters", tiny_gpt())
    export(folder / "letters", FORMS["nanogpt"], folder / "out-letters", checking=False)
    return folder / "out-letters"


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the paths that are measured; no process is started for it."""
    paths_measured: list[str] = []

    async def measure(model: str, report: Callable[[str], None]) -> None:
        paths_measured.append(model)
        report("trying n head 4")

    monkeypatch.setattr("tinygpt_tui.workers.exporter.measure_model", measure)
    return paths_measured


async def sees(bench: Bench, *texts: str) -> None:
    await bench.until(lambda: all(text in bench.shown for text in texts))


async def open_dialog(bench: Bench, typed: str) -> None:
    """Open the dialog from the list of models, type a path, press Enter."""
    await bench.pilot.press("ctrl+o")
    await bench.until(lambda: isinstance(bench.screen.focused, OptionList))
    await bench.pilot.press("o")
    await bench.until(lambda: isinstance(bench.app.screen, OpenModelScreen))
    bench.app.screen.query_one("#path", Input).value = typed
    await bench.pilot.press("enter")


async def test_a_foreign_file_is_opened_told_about_and_kept(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def kept_here(model: str, name: str) -> Path:
        folder = paths.models_folder() / name
        import_model(read_model(Path(model)), folder, Path(model))
        return folder

    monkeypatch.setattr("tinygpt_tui.workers.exporter.save_model", kept_here)
    async with opened(size=(80, 24)) as bench:
        await open_dialog(bench, str(foreign))
        await bench.until(lambda: isinstance(bench.app.screen, CardScreen))
        await sees(bench, "nanoGPT", "where each fact comes from", "from the tensors", "C Copy")
        assert bench.screen.chooser.card is not None
        assert bench.screen.chooser.card.path == str(foreign)
        await bench.pilot.press("C")
        await bench.until(lambda: isinstance(bench.app.screen.focused, Input))
        assert bench.app.screen.focused.value == "out-letters"  # type: ignore[union-attr]
        await bench.pilot.press("enter")
        await sees(bench, "copied as “out-letters”", "r Rename")
        await bench.pilot.press("end")
        await sees(bench, "from the tensors")  # what was taken from where is kept, too
        kept = load(str(paths.models_folder() / "out-letters"))
        assert kept.layout == "native"
        assert (kept.logits("a cab") - load(str(foreign)).logits("a cab")).abs().max() < 1e-5
        await bench.pilot.press("escape")
        await bench.until(
            lambda: bench.screen.chooser.card is not None and "models/out-letters" in bench.screen.chooser.card.path
        )


async def test_what_is_no_model_says_why(tmp_path: Path, foreign: Path) -> None:
    shutil.copy(foreign / "meta.pkl", tmp_path / "broken.pt")
    async with opened(size=(80, 24)) as bench:
        await open_dialog(bench, str(tmp_path / "broken.pt"))
        await sees(bench, "✗ broken.pt holds no weights")
        assert isinstance(bench.app.screen, OpenModelScreen)  # to try another
        await bench.pilot.press("escape")
        assert bench.screen.chooser.card is not None
        assert bench.screen.chooser.card.name == "one"


async def test_it_shows_what_is_tried_and_can_be_cancelled(
    foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []

    async def endless(model: str, report: Callable[[str], None]) -> None:
        report("trying n head 4, activation gelu")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(model)

    monkeypatch.setattr("tinygpt_tui.workers.exporter.measure_model", endless)
    dropped = tmp_path / "a file's name.pt"
    shutil.copy(foreign / "ckpt.pt", dropped)
    async with opened(size=(80, 24)) as bench:
        await open_dialog(bench, str(dropped).replace(" ", "\\ ").replace("'", "\\'") + " ")
        await sees(bench, "trying n head 4, activation gelu  esc: cancel")
        await bench.pilot.press("escape")
        await bench.until(lambda: ended == [str(dropped)])
        await bench.until(lambda: bench.app.screen is bench.screen)
        assert bench.screen.chooser.card is not None
        assert bench.screen.chooser.card.name == "one"


async def test_a_folder_without_a_model_is_shown_not_opened(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    async with opened(size=(80, 24)) as bench:
        await open_dialog(bench, str(tmp_path / "empty"))
        await bench.until(lambda: bench.app.screen.query_one("ModelTree").path == tmp_path / "empty")  # type: ignore[attr-defined]
        assert isinstance(bench.app.screen, OpenModelScreen)
        for typed in ("x" * 300, "~no-such-user/x"):  # paths that the system refuses to look up
            bench.app.screen.query_one("#path", Input).value = typed
            await bench.pilot.press("enter")
            await sees(bench, "there is no file", str(tmp_path)[:40])
            assert isinstance(bench.app.screen, OpenModelScreen)


@pytest.mark.parametrize("key", ["enter", "o"])
async def test_a_folder_that_is_a_model_is_opened_from_the_tree(
    foreign: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    (foreign.parent / "empty").mkdir(exist_ok=True)
    monkeypatch.chdir(foreign.parent)
    async with opened(size=(80, 24)) as bench:
        await open_dialog(bench, "")
        tree = bench.app.screen.query_one(ModelTree)
        await bench.until(lambda: len(tree.root.children) == 3)
        tree.focus()
        await bench.pilot.press("down", "o")
        await sees(bench, "there is no model in", "o: open this")
        await bench.pilot.press("down", "down", key)
        await bench.until(lambda: isinstance(bench.app.screen, CardScreen))
        await sees(bench, "nanoGPT")


async def test_the_hub_is_shown_how_far_it_is(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = [True]

    def fetch(name: str) -> Iterator[Fetched]:
        if name == "hf:none":
            raise DownloadError("hf:none could not be fetched", "check the connection")
        yield Fetched(250_000, 1_000_000)
        while waits[0]:
            time.sleep(0.01)
        yield Fetched(1_000_000, 1_000_000, str(foreign))

    monkeypatch.setattr("tinygpt_tui.ui.models.open_model.fetch", fetch)
    async with opened(size=(80, 24)) as bench:
        await open_dialog(bench, "hf:none")
        await sees(bench, "hf:none could not be fetched", "check the connection")
        bench.app.screen.query_one("#path", Input).value = "hf:tiny"
        await bench.pilot.press("enter")
        try:
            await sees(bench, "250.0 kB of 1.0 MB", "esc: stop, resume later")
        finally:
            waits[0] = False
        await bench.until(lambda: isinstance(bench.app.screen, CardScreen))
        await sees(bench, "nanoGPT")


@pytest.mark.parametrize("key", ["i", "enter"])
async def test_the_card_of_a_broken_file_says_what_is_wrong_and_what_to_do(key: str) -> None:
    paths.models_folder().mkdir(parents=True)
    (paths.models_folder() / "half.pt").write_bytes(b"PK\x03\x04 and no more")
    async with opened(size=(80, 24), models=("one",)) as bench:
        await bench.pilot.press("ctrl+o")
        await bench.until(lambda: isinstance(bench.screen.focused, OptionList))
        await bench.pilot.press("up", key)
        await bench.until(lambda: isinstance(bench.app.screen, CardScreen))
        await sees(bench, "this cannot be opened", "half.pt is damaged", "copy it again", "d Delete")
        assert "Rename" not in bench.shown
        await bench.pilot.press("d")
        await sees(bench, "“half.pt” is in the trash", "z Undo")
        await bench.pilot.press("z")
        await sees(bench, "restored", "this cannot be opened")
        await bench.pilot.press("escape")
        assert bench.screen.chooser.card is not None
        assert bench.screen.chooser.card.name == "one"
