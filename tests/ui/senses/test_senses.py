"""The senses of a backpack: what each says, and what turning one does to the text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fakes import make_model as make_fake
from generate_bench import Bench, opened
from makers import TINY, make_model
from textual.pilot import Pilot
from wait import wait_until

from tinygpt_tui import paths
from tinygpt_tui.events.generation import (
    Candidate,
    GenerationEnded,
    GenerationStarted,
    Sense,
    SensesSeen,
    SenseToken,
    Token,
)
from tinygpt_tui.events.requests import EVERY_TOKEN
from tinygpt_tui.settings.architecture import BackpackSettings
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.generate.screen import GenerateScreen
from tinygpt_tui.ui.senses.screen import SensesScreen
from tinygpt_tui.ui.senses.sense_list import SenseList
from tinygpt_tui.ui.senses.token_senses import FACTORS, SenseDials
from tinygpt_tui.ui.shared.prompt_box import PromptBox

pytestmark = pytest.mark.usefixtures("no_shipped_models")


def seen(job: int, text: str) -> SensesSeen:
    """Two senses of each letter: one for itself, one for what comes next in the alphabet."""

    def sense(letter: str) -> Sense:
        return Sense((Candidate(ord(letter), letter, 0.5), Candidate(32, " ", 0.25)), ("q", "\n"))

    tokens = tuple(SenseToken(at, at + 1, ord(letter), (0.5, 0.25)) for at, letter in enumerate(text))
    return SensesSeen(job, tokens, {ord(letter): (sense(letter), sense(chr(ord(letter) + 1))) for letter in text})


def test_dials_turn_within_their_range_and_come_back() -> None:
    dials = SenseDials()
    assert not dials.turn(0, 1)  # nothing is known yet
    dials.set_seen(seen(1, "aba"))
    assert dials.at == 2
    for _ in FACTORS:
        dials.turn(1, 1)
    assert dials.gains == ((ord("a"), 1, FACTORS[-1]),)
    assert not dials.turn(1, 1)
    dials.go(1)
    dials.for_every = True
    assert dials.set(0, 0.0)
    assert dials.gains == ((EVERY_TOKEN, 0, 0.0), (ord("a"), 1, FACTORS[-1]))
    assert [(row.own, row.every) for row in dials.rows] == [(1.0, 0.0), (1.0, 1.0)]
    assert dials.set(0, 1.0)
    dials.for_every = False
    assert dials.level()
    assert not dials.gains
    assert not dials.level()


@asynccontextmanager
async def senses(size: tuple[int, int] = (80, 24)) -> AsyncIterator[Bench]:
    """The app at a backpack's senses, with a fake engine that has told them."""
    make_fake("pack", architecture=BackpackSettings(**TINY))
    async with opened(size, models=("pack",)) as bench:
        bench.screen.query_one(PromptBox).text = "bad"
        await bench.pilot.press("ctrl+d")
        await bench.until(lambda: isinstance(bench.app.screen, SensesScreen) and bench.engine.asked_senses)
        request = bench.engine.asked_senses[-1]
        assert request.text == "bad"
        bench.engine.say(seen(request.job, request.text))
        await bench.until(lambda: bench.app.screen.query_one(SenseList).option_count == 2)
        yield bench


def write(bench: Bench, text: str) -> None:
    """Answer the request that came last."""
    asked = bench.engine.asked[-1]
    bench.engine.say(
        GenerationStarted(asked.job, len(asked.prompt), 8, 1),
        *(Token(asked.job, index, ord(letter), letter, index) for index, letter in enumerate(text)),
        GenerationEnded(asked.job, "length", len(text), 0.1, 0.1),
    )


async def test_a_sense_is_turned_and_the_text_changes() -> None:
    async with senses() as bench:
        await bench.until(lambda: bench.engine.asked)
        write(bench, " egg")
        await bench.until(lambda: "bad egg" in bench.shown)
        assert "the senses of d, token 3 of 3" in bench.shown
        assert "50%   d 50%  ␣ 25%" in bench.shown
        assert "25%   e 50%  ␣ 25%" in bench.shown
        await bench.pilot.press("left", "down", "plus")
        await bench.until(lambda: bench.engine.asked[-1].gains == ((ord("a"), 1, 1.5),))
        assert "the senses of a, token 2 of 3" in bench.shown
        assert bench.engine.asked[-1].sampling == bench.engine.asked[0].sampling  # with the same random numbers
        write(bench, " eel")
        await bench.until(lambda: "bad eel" in bench.shown)
        assert "a 2 ×1.5" in bench.shown
        await bench.pilot.press("v", "0")
        await bench.until(lambda: bench.engine.asked[-1].gains == ((EVERY_TOKEN, 1, 0.0), (ord("a"), 1, 1.5)))
        await bench.pilot.press("R")
        await bench.until(lambda: "Turn a sense" in bench.shown)
        await bench.pilot.press("f1")
        await bench.until(lambda: "sense vectors" in bench.shown)
        await bench.pilot.press("escape", "escape")
        await bench.until(lambda: isinstance(bench.app.screen, GenerateScreen))


async def test_what_a_turned_sense_changes_is_in_sight_below_a_long_text() -> None:
    async with senses() as bench:
        await bench.until(lambda: bench.engine.asked)
        box = bench.app.screen.query_one(PromptBox)
        box.text = "bad " * 150
        await bench.until(lambda: bench.engine.asked[-1].prompt == box.text)
        write(bench, "egg")
        await bench.until(lambda: "egg" in bench.shown)
        bench.engine.say(seen(bench.engine.asked_senses[-1].job, box.text))
        await bench.pilot.press("p", "escape", "down", "plus")
        await bench.until(lambda: bench.engine.asked[-1].gains)
        write(bench, "eel" + " more" * 90 + " end")
        await bench.until(lambda: "eel" in bench.shown)
        assert "end" not in bench.shown


async def test_another_text_is_typed() -> None:
    async with senses((140, 40)) as bench:
        await bench.pilot.press("p", "g", "e", "enter")
        await bench.until(lambda: bench.engine.asked_senses[-1].text == "badge")
        await bench.until(lambda: bench.engine.asked[-1].prompt == "badge")
        request = bench.engine.asked_senses[-1]
        bench.engine.say(seen(request.job, request.text))
        await bench.until(lambda: "the senses of e, token 5 of 5" in bench.shown)
        bench.engine.say(GenerationEnded(bench.engine.asked[-1].job, "failed", 0, 0.0, None, message="it is gone"))
        await bench.until(lambda: "it is gone" in bench.shown)


async def test_no_size_and_no_text_breaks_it() -> None:
    async with senses((50, 12)) as bench:
        for size in ((20, 5), (3, 2), (140, 40)):
            await bench.pilot.resize_terminal(*size)
        await bench.until(lambda: "the senses of d" in bench.shown)
        await bench.pilot.press("p", "ctrl+u", "enter")  # all of the line
        await bench.until(lambda: bench.engine.asked_senses[-1].text == "")
        bench.engine.say(SensesSeen(bench.engine.asked_senses[-1].job, (), {}))
        await bench.until(lambda: "no character of this text is in its vocabulary" in bench.shown)
        await bench.pilot.press("plus", "0", "left", "R")
        assert bench.engine.asked[-1].gains == ()


async def test_other_models_have_none() -> None:
    async with opened((80, 24)) as bench:
        assert "Senses" not in bench.keys
        bench.screen.query_one(PromptBox).text = "abc"
        await bench.pilot.press("home", "ctrl+d")  # in the prompt it deletes
        await bench.until(lambda: bench.screen.query_one(PromptBox).text == "bc")


@pytest.mark.slow
async def test_a_real_backpack_shows_its_senses_and_obeys(tmp_path: Path) -> None:
    make_model(paths.models_folder() / "pack", BackpackSettings(**TINY, n_layer=1, n_head=2, n_sense=4))
    app = TinyGPTApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press(*"abc", "ctrl+d")
        await wait_until(pilot, lambda: isinstance(app.screen, SensesScreen))
        screen = app.screen
        assert isinstance(screen, SensesScreen)
        await wait_until(pilot, lambda: screen.query_one(SenseList).option_count == 4, 60)
        await wait_until(pilot, lambda: screen.written("plain"), 60)
        await pilot.press("v", "0")
        await wait_until(pilot, lambda: screen.written("turned"), 60)
        assert screen.written("turned") != screen.written("plain")
    await app.engine.close()


async def ready(app: TinyGPTApp, pilot: Pilot[None]) -> None:
    await wait_until(pilot, lambda: isinstance(app.screen, GenerateScreen) and app.screen.check_action("senses", ()))
