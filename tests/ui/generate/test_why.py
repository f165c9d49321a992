"""Why this character? From the microscope to what mattered, to the attention of each head, and back."""

from __future__ import annotations

import pytest
from generate_bench import Bench, opened
from wait import shown
from walk_bench import walk

from tinygpt_tui.events.generation import Attributed, Attribution, GenerationEnded
from tinygpt_tui.ui.inspect.attention_map import AttentionMap
from tinygpt_tui.ui.inspect.screen import InspectScreen
from tinygpt_tui.ui.shared.prompt_box import PromptBox

pytestmark = pytest.mark.usefixtures("no_shipped_models")


def levels(bench: Bench) -> list[int]:
    return list(bench.screen.pane.output._text_marks.levels)


def explained(bench: Bench, offset: int) -> bool:
    """Answer the microscope's last question; return whether it was about `offset`: a wide terminal asks more."""
    questions = bench.engine.asked_why
    if questions:
        bench.engine.explain_next()
    return bool(questions) and questions[-1].start <= offset < questions[-1].end


async def answer(bench: Bench, *bits: float) -> None:
    """Have the last question answered, from the nearest character on, and the microscope's."""
    asked = bench.engine.attributed[-1]
    tokens = tuple(Attribution(asked.offset - at - 1, asked.offset - at, bit) for at, bit in enumerate(bits))
    bench.engine.say(Attributed(asked.job, 0.1, 0, tokens), GenerationEnded(asked.job, "length", len(bits), 0.1, None))
    await bench.pilot.pause()


async def test_where_it_is_wide_the_attention_is_beside_the_text_and_follows_the_cursor() -> None:
    async with opened((200, 40)) as bench:
        await bench.write("abc ", "cab abc")
        pane = bench.screen.pane
        await bench.pilot.press("f5", "A")
        await bench.until(lambda: bench.engine.traced)
        assert bench.app.screen is bench.screen
        assert not pane.branches.display
        bench.engine.say(*walk("classic", "abc ", bench.engine.traced[-1].job))
        await bench.until(lambda: "␣ attends to" in shown(bench.app))
        await bench.until(lambda: isinstance(bench.app.focused, AttentionMap))
        await bench.pilot.press("right")  # the next head
        await bench.until(lambda: "head 2 of" in shown(bench.app))
        await bench.pilot.press("escape", "right")  # the next character
        await bench.until(lambda: bench.engine.traced[-1].text == "abc c")
        assert pane.glass.is_open
        bench.engine.say(GenerationEnded(bench.engine.traced[-1].job, "failed", 0, 0.1, None, "", "no memory"))
        await bench.until(lambda: "no memory" in shown(bench.app))
        assert "␣ attends to" in shown(bench.app)  # what was read last stays
        await bench.pilot.press("escape")
        await bench.until(lambda: pane.branches.display and not pane.glass.is_open)


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_it_asks_colours_says_and_shows_the_attention(size: tuple[int, int]) -> None:
    async with opened(size) as bench:
        await bench.write("abc ", "cab abc")
        await bench.pilot.press("f5", "right")
        await bench.until(lambda: explained(bench, 5))
        assert {"Why", "Attention"} <= bench.keys

        await bench.pilot.press("a")
        await bench.until(lambda: bench.engine.attributed)
        asked = bench.engine.attributed[-1]
        assert (asked.text, asked.offset) == ("abc cab abc", 5)
        await bench.until(lambda: "After “abc␣c”, a had" in shown(bench.app))
        await answer(bench, 2.5, -0.3, 0.5)
        await bench.until(lambda: levels(bench)[:6] == [0, 0, 1, 4, 3, 0])
        assert "it leaned on “c”" in shown(bench.app)
        assert "more likely by" in shown(bench.app)

        await bench.pilot.press("right")
        await bench.until(lambda: len(bench.engine.attributed) == 2)
        assert not any(levels(bench))
        await bench.pilot.press("left")  # the answer to the one before is not waited for
        await bench.until(lambda: len(bench.engine.attributed) == 3)
        assert bench.engine.attributed[1].job in bench.engine.stopped

        await bench.pilot.press("A")
        await bench.until(lambda: bench.engine.traced)
        traced = bench.engine.traced[-1]
        assert traced.text == "abc c"
        tab = bench.app.screen
        assert isinstance(tab, InspectScreen)
        bench.engine.say(*walk("classic", traced.text, traced.job))
        await bench.until(lambda: "the next one is a, character 6" in shown(bench.app))
        assert tab.focused is tab.query_one(AttentionMap)
        assert "attends to" in shown(bench.app)

        await bench.pilot.press("escape")
        await bench.until(lambda: bench.app.screen is bench.screen)
        assert bench.screen.pane.output.cursor == 5
        await bench.pilot.press("escape")  # why, then the microscope
        await bench.until(lambda: "After" not in shown(bench.app))
        assert bench.screen.pane.glass.is_open
        await bench.pilot.press("escape", "f10")
        await bench.until(lambda: len(bench.engine.traced) == 2)
        assert bench.app.screen.query_one(PromptBox).text == "abc "  # the prompt again


async def test_a_failure_is_said_and_another_model_is_asked_anew() -> None:
    async with opened((80, 24)) as bench:
        await bench.write("ab", "cab")
        why = next(one for one in bench.screen.palette_commands() if one.title == "Why this character?")
        why.run()
        await bench.until(lambda: bench.engine.attributed)
        job = bench.engine.attributed[-1].job
        bench.engine.say(GenerationEnded(job, "failed", 0, 0.0, None, "", "the weights are gone"))
        await bench.until(lambda: "the weights are gone" in shown(bench.app))
        await bench.pilot.press("alt+u")
        await bench.until(lambda: len(bench.engine.attributed) == 2)
        assert bench.engine.attributed[-1].untrained
