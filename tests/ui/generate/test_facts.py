"""Facts under a text: a line at its end, all of it on request, and what is copied underlined."""

from __future__ import annotations

from typing import Any

import pytest
from generate_bench import Bench, opened
from msgspec.structs import replace
from rich.style import Style
from wait import shown

from tinygpt_tui.events.generation import CopiedPassage, GenerationEnded, TextChecked
from tinygpt_tui.ui.generate.fact_words import brief, sentences

pytestmark = pytest.mark.usefixtures("no_shipped_models")

TEXT = "abc " + "a bc cab abc cab bc a abc bac cab abc bac abc"
FOUND = TextChecked(
    1,
    1.0,
    loop_start=9,
    loop_period=153,
    source="tales",
    words=10,
    known_words=9,
    unknown=("bac",),
    copied=((4, 24),),
    longest=CopiedPassage(4, 24, 1234),
)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "repeats every 153 characters since 10 · 90% known words · longest copy 20 characters"),
        ({"loop_period": 0, "known_words": 10, "longest": None}, "100% known words · nothing copied"),
        ({"words": 1000, "known_words": 999, "loop_period": 0, "longest": None}, "99% known words · nothing copied"),
        ({"missing": "it is large"}, "repeats every 153 characters since 10"),
        ({"missing": "it is large", "loop_period": 0}, ""),
    ],
)
def test_the_line_says_what_is_known(changes: dict[str, Any], line: str) -> None:
    assert brief(replace(FOUND, **changes)) == line


@pytest.mark.parametrize(
    ("changes", "window", "said"),
    [
        ({}, 0, "Repeats every 153 characters since character 10."),
        ({}, None, "since character 10: at temperature 0 the same text always gives the same next one."),
        ({}, 128, "since character 10: at temperature 0 the same 128 characters always give the same next one."),
        ({"loop_period": 0}, 128, "It does not repeat itself at its end."),
        ({}, 0, "90% of its 10 words are in tales; not there: bac."),
        ({"unknown": tuple("abcdefgh")}, 0, "not there: a, b, c, d, e, f …."),
        ({}, 0, "copied from tales: 20 characters, line 1,234: “a␣bc␣cab␣abc␣cab␣bc␣”. 44% of the text"),
        ({"longest": None}, 0, "No passage of 16 or more characters is copied from tales."),
        ({"missing": "it is not here"}, 0, "Words and copies are not checked: it is not here."),
    ],
)
def test_the_sentences_say_all(changes: dict[str, Any], window: int | None, said: str) -> None:
    greedy = window != 0
    assert said in "\n".join(sentences(replace(FOUND, **changes), TEXT, 4, greedy, window or 0))


def underlined(bench: Bench) -> str:
    """Return what is underlined of the first line of the text."""
    output = bench.screen.pane.output
    line = output.render_line(0)
    return "".join(one.text for one in line if (one.style or Style()).underline)


def answer(bench: Bench, **changes: Any) -> None:
    job = bench.engine.checked[-1].job
    found = replace(FOUND, job=job, **changes)
    bench.engine.say(replace(found, done=0.4), found, GenerationEnded(job, "length", 0, 0.1, None))


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_a_line_at_the_end_and_all_of_it_with_a_key(size: tuple[int, int]) -> None:
    async with opened(size) as bench:
        await bench.write(TEXT[:4], TEXT[4:])
        await bench.until(lambda: bench.engine.checked)
        asked = bench.engine.checked[-1]
        assert (asked.text, asked.start, asked.quick) == (TEXT, 4, True)
        answer(bench)
        await bench.until(lambda: brief(FOUND)[:50] in shown(bench.app))
        assert "^f more" in shown(bench.app)
        assert not underlined(bench)
        assert "Facts" in bench.keys

        await bench.pilot.press("ctrl+f")
        await bench.until(lambda: "90% of its 10 words are in tales; not there: bac." in shown(bench.app))
        assert underlined(bench) == TEXT[4:24]
        await bench.pilot.press("ctrl+f")
        await bench.until(lambda: "^f more" in shown(bench.app) and not underlined(bench))
        await bench.pilot.press("ctrl+f")
        await bench.until(lambda: underlined(bench) == TEXT[4:24])
        assert len(bench.engine.checked) == 1  # nothing is computed again

        await bench.ask("ab")  # while another text is written, nothing is reported of it
        await bench.until(lambda: "still being written" in shown(bench.app))
        assert not underlined(bench)
        bench.engine.begin()
        bench.engine.write("c" * 50)
        bench.engine.end()
        await bench.until(lambda: len(bench.engine.checked) == 2)
        assert not bench.engine.checked[-1].quick  # while the facts are open, all is checked
        await bench.until(lambda: "Comparing with the training text" in shown(bench.app))
        await bench.pilot.press("alt+u")  # another model is asked again
        await bench.until(lambda: len(bench.engine.checked) == 3)


async def test_a_large_training_text_is_read_only_on_request() -> None:
    async with opened((80, 24)) as bench:
        await bench.write(TEXT[:4], TEXT[4:])
        await bench.until(lambda: bench.engine.checked)
        answer(bench, missing="tales is large (9.0 MB)")
        await bench.until(lambda: "^f more" in shown(bench.app))
        await bench.pilot.press("ctrl+f")
        await bench.until(lambda: len(bench.engine.checked) == 2)
        assert [asked.quick for asked in bench.engine.checked] == [True, False]


async def test_a_check_is_stopped_by_the_next_text_and_a_short_one_is_not_checked() -> None:
    async with opened((80, 24)) as bench:
        await bench.write("ab", "c" * 50)
        await bench.until(lambda: bench.engine.checked)
        await bench.write("ab", "c" * 20)
        await bench.until(lambda: bench.engine.checked[-1].job in bench.engine.stopped)
        assert len(bench.engine.checked) == 1
        await bench.pilot.press("ctrl+f")
        await bench.until(lambda: len(bench.engine.checked) == 2)
        job = bench.engine.checked[-1].job
        bench.engine.say(GenerationEnded(job, "failed", 0, 0.0, None, "", "the disk is gone"))
        await bench.until(lambda: "the disk is gone" in shown(bench.app))
