"""The token microscope: what the panel says, and the output under it, with an engine of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.theme import Theme
from wait import shown, wait_until

from tinygpt_tui.events.generation import (
    Candidate,
    EndReason,
    Explained,
    GenerationEnded,
    Token,
    TokenProbabilities,
    TokenSeen,
)
from tinygpt_tui.events.requests import Control, StopJob
from tinygpt_tui.ui.generate.inspectable_output import InspectableOutput
from tinygpt_tui.ui.shared.microscope import Microscope, name_of, panel, percent
from tinygpt_tui.ui.shared.surprise_index import CharInfo, Question
from tinygpt_tui.ui.shell.themes import THEMES
from tinygpt_tui.workers.client import Job

ALPHABET = "et \noa日\ufffdis"  # the ten likeliest; one is half a character
ACTUAL = 2  # the space is what stands there


def chance(probability: float = 0.125, alphabet: str = ALPHABET) -> TokenProbabilities:
    candidates = tuple(Candidate(id, text, 0.5 / (id + 1)) for id, text in enumerate(alphabet))
    return TokenProbabilities(probability, 3, 2.0, candidates)


def known(offset: int = 5, probability: float = 0.125) -> CharInfo:
    return CharInfo(offset, "known", (TokenSeen(offset, offset + 1, ACTUAL, chance(probability)),))


def text_of(look: CharInfo | None, width: int, height: int, picked: int | None = None, text: str = " ") -> list[str]:
    return ["".join(piece.text for piece in line) for line in panel(look, text, picked, width, height)]


# The panel alone


def test_in_a_low_panel_the_alternatives_stand_in_two_columns() -> None:
    lines = text_of(known(), 78, 7)
    assert len(lines) == 7
    assert lines[0] == "␣  probability 12.5%   rank 3   surprise 3.0 bits   entropy 2.9 bits"
    assert [line.split()[0] for line in lines[1:6]] == ["1", "2", "3", "4", "5"]
    assert lines[1].startswith("1   e  ██████████")
    assert lines[1].index(" 6   a") > 30
    assert lines[3].startswith("3 ▸ ␣")
    assert lines[4].startswith("4   ↵")
    assert lines[1].rstrip().endswith("8.33%")
    assert lines[6] == "Tab or 1–0 selects another character"


def test_in_a_tall_panel_they_stand_in_one() -> None:
    lines = text_of(known(), 60, 14, picked=0)
    assert [line[:1] for line in lines] == ["␣", "", *"1234567890", "", "E"]
    assert lines[-1] == "Enter continues from here with e"
    assert all(cell_len(line) == 60 for line in lines[2:12])


def test_what_cannot_be_explained_is_said() -> None:
    said = {
        state: text_of(CharInfo(3, state, problem="the engine died"), 78, 7, text="Ж")
        for state in ("waiting", "first", "unknown", "failed")
    }
    assert said["waiting"] == ["Ж  …"]
    assert said["first"] == ["Ж  first character: there is no context to predict it from"]
    assert said["unknown"] == ["Ж  this character is not in the vocabulary; the model skips it"]
    assert said["failed"] == ["Ж  the engine died"]
    assert text_of(None, 78, 7) == []


def test_a_character_in_several_tokens_says_so() -> None:
    tokens = tuple(TokenSeen(5, 6, id, chance(0.5)) for id in range(3))
    assert text_of(CharInfo(5, "known", tokens), 78, 7)[0].startswith("␣  12.5%  in 3 tokens")
    inside = CharInfo(5, "known", tokens, whole=False)
    assert text_of(inside, 78, 7)[-1] == "a part of a character: text cannot continue from here"


@given(st.integers(0, 150), st.integers(1, 20), st.integers(0, 11), st.none() | st.integers(0, 9))
@settings(deadline=None)
def test_any_size_and_any_number_of_alternatives(width: int, height: int, count: int, picked: int | None) -> None:
    look = CharInfo(0, "known", (TokenSeen(0, 9, 1, chance(1e-9, (ALPHABET * 2)[:count])),))
    lines = text_of(look, width, height, picked, text="a long token\n")
    assert len({cell_len(line) for line in lines[2:12] if line[:1].isdigit()}) <= 2
    if width >= 40:
        assert all(cell_len(line) <= width for line in lines)


def test_numbers_are_short_and_what_would_not_be_seen_has_a_mark() -> None:
    assert [percent(share) for share in (1.0, 0.4119, 0.0999, 0.00123, 1e-9, 0.0)] == [
        "100.0%",
        "41.2%",
        "9.99%",
        "0.12%",
        "<0.01%",
        "<0.01%",
    ]
    assert name_of(" a\n\t\x1b") == "␣a↵⇥␛"


@given(st.floats(0, 1))
@settings(deadline=None)
def test_a_percentage_has_at_most_six_characters(share: float) -> None:
    assert len(percent(share)) <= 6


# With the output


class Glass(App[None]):
    """An engine that answers when it is told to, and what was asked of the screen."""

    CSS = "#output { border: none; }"

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[tuple[Question, str]] = []
        self.jobs: list[Job] = []
        self.stopped: list[Control] = []
        self.forks: list[tuple[int, str]] = []
        self.toggled: list[bool] = []

    def compose(self) -> ComposeResult:
        yield InspectableOutput()

    @property
    def glass(self) -> InspectableOutput:
        return self.query_one(InspectableOutput)

    def on_inspectable_output_ask(self, message: InspectableOutput.Ask) -> None:
        self.questions.append((message.question, message.text))
        self.jobs.append(Job(len(self.questions), self.stopped.append))
        self.glass.asked(message.question, self.jobs[-1])

    def on_inspectable_output_toggled(self, message: InspectableOutput.Toggled) -> None:
        self.toggled.append(message.is_open)

    def on_microscope_fork(self, message: Microscope.Fork) -> None:
        self.forks.append((message.offset, message.text))

    def answer(self, surprising: str = "", reason: EndReason = "length") -> None:
        """Answer the last question; what is in `surprising` is 10 bits of it, the rest 1 bit."""
        (question, text), job = self.questions[-1], len(self.questions)
        tokens = [
            TokenSeen(at, at + 1, ACTUAL, chance(2.0**-10 if text[at] in surprising else 0.5) if at else None)
            for at in range(question.start, question.end)
        ]
        self.glass.apply_events([Explained(job, tuple(tokens)), GenerationEnded(job, reason, len(tokens), 0.1, 0.1)])


async def opened(pilot: Pilot[None], text: str = "But soft, what light", prompt_end: int = 3) -> InspectableOutput:
    """Open the microscope over a text, and wait for its first question."""
    app = pilot.app
    assert isinstance(app, Glass)
    app.glass.reset(text, prompt_end)
    await pilot.pause()
    assert app.glass.open()
    await wait_until(pilot, lambda: app.questions and app.toggled == [True])
    return app.glass


async def test_it_opens_at_what_was_written_and_asks_about_it_first() -> None:
    app = Glass()
    async with app.run_test(size=(80, 24)) as pilot:
        assert not app.glass.open()  # there is no text
        glass = await opened(pilot)
        assert glass.output.cursor == 3
        assert glass.output.has_focus
        assert "␣  …" in shown(app)
        question, text = app.questions[0]
        assert (question.start, question.end, text) == (3, 19, "But soft, what light")
        app.answer()
        await wait_until(pilot, lambda: "probability 50.0%" in shown(app))
        await wait_until(pilot, lambda: len(app.questions) == 2)  # what is in sight
        app.answer()
        await wait_until(pilot, lambda: len(app.questions) == 3)
        app.answer()
        await pilot.press("ctrl+home")
        await wait_until(pilot, lambda: "there is no context" in shown(app))
        assert len(app.questions) == 3


@pytest.mark.parametrize(("size", "columns"), [((80, 24), 2), ((139, 40), 1)], ids=["80x24", "139x40"])
async def test_ten_alternatives_are_seen_at_every_size(size: tuple[int, int], columns: int) -> None:
    app = Glass()
    async with app.run_test(size=size) as pilot:
        await opened(pilot)
        app.answer()
        await wait_until(pilot, lambda: "probability 50.0%" in shown(app))
        lines = shown(app).splitlines()
        rows = [line for line in lines if line.count("%") == columns and "probability" not in line]
        assert len(rows) == 10 // columns
        assert "Tab or 1–0 selects another character" in shown(app)
        assert "But soft, what light" in lines[0]


async def test_it_steps_by_token_and_marks_where_each_begins() -> None:
    app = Glass()
    words = ("But", " soft", ",", " wh", "at")
    async with app.run_test(size=(80, 24)) as pilot:
        glass = await opened(pilot, "".join(words), 0)
        starts = [0, 3, 8, 9, 12]
        tokens = tuple(
            TokenSeen(start, start + len(word), ACTUAL, chance() if start else None)
            for start, word in zip(starts, words, strict=True)
        )
        while not glass.index.cuts[12]:
            job = len(app.questions)
            glass.apply_events([Explained(job, tokens), GenerationEnded(job, "length", 5, 0.1, 0.1)])
            await pilot.pause()
        for keys, place, seen in (("right", 3, "␣soft  "), ("right", 8, ",  "), ("left", 3, "5 characters")):
            await pilot.press(keys)
            await wait_until(pilot, lambda seen=seen: seen in shown(app))  # type: ignore[misc]
            assert glass.output.cursor == place
        glass.output.walk(11)  # inside a token, as a click does
        await wait_until(pilot, lambda: glass.output.cursor == 9)
        await pilot.press("T")
        marks = glass.output._text_marks
        assert (marks.kind, [at for at, mark in enumerate(marks.levels) if mark]) == ("token", starts)
        assert (marks.cursor, marks.cursor_end) == (9, 12)
        await pilot.press("T")
        assert not marks.levels


async def test_an_alternative_is_picked_and_forked_from() -> None:
    app = Glass()
    async with app.run_test(size=(80, 24)) as pilot:
        glass = await opened(pilot)
        app.answer()
        await pilot.press("enter")  # nothing is picked yet
        await pilot.press("tab", "tab", "shift+tab")
        assert glass.microscope.picked == 0
        await pilot.press("0")
        assert glass.microscope.picked == 9
        await wait_until(pilot, lambda: "Enter continues from here with s" in shown(app))
        await pilot.press("8")  # half a character: no text can begin with it
        assert glass.microscope.picked == 9
        await pilot.press("tab", "shift+tab", "enter")
        await wait_until(pilot, lambda: app.forks)
        assert app.forks == [(3, "s")]
        await pilot.press("right")
        assert glass.microscope.picked is None


async def test_a_click_picks_and_a_second_one_forks() -> None:
    app = Glass()
    async with app.run_test(size=(80, 24)) as pilot:
        glass = await opened(pilot)
        app.answer()
        await wait_until(pilot, lambda: "probability" in shown(app))
        row = next(y for y, line in enumerate(shown(app).splitlines()) if line.lstrip().startswith("2   t"))
        await pilot.click(offset=(10, row))
        assert glass.microscope.picked == 1
        assert glass.is_open
        await pilot.click(offset=(10, row))
        await wait_until(pilot, lambda: app.forks)
        assert app.forks == [(3, "t")]
        assert glass.output.has_focus


async def test_jumps_go_to_what_was_surprising() -> None:
    app = Glass()
    async with app.run_test(size=(80, 24)) as pilot:
        glass = await opened(pilot)
        while glass.index.question is not None:
            app.answer(surprising="wg")
            await pilot.pause()
        await pilot.press("]")
        assert glass.output.cursor == 10
        await pilot.press("ctrl+right")
        assert glass.output.cursor == 17
        await pilot.press("]")
        assert glass.output.cursor == 17
        await pilot.press("[")
        assert glass.output.cursor == 10
        assert "surprise 10.0 bits" in shown(app)


async def test_colours_come_with_a_key_and_stay_when_the_microscope_is_left() -> None:
    app = Glass()
    async with app.run_test(size=(80, 24)) as pilot:
        glass = await opened(pilot)
        ground = glass.output.render_line(0)
        glass.set_colours(True)  # its key is the screen's
        while glass.index.question is not None:
            app.answer(surprising="w")
            await pilot.pause()
        assert glass.colours
        assert "surprise in bits  below 1  1–2  2–4  4–6  6–9  9 and more" in shown(app)
        coloured = glass.output.render_line(0)
        assert coloured != ground
        await pilot.press("escape")
        await wait_until(pilot, lambda: app.toggled == [True, False])
        assert not glass.is_open
        assert not glass.microscope.is_on_screen
        assert [segment.text for segment in glass.output.render_line(0)].count("w") == 1
        questions = len(app.questions)
        glass.append(" through yonder")
        await wait_until(pilot, lambda: len(app.questions) > questions)
        assert app.questions[-1][0].start == 20


async def test_keys_are_the_apps_while_it_is_not_open() -> None:
    app = Glass()
    async with app.run_test(size=(80, 24)) as pilot:
        app.glass.reset("text")
        app.glass.output.focus()
        await pilot.press("f6", "]", "tab", "enter", "escape", "1", "left")
        assert not app.glass.colours
        assert app.glass.output.cursor is None
        assert app.questions == []


async def test_another_text_or_another_model_gives_up_the_question() -> None:
    app = Glass()
    async with app.run_test(size=(80, 24)) as pilot:
        glass = await opened(pilot)
        app.answer()
        await wait_until(pilot, lambda: len(app.questions) == 2)
        glass.forget()
        await wait_until(pilot, lambda: app.stopped == [StopJob(2)] and len(app.questions) == 3)
        assert "…" in shown(app)
        glass.reset("another")
        await wait_until(pilot, lambda: app.stopped == [StopJob(2), StopJob(3)] and app.toggled == [True, False])
        assert len(app.questions) == 3


async def test_a_question_is_given_up_when_the_cursor_is_elsewhere() -> None:
    app = Glass()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "x" * 5000)
        await pilot.press("ctrl+end")
        await wait_until(pilot, lambda: app.stopped == [StopJob(1)])
        app.glass.apply_events([GenerationEnded(1, "stopped", 0, 0.1, None)])
        await wait_until(pilot, lambda: len(app.questions) == 2)
        assert app.questions[-1][0].start == 4999


async def test_a_failure_is_shown_and_the_next_step_tries_again() -> None:
    app = Glass()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        app.glass.apply_events([GenerationEnded(1, "failed", 0, 0.1, None, message="the engine process ended")])
        await wait_until(pilot, lambda: "the engine process ended" in shown(app))
        assert len(app.questions) == 1
        await pilot.press("right")
        await wait_until(pilot, lambda: len(app.questions) == 2)


async def test_while_the_engine_writes_the_tokens_tell_their_own_chances() -> None:
    app = Glass()
    async with app.run_test(size=(80, 24)) as pilot:
        glass = app.glass
        glass.reset("ab")
        glass.set_pace(writing=True, slow=False)
        glass.set_colours(True)
        glass.append("cd", [Token(1, index, ACTUAL, text, 1, chance(2.0**-10)) for index, text in enumerate("cd")])
        await pilot.pause()
        assert app.questions == []
        assert glass.open(2)
        await wait_until(pilot, lambda: "surprise 10.0 bits" in shown(app))
        assert list(glass.index.levels) == [0, 0, 6, 6]
        glass.set_pace(writing=False, slow=False)
        await wait_until(pilot, lambda: app.questions)
        assert (app.questions[0][0].start, app.questions[0][0].end) == (0, 2)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
async def test_it_is_drawn_in_every_theme(theme: Theme) -> None:
    app = Glass()
    async with app.run_test(size=(80, 24)) as pilot:
        app.register_theme(theme)
        app.theme = theme.name
        glass = await opened(pilot)
        app.answer()
        await wait_until(pilot, lambda: "probability 50.0%" in shown(app))
        for segment in glass.microscope.render_line(1):
            assert segment.style is None or segment.style.color != segment.style.bgcolor
