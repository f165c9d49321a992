"""The palette: any word for an action finds it first; objects are found by name, texts by their words."""

from __future__ import annotations

import pytest
from fakes import FakeEngine, make_model
from textual.command import CommandList, CommandPalette
from textual.pilot import Pilot
from train_bench import ScriptedRun
from wait import wait_until

from tinygpt_tui.sessions import tree
from tinygpt_tui.sessions.store import SessionStore
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.find.scoring import score
from tinygpt_tui.ui.generate.screen import GenerateScreen
from tinygpt_tui.ui.shared.confirm import ConfirmScreen
from tinygpt_tui.ui.train.projector import TrainProjector

pytestmark = pytest.mark.usefixtures("no_shipped_models")

FIRST = {
    "temp": "Sampling",
    "seed": "Sampling",
    "export": "Export",
    "onnx": "Export the model",
    "attention": "Attention",
    "modles": "Models",  # misspelt
    "themes": "Themes",
    "theme nord": "Theme nord",
    "overfitting": "How good is it?",
    "use two": "Use two",
    "temp 1.2": "Temperature 1.2",
    "top-k 5": "Top k 5",
    "go to letter 120": "Go to letter 120",
    "session winter": "Session Now is the winter",
    "of our discontent": "“…",
}


def listed(pilot: Pilot[None]) -> list[str]:
    """The first lines of what the palette lists."""
    listing = pilot.app.screen.query_one(CommandList)
    return [str(option.prompt).split("\n")[0] for option in listing.options]


async def find(pilot: Pilot[None], words: str, expected: str) -> None:
    """Type words into the palette until it lists something first."""
    if not isinstance(pilot.app.screen, CommandPalette):
        await pilot.press("ctrl+p")
        await wait_until(pilot, lambda: pilot.app.screen.query("CommandInput"))
    pilot.app.screen.query_one("Input").value = words  # type: ignore[attr-defined]
    try:
        await wait_until(pilot, lambda: [line.startswith(expected) for line in listed(pilot)[:1]] == [True])
    except AssertionError:
        pytest.fail(f"{words!r} finds {listed(pilot)[:3]}, not {expected!r} first")


async def test_what_is_typed_finds_the_right_thing_first_and_does_it() -> None:
    make_model("one")
    make_model("two")
    store = SessionStore()
    session = tree.add_root(store.new(), "Now is the winter", model="one")
    store.save(tree.append(session, 0, "\n" + "la " * 400 + "of our discontent", 400))
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(100, 40)) as pilot:
        screen = app.screen
        assert isinstance(screen, GenerateScreen)
        await wait_until(pilot, lambda: screen.chooser.in_use)
        await pilot.press("ctrl+p")
        await wait_until(pilot, lambda: isinstance(app.screen, CommandPalette) and listed(pilot))
        assert [line.split("  ")[0] for line in listed(pilot)[:4]] == ["Generate", "Continue", "Microscope", "Sampling"]
        assert sum(line.startswith("Theme") for line in listed(pilot)) == 1
        for words, expected in FIRST.items():
            await find(pilot, words, expected)
        await pilot.press("enter")
        await wait_until(pilot, lambda: screen.pane.output.text.endswith("of our discontent"))
        await find(pilot, "temp 1.2", "Temperature 1.2")
        await pilot.press("enter")
        await wait_until(pilot, lambda: screen.form.settings and screen.form.settings.temperature == 1.2)
        await find(pilot, "letter 12", "Go to letter 12")
        await pilot.press("enter")
        await wait_until(pilot, lambda: screen.pane.output.cursor == 11)
        await pilot.press("escape")
        answers: list[bool | None] = []
        app.push_screen(ConfirmScreen("a question", "Is it so?", "It is"), answers.append)
        await find(pilot, "use two", "Use two")
        await pilot.press("enter")
        await wait_until(pilot, lambda: screen.chooser.card and screen.chooser.card.name == "two")
        assert not app.screen.is_modal
        assert answers == [None]  # the caller learns that the question is closed
        await find(pilot, "theme tinygpt-light", "Theme tinygpt-light")
        await pilot.press("enter")
        await wait_until(pilot, lambda: app.theme == "tinygpt-light")


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [("copy", "Copy", "Untrained copy"), ("seed", "Seed", "Reseed"), ("go", "Go to letter", "Category")],
)
def test_the_start_of_a_word_counts_more_than_its_middle(query: str, better: str, worse: str) -> None:
    assert score(query, better) > score(query, worse) > 0


def test_each_word_must_fit() -> None:
    assert score("temp banana", "Sampling", "temperature") == 0
    assert score("", "Sampling") == 0


async def test_an_action_of_another_tab_is_found_and_done_there() -> None:
    run = ScriptedRun()
    run.live()
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(100, 40)) as pilot:
        await find(pilot, "projector", "Projector")
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, TrainProjector))
        await pilot.press("escape", "n")  # the form of a new run, which has no projector
        await wait_until(pilot, lambda: app.screen.focused is not None and app.screen.query_one("#form").display)
        await find(pilot, "new seed", "Retry")
        await find(pilot, "projector", "Projector")
        await pilot.press("enter")
        await wait_until(pilot, lambda: any("open a run first" in note.message for note in app._notifications))
