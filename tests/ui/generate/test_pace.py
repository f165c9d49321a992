"""Text at a pace: the permits, and what the user sees and does while it waits."""

from __future__ import annotations

import pytest
from generate_bench import Bench, opened
from hypothesis import given
from hypothesis import strategies as st

from tinygpt_tui import paths
from tinygpt_tui.events.generation import Candidate, Token, TokenProbabilities
from tinygpt_tui.events.requests import ChangeSampling
from tinygpt_tui.sessions.export import facts_of
from tinygpt_tui.settings.sampling import SamplingChange
from tinygpt_tui.ui.generate.workspace import PRESETS
from tinygpt_tui.ui.learn.observer import written_on
from tinygpt_tui.ui.shared import pacer
from tinygpt_tui.ui.shared.microscope import Microscope
from tinygpt_tui.ui.shared.permits import FULL, LEAD_S, PACES, Permits, dial
from tinygpt_tui.ui.shared.sampling_form import SamplingForm

pytestmark = pytest.mark.usefixtures("no_shipped_models")
EACH_SIZE = pytest.mark.parametrize("size", [(80, 24), (140, 40)], ids=["80x24", "140x40"])
CANDIDATES = tuple(Candidate(id, text, 0.5 / 2**id) for id, text in enumerate("etaoinshrd"))


@pytest.fixture(autouse=True)
def one_token_a_key() -> None:
    """Start at the slowest pace."""
    paths.settings_file().parent.mkdir(parents=True, exist_ok=True)
    paths.settings_file().write_text('pace = "step"\n', encoding="utf-8")


def draw(bench: Bench, index: int, text: str, *drawn: float) -> None:
    """Have a token come that was drawn with these probabilities of its candidates."""
    chance = TokenProbabilities(0.25, 2, 2.0, CANDIDATES, drawn)
    bench.engine.say(Token(bench.engine.asked[-1].job, index, 1, text, 3, chance))


def panel(bench: Bench) -> str:
    glass = bench.screen.query_one(Microscope)
    lines = [glass.render_line(y).text for y in range(glass.content_size.height)]
    return "\n".join([str(glass.border_title), *lines]) if glass.region.height else ""


# The permits alone


class Clock:
    """A time that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@given(st.sampled_from([rate for rate in PACES.values() if rate < FULL]), st.lists(st.floats(0, 3), max_size=30))
def test_permits_come_at_their_pace_and_never_run_ahead(rate: float, waits: list[float]) -> None:
    clock = Clock()
    permits = Permits(rate, clock)
    shown = 0
    for wait in waits:
        clock.now += wait
        allowed = permits.due()
        assert allowed is not None
        assert shown <= allowed <= shown + 1 + rate * LEAD_S
        assert allowed <= 1 + rate * clock.now + 1e-6
        shown = allowed
        permits.shown(shown)
    permits.pause(True)
    clock.now += 100
    assert permits.due() == shown
    permits.step()
    assert permits.due() == shown + 1


def test_at_full_speed_there_is_no_limit_until_it_is_paused() -> None:
    permits = Permits(FULL)
    permits.shown(500)
    assert permits.due() is None
    permits.pause(True)
    assert permits.due() == 500
    permits.pause(False)
    assert permits.due() is None
    assert [dial(rate, paused=False)[:5] for rate in PACES.values()] == ["●┄┄┄┄", "┄●┄┄┄", "┄┄●┄┄", "┄┄┄●┄", "┄┄┄┄●"]


# In the app


@EACH_SIZE
async def test_a_token_a_key_its_draw_and_the_end(size: tuple[int, int]) -> None:
    async with opened(size) as bench:
        await bench.ask("ab")
        assert bench.engine.asked[0].allowed == 0
        bench.engine.begin()
        await bench.until(lambda: bench.screen.pane.output.has_focus and "paused" in bench.status)
        assert {"Continue", "Next token", "Stop"} <= bench.keys
        await bench.pilot.press("right")
        await bench.until(lambda: bench.engine.allowed[-1] == 1)
        draw(bench, 0, "t", 0.75, 0.25, *[0.0] * 8)
        await bench.until(lambda: bench.text == "abt")
        assert "last draw: model → with T 0.8" in panel(bench)
        rows = [line for line in panel(bench).split("\n") if " t " in line]
        assert "▸ t" in rows[0]
        assert "25.0%" in rows[0]
        assert next(line for line in panel(bench).split("\n") if " a " in line).count("–") >= 1
        await bench.pilot.press("space")
        await bench.until(lambda: bench.engine.allowed[-1] == 2)
        await bench.pilot.press("alt+up")  # now they come by themselves
        await bench.until(lambda: "5/s" in str(bench.screen.pane.output.border_subtitle))
        assert bench.engine.allowed[-1] == 2
        draw(bench, 1, "e", *[0.1] * 10)
        await bench.until(lambda: bench.engine.allowed[-1] == 3)
        await bench.pilot.press("alt+up", "alt+up", "alt+up")
        await bench.until(lambda: bench.engine.allowed[-1] is None)
        assert ("Alt+↓" in panel(bench)) == (size == (140, 40))  # out of the way, or in its place
        bench.engine.end()
        await bench.until(lambda: bench.screen.pane.prompt.has_focus)
        assert bench.text == "abte"
        await bench.until(lambda: 'pace = "full"' in paths.settings_file().read_text(encoding="utf-8"))
        assert "Pause" not in bench.keys


@EACH_SIZE
async def test_stop_retry_and_a_crash_while_it_is_paused(size: tuple[int, int]) -> None:
    async with opened(size) as bench:
        pane, engine = bench.screen.pane, bench.engine
        await bench.pilot.press("alt+up", "alt+up")  # 20 a second
        await bench.ask("ab")
        engine.begin()
        engine.write("c")
        await bench.until(lambda: bench.text == "abc")
        await bench.pilot.press("ctrl+@")
        await bench.until(lambda: pane.pacer.paused and pane.output.has_focus)
        assert "Ⅱ ┄┄●┄┄ 20/s" in str(pane.output.border_subtitle)
        await bench.until(lambda: "Continue" in bench.keys and "Pause" not in bench.keys)
        allowed = engine.allowed[-1]
        await bench.pilot.press("alt+right")  # the text is drawn on with it
        changes = [request for request in engine.script.requests if isinstance(request, ChangeSampling)]
        await bench.until(lambda: changes or engine.script.requests)
        assert engine.allowed[-1] == allowed
        assert "settings changed" not in str(pane.output.border_subtitle)  # nothing is drawn with it yet
        engine.write("x")
        await bench.until(lambda: "settings changed" in str(pane.output.border_subtitle))
        await bench.pilot.press("escape")
        await bench.until(lambda: len(engine.stopped) > 0 and not pane.pacer.active)
        engine.end("stopped")
        await bench.until(lambda: pane.can_retry and pane.prompt.has_focus)
        await bench.pilot.press("ctrl+r")
        await bench.until(lambda: len(engine.asked) == 2)
        assert engine.asked[1].sampling.temperature == 0.9
        engine.begin()
        engine.write("d")
        await bench.until(lambda: bench.text == "abd")
        await bench.pilot.press("ctrl+@")
        await bench.until(lambda: pane.pacer.paused)
        engine.die()
        await bench.until(lambda: not pane.pacer.active and not pane.writing.busy)
        assert "ended unexpectedly" in bench.notes
    saved = pane.editor.session  # the app was closed
    assert [pane.editor.full_text(branch) for branch in saved.branches] == ["abcx", "abd"]
    assert [branch.turned for branch in saved.branches.values()] == [True, False]
    assert "settings: temperature 0.9 from token 2" in facts_of(saved.branches[0])


async def test_a_text_with_changed_settings_is_reproduced() -> None:
    async with opened((80, 24)) as bench:
        pane, engine = bench.screen.pane, bench.engine
        await bench.ask("ab")
        engine.begin(seed=5)
        engine.write("c")
        await bench.until(lambda: bench.text == "abc")
        await bench.pilot.press("alt+right")
        await bench.until(lambda: any(isinstance(request, ChangeSampling) for request in engine.script.requests))
        engine.write("c")
        engine.end("stopped")
        await bench.until(lambda: not pane.writing.busy)
        assert "drawn with" not in str(pane.output.border_subtitle)
        await bench.pilot.press("alt+right")
        await bench.until(lambda: "settings changed, drawn with T 0.9" in str(pane.output.border_subtitle))
        await bench.pilot.press("alt+left")
        await bench.until(lambda: "drawn with" not in str(pane.output.border_subtitle))
        next(command for command in bench.screen.palette_commands() if command.title == "Reproduce").run()
        await bench.until(lambda: len(engine.asked) == 2)
        again = engine.asked[1]
        assert (again.prompt, again.changes) == ("ab", (SamplingChange(1, 0.9),))
        assert (again.sampling.temperature, again.sampling.seed, again.sampling.max_new_tokens) == (0.8, 5, 2)
        engine.begin(seed=5)
        engine.write("c")
        # The form has 0.9, with which the text's second token was drawn; the first one has its own again.
        await bench.until(lambda: "seed 5, drawn with T 0.8" in str(pane.output.border_subtitle))
        assert str(pane.output.border_subtitle).startswith("[$accent]T 0.9[")
        assert "Reproduce" not in [command.title for command in bench.screen.palette_commands()]  # it is being written
        written = next(written_on(bench.screen, 0.0))
        assert (written.tokens, written.temperature) == (1, 0.9)  # as a lesson's checks see it


async def test_the_temperature_is_turned_from_anywhere_and_always_seen() -> None:
    async with opened((80, 24)) as bench:
        form, output = bench.screen.query_one(SamplingForm), bench.screen.pane.output

        def shows(words: str, differs: bool = True) -> bool:
            return str(output.border_subtitle).startswith(f"[$accent]{words}[" if differs else f"{words} ")

        await bench.pilot.press("a", "alt+right", "alt+right")
        await bench.until(lambda: shows("T 1"))
        assert bench.screen.pane.prompt.text == "a"
        await bench.pilot.press("alt+shift+right")
        await bench.until(lambda: shows(f"T {PRESETS['wild']:g}"))
        await bench.pilot.press("alt+shift+left", "alt+shift+left")
        await bench.until(lambda: shows("T 0"))
        titles = {command.title: command for command in bench.screen.palette_commands()}
        titles["Normal sampling"].run()
        await bench.until(lambda: shows("T 0.8", differs=False))
        await bench.pilot.press("ctrl+o", "alt+left", "escape")
        await bench.until(lambda: shows("T 0.7"))
        assert form.settings is not None
        await bench.ask("a")
        assert bench.engine.asked[0].sampling.temperature == 0.7


async def test_the_bars_under_the_cursor_follow_the_temperature() -> None:
    paths.settings_file().write_text('pace = "full"\n', encoding="utf-8")
    async with opened((100, 40)) as bench:
        await bench.write("ab", "cd")
        await bench.pilot.press("f5")
        await bench.until(lambda: bench.engine.asked_why)
        bench.engine.explain_next()
        await bench.until(lambda: "rank" in panel(bench))
        count = len(bench.engine.asked_why)
        await bench.pilot.press("alt+right")
        await bench.until(lambda: len(bench.engine.asked_why) > count)
        assert bench.engine.asked_why[-1].sampling.temperature == 0.9
        assert "rank" in panel(bench)  # what was there stays until the answer comes
        assert "T 0.9" in panel(bench)


async def test_a_new_users_first_text_is_slow_and_the_next_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    paths.settings_file().unlink()
    monkeypatch.setattr(pacer, "FIRST", 40.0)
    async with opened((80, 24)) as bench:
        await bench.ask("a")
        assert bench.engine.asked[0].allowed == 0
        assert "40/s" in str(bench.screen.pane.output.border_subtitle)
        await bench.until(lambda: "The probabilities of each draw appear here" in panel(bench))  # it is slow already
        bench.engine.begin()
        bench.engine.end()
        await bench.until(lambda: not bench.screen.pane.writing.busy)
        await bench.ask("b")
        assert bench.engine.asked[1].allowed is None
        await bench.until(lambda: 'pace = "full"' in paths.settings_file().read_text(encoding="utf-8"))


async def test_where_the_text_would_have_two_lines_no_draw_is_shown_unless_it_is_asked_for() -> None:
    async with opened((80, 24)) as bench:
        await bench.ask("a")
        bench.engine.begin()
        draw(bench, 0, "e", *[0.1] * 10)
        await bench.until(lambda: "rank" in panel(bench))
        await bench.pilot.resize_terminal(80, 18)  # as much as a lesson leaves
        await bench.until(lambda: not panel(bench))
        await bench.pilot.press("f5")
        await bench.until(lambda: "microscope" in panel(bench))
