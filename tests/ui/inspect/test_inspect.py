"""The Inspect tab: what somebody sees who walks through a net."""

from __future__ import annotations

import base64
import doctest
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest
from fakes import make_model
from generate_bench import Bench
from generate_bench import opened as generate_opened
from textual.theme import Theme
from textual.widgets import Static
from wait import shown
from walk_bench import walk

from tinygpt_tui import paths
from tinygpt_tui.events.generation import GenerationEnded
from tinygpt_tui.events.tracing import Neighbour, TokenPlace, Traced
from tinygpt_tui.ui.inspect import heat
from tinygpt_tui.ui.inspect.attention_map import AttentionMap
from tinygpt_tui.ui.inspect.heat import table_of
from tinygpt_tui.ui.inspect.heat_colours import palette_of
from tinygpt_tui.ui.inspect.pass_diagram import PassDiagram
from tinygpt_tui.ui.inspect.passes import NOT_COMPARABLE
from tinygpt_tui.ui.inspect.reliability import ReliabilityScreen
from tinygpt_tui.ui.inspect.screen import InspectScreen
from tinygpt_tui.ui.inspect.token_map import TokenMap
from tinygpt_tui.ui.models import parts_tree
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shell.themes import THEMES
from tinygpt_tui.workers.reliability import Measured

pytestmark = pytest.mark.usefixtures("no_shipped_models")


class Inspecting:
    """The tab in use."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.engine, self.pilot = bench, bench.engine, bench.pilot

    @property
    def screen(self) -> InspectScreen:
        screen = self.bench.app.screen
        assert isinstance(screen, InspectScreen)
        return screen

    @property
    def text(self) -> str:
        return shown(self.bench.app)

    @property
    def line(self) -> str:
        return str(self.screen.query_one("#inspect-line", Static).render())

    @property
    def at(self) -> str:
        part = self.screen.query_one(PassDiagram).part
        return part.title if part is not None else ""

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def sees(self, *texts: str) -> None:
        await self.bench.until(lambda: all(text in self.text for text in texts))

    async def answer(self, net: str = "classic", text: str = "abc dab") -> None:
        """Answer the walk that was asked for last with one through a net."""
        job = self.engine.traced[-1].job
        self.engine.say(*walk(net, text, job))
        await self.bench.until(lambda: self.screen.walked.started is not None and self.screen.walked.started.job == job)


@asynccontextmanager
async def opened(
    size: tuple[int, int] = (80, 24), prompt: str = "abc dab", net: str = "classic"
) -> AsyncIterator[Inspecting]:
    """Write a prompt in Generate, press F10, and have the engine answer."""
    async with generate_opened(size) as bench:
        bench.screen.query_one(PromptBox).text = prompt
        await bench.pilot.press("f10")
        await bench.until(lambda: bench.engine.traced)
        tab = Inspecting(bench)
        await tab.answer(net, prompt)
        yield tab


def test_examples_hold() -> None:
    assert doctest.testmod(parts_tree).failed == 0
    done = doctest.testmod(heat)
    assert done.attempted
    assert not done.failed


async def test_it_walks_through_what_generate_is_about() -> None:
    async with opened() as tab:
        asked = tab.engine.traced[-1]
        assert asked.model.endswith("one")
        assert (asked.text, asked.untrained) == ("abc dab", False)
        await tab.sees("token ids", "B, T = 1, 7", "block 1", "block 2", "B, T, V = 1, 7, 13")
        assert tab.screen.focused is tab.screen.query_one(PassDiagram)
        assert "token 7 of 7: b" in tab.line


async def test_keys_lead_forward_into_a_block_into_a_head_and_out() -> None:
    async with opened() as tab:
        await tab.press("down")
        await tab.sees("tok = W[ids]", "B, T, C = 1, 7, 16", "net.py:12  x = f(x)")
        await tab.press(*["down"] * 3)
        assert tab.at == "block 1"
        await tab.sees("norm → attention → add to the stream → MLP")
        await tab.press("right")
        assert tab.at == "norm"
        await tab.press("down")
        assert tab.at == "attention"
        await tab.press("right", "down")
        await tab.sees("B, H, T, D = 1, 2, 7, 8", "block 1 › attention")
        await tab.press("right", "down")
        assert tab.at == "head 2"
        await tab.sees("head 2 of 2")
        await tab.press("left")
        assert tab.at == "queries"
        await tab.press("left")
        assert tab.at == "attention"
        await tab.press("left")
        assert tab.at == "block 1"
        await tab.press("end")
        assert tab.at == "output head"
        await tab.sees("prediction after b", "50.0%")
        await tab.press("home")
        assert tab.at == "token ids"


async def test_a_place_and_what_is_open_stay_when_another_prompt_is_walked() -> None:
    async with opened() as tab:
        await tab.press("down", "down", "down", "down", "right", "down", "right", "down", "down", "down", "down")
        assert tab.at == "attention"
        await tab.press("p")
        await tab.press(*"hi", "enter")
        await tab.bench.until(lambda: len(tab.engine.traced) == 2)
        assert tab.engine.traced[-1].text == "hi"  # it replaces the prompt
        assert "reading your prompt" in tab.line
        await tab.answer(text="hiabc da")
        assert tab.at == "attention"
        assert tab.screen.focused is tab.screen.query_one(PassDiagram)
        await tab.sees("B, H, T, T = 1, 2, 8, 8", "token 8 of 8: a")


async def test_attention_is_walked_by_layer_head_and_token() -> None:
    async with opened(size=(140, 40)) as tab:
        await tab.press("2")
        await tab.sees("block 1, layer 1 of 2", "head 1 of 2", "b attends to", "block 2\n")
        await tab.press("down", "right")
        await tab.sees("block 2, layer 2 of 2", "head 2 of 2")
        assert tab.screen.query_one(AttentionMap).chosen == (1, 1)
        await tab.press("1")
        assert tab.at == "head 2"  # the walk has followed
        await tab.sees("head 2 of 2", "block 2 › attention")
        await tab.press("2")
        assert tab.screen.query_one(AttentionMap).chosen == (1, 1)
        await tab.press("down", "right")
        assert tab.screen.query_one(AttentionMap).chosen == (0, 0)
        await tab.press("comma", "comma")
        await tab.sees("d attends to")
        await tab.press(*["comma"] * 9)
        await tab.sees("a attends to", "a (itself) 100%", "token 1 of 7: a")
        await tab.press("full_stop")
        await tab.sees("token 2 of 7: b")

        view = tab.screen.query_one(AttentionMap)
        with pytest.MonkeyPatch.context() as deeper:
            deeper.setattr(view, "_steps", [*view._steps] * 3)
            heading = view.draw(94, 34)[0].strip(view.rich_style, 94).text  # the room beside a lesson at 140 columns
        assert "in view (↑↓)" in heading
        await tab.press("v")  # all heads as one picture, here in half-blocks
        await tab.sees("▀", "▸b", "head 1 of 2", "b attends to")
        assert tab.text.count("▀") > 500
        weights = table_of(tab.screen.walked.attention[0].pictures[0])
        large, small = (picture.draw((8, 16)) for picture in view.pictures())
        high, wide = large.shape[0] / len(weights), large.shape[1] / len(weights[0])
        ground, above = palette_of(view).ground.rgb, palette_of(view).above.rgb
        middles = large[[int((r + 0.5) * high) for r in range(7)]][:, [int((c + 0.5) * wide) for c in range(7)], :3]
        seen = [[tuple(pixel) for pixel in row] for row in middles.tolist()]
        assert seen[0] == [above, *[ground] * 6]  # the first token attends to itself
        assert all(seen[row][column] == ground for row in range(7) for column in range(row + 1, 7))
        order = sorted(range(5), key=lambda column: weights[4][column])
        assert [sum(seen[4][column]) for column in order] == sorted(sum(seen[4][column]) for column in range(5))
        assert small.shape[0] % 2 == small.shape[1] % 2 == 0  # two layers of two heads
        await tab.press("v")
        assert "▀" not in tab.text
        view.use_pixels((8, 16))  # now the terminal draws pictures: but maps were chosen
        assert view.pictures() == []
        view.picture = None
        await tab.sees("▀")


async def test_a_net_without_attention_says_so() -> None:
    async with opened(net="lstm") as tab:
        await tab.press("2")
        await tab.sees("This model has no attention")
        await tab.press("down", "right", "1", "down", "down", "right", "down", "right")
        await tab.sees("input gate", "i = σ(h W_i + s₋₁ U_i + b_i)", "B, T, N = 1, 7, 24")


async def test_guesses_stand_layer_by_layer() -> None:
    async with opened() as tab:
        await tab.press("3")
        await tab.sees("▸block 2", "block 1", "embedding", "the model's prediction, after b", "50.0%")
        await tab.press("down", "left")
        await tab.sees("▸block 1", "prediction after block 1, after a", "next is b", "token 6 of 7")


async def test_parameters_are_a_tree() -> None:
    async with opened() as tab:
        await tab.press("4")
        await tab.sees("▌4 Parameters")
        assert tab.screen.focused is tab.screen.query_one("#inspect-parameters")


async def test_the_untrained_twin_is_a_key_away() -> None:
    async with opened() as tab:
        await tab.press("u")
        await tab.bench.until(lambda: len(tab.engine.traced) == 2)
        assert tab.engine.traced[-1].untrained
        await tab.answer()
        await tab.sees("one, untrained")
        await tab.press("u")
        await tab.bench.until(lambda: len(tab.engine.traced) == 3)
        assert not tab.engine.traced[-1].untrained


async def test_what_was_left_out_of_a_prompt_is_said() -> None:
    async with opened(size=(140, 40), prompt="abcdefghijkЖ!") as tab:
        assert "token 8 of 8: k · the first 3 are outside its window" in tab.line
        assert "unknown characters left out: Ж !" in tab.line
    async with opened(size=(140, 40), prompt="") as tab:
        assert "the prompt is empty" in tab.line


async def test_what_cannot_be_walked_through_says_why() -> None:
    async with opened() as tab:
        await tab.press("u")
        await tab.bench.until(lambda: len(tab.engine.traced) == 2)
        job = tab.engine.traced[-1].job
        ended = GenerationEnded(job, "failed", 0, 0.0, None, message="the file is damaged", hint="copy it again")
        tab.engine.say(ended)
        await tab.bench.until(lambda: "the file is damaged · copy it again" in tab.line)


async def test_without_colour_the_numbers_are_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened() as tab:
        await tab.press("down")
        await tab.sees("▓", "≡", "−1.00")
        await tab.press("2")
        await tab.sees("▸b", "█")


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
async def test_it_is_drawn_at_any_size(theme: Theme) -> None:
    async with opened(size=(140, 40)) as tab:
        tab.bench.app.theme = theme.name
        for width, height in ((60, 15), (20, 8), (200, 60)):
            await tab.pilot.resize_terminal(width, height)
            for view in "12v34":
                await tab.press(view)
        await tab.sees("▌4 Parameters")


async def test_the_twin_of_a_model_writes_in_generate(no_shipped_models: None) -> None:
    async with generate_opened() as bench:
        await bench.pilot.press("ctrl+o", "u")
        await bench.until(lambda: bench.screen.pane.output.border_title == "one, untrained")
        assert "loss" not in shown(bench.app)
        await bench.pilot.press("enter")  # takes the model, as it is
        await bench.write("ab", "cd")
        assert bench.engine.asked[-1].untrained
        branch = bench.screen.pane.editor.current
        assert branch is not None
        assert branch.model == "one, untrained"
        await bench.pilot.press("f5")
        await bench.until(lambda: bench.engine.asked_why)
        assert bench.engine.asked_why[-1].untrained
        await bench.pilot.press("escape", "alt+u")
        await bench.until(lambda: bench.screen.pane.output.border_title == "one")
        await bench.write("ab", "cd")
        assert not bench.engine.asked[-1].untrained


async def test_the_mouse_goes_where_keys_go() -> None:
    async with opened() as tab:
        diagram = tab.screen.query_one(PassDiagram)
        row = next(y for y, line in enumerate(tab.text.splitlines()) if "block 2" in line)
        await tab.pilot.click(offset=(10, row))
        assert tab.at == "block 2"
        await tab.pilot.click(offset=(10, row))
        assert tab.at == "norm"
        assert "block 2" in (diagram.part.trail if diagram.part else ())
        await tab.pilot.click("#view-guesses")
        await tab.sees("▌3 Guesses", "the model's prediction")
        lens = tab.screen.walked.lens
        lens[0] = msgspec.structs.replace(lens[0], guesses=())
        tab.screen.views.move_token(0)
        await tab.sees(NOT_COMPARABLE)
        await tab.pilot.click("#inspect-model")
        await tab.sees("model to inspect")
        await tab.press("enter")
        await tab.bench.until(lambda: len(tab.engine.traced) == 2)


async def test_a_model_from_anywhere_is_walked_through(tmp_path: Path) -> None:
    folder = make_model("far")
    folder.rename(tmp_path / "far")
    async with generate_opened((80, 24)) as bench:
        bench.screen.chooser._visit(tmp_path / "far")
        await bench.until(lambda: bench.app.screen.is_modal)  # its card
        await bench.pilot.press("escape")
        await bench.until(lambda: bench.screen.chooser.card is not None and bench.screen.chooser.card.name == "far")
        await bench.pilot.press("f10")
        await bench.until(lambda: bench.engine.traced)
        assert bench.engine.traced[-1].model == str(tmp_path / "far")


async def test_a_walk_over_the_map() -> None:
    async with opened() as tab:
        job = tab.engine.traced[-1].job
        near = (Neighbour("c", 0.5),)
        at = {"a": (-1, 0), "b": (0, 0), "c": (1, 0), "d": (0, 1)}
        places = tuple(TokenPlace(text, x, y, near) for text, (x, y) in at.items())
        tab.screen.walked.add_events([Traced(job, places=places, share=0.25)])
        tab.screen.views.move_token(0)
        await tab.press("5")
        await tab.sees("4 embeddings · two components, with 25% of their variance", "nearest to “b”:   c 0.50")
        for key, chosen in (("right", "c"), ("right", "c"), ("left", "b"), ("up", "d"), ("down", "b")):
            await tab.press(key)
            await tab.sees(f"nearest to “{chosen}”")
        await tab.press("comma")  # the token of the prompt before, "a"
        await tab.sees("nearest to “a”")
        view = tab.screen.query_one(TokenMap)
        assert tab.screen.focused is view
        pixels = view.pictures()[0].draw((8, 16))
        assert pixels.shape == (16 * (view.content_size.height - 3), 8 * view.content_size.width, 4)
        top = pixels.shape[0] // 32 * 16  # of the line of "a", "b" and "c": a line leads from the first to the last
        drawn = pixels[top : top + 16, :, 3].any(axis=0).reshape(-1, 8).any(axis=1)
        assert list(np.flatnonzero(~drawn)) == [0, round((len(drawn) - 1) / 2), len(drawn) - 1]  # the letters stay free
        assert not pixels[: top - 16, :, 3].any()

        await tab.press("alt+e", "alt+e")
        await tab.bench.until(lambda: len([*paths.pictures_folder().glob("inspect-*.svg")]) == 2)
        picture = next(paths.pictures_folder().glob("inspect-*.svg")).read_text(encoding="utf-8")
        assert "4&#160;embeddings" in picture
        assert "Prompt" not in picture  # the view in focus alone
        data = re.search(r'<image [^>]*href="data:image/png;base64,([^"]*)"', picture)
        assert data is not None
        assert base64.b64decode(data[1]).startswith(b"\x89PNG")


FOUND = Measured(
    done=1.0,
    tokens=(0, 10, 20, 30, 40, 50, 60, 70, 80, 900),
    sure=(None, *(0.05 + place / 10 for place in range(1, 10))),
    right=(None, *(place / 10 for place in range(1, 10))),
    confidence=0.644,
    accuracy=0.585,
    error=0.0612,
)


class Measuring:
    """Measures at once; a second time nothing."""

    closed = 0
    answers: tuple[tuple[Measured, ...], ...] = (
        (Measured(done=0.3), FOUND),
        (Measured(done=1.0, problem="its text is not here", hint="download it"),),
    )

    def __init__(self, model: str) -> None:
        assert model.endswith("one")

    def __iter__(self) -> Iterator[Measured]:
        Measuring.answers, found = Measuring.answers[1:], Measuring.answers[0]
        yield from found

    def close(self) -> None:
        Measuring.closed += 1


async def test_the_strip_says_how_sure_and_how_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinygpt_tui.ui.inspect.reliability.ReliabilityProcess", Measuring)
    async with opened() as tab:
        await tab.press("S")
        await tab.bench.until(lambda: isinstance(tab.bench.app.screen, ReliabilityScreen))
        await tab.sees("how sure is one?", "30–40", "35%    30%", "90–100", "900", "expected calibration error 6.1%")
        await tab.sees("it says 64% and is right 58% of the time", "too sure", "calibrate one")
        await tab.press("escape", "S")
        await tab.sees("its text is not here", "download it")
        await tab.press("escape")
        await tab.bench.until(lambda: isinstance(tab.bench.app.screen, InspectScreen))
        await tab.bench.until(lambda: Measuring.closed == 2)
