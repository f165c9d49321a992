"""What terminals answer when they are asked for pictures, and that no answer is taken for keys."""

from __future__ import annotations

import pytest

from tinygpt_tui.ui.pictures.answers import ATTRIBUTES, CELL_SIZE, KITTY, VERSION, Questions, Terminal


class FakeTerminal:
    """Answers each question that it knows, in order, as a real one does."""

    def __init__(self, answers: dict[str, str], cell: tuple[int, int] = (0, 0)) -> None:
        self.answers, self.asked, self.sent, self.heard = answers, "", "", []
        self.questions = Questions(self.write, self.heard.append, lambda: cell)

    heard: list[Terminal]

    def write(self, text: str) -> None:
        self.asked += text
        places = sorted((text.index(question), question) for question in self.answers if question in text)
        self.sent += "".join(self.answers[question] for _, question in places)

    def typed(self, chunk: int) -> str:
        """Return what is left as keys of all that it sends, read in chunks."""
        left = ""
        while self.sent:
            size = chunk + (self.sent[:chunk][-1] == "\x1b")  # Esc alone is a key
            read, self.sent = self.sent[:size], self.sent[size:]
            left += self.questions.typed(read)
        return left


CELL = {CELL_SIZE: "\x1b[6;20;10t"}
VT340, PLAIN = {ATTRIBUTES: "\x1b[?63;1;2;4;6c"}, {ATTRIBUTES: "\x1b[?62;22c"}


def version(name: str) -> dict[str, str]:
    return {VERSION: f"\x1bP>|{name}\x1b\\"}


@pytest.mark.parametrize("chunk", [1000, 3], ids=["at once", "in pieces"])
@pytest.mark.parametrize(
    ("answers", "cell", "protocol"),
    [
        pytest.param({**CELL, **VT340, **version("foot(1.16)")}, (0, 0), "sixel", id="foot"),
        pytest.param({**VT340, **version("XTerm(379)")}, (7, 15), "sixel", id="the system knows the cells"),
        pytest.param({**VT340, **version("XTerm(379)")}, (0, 0), "", id="cells of unknown size"),
        pytest.param(
            {**CELL, **PLAIN, **version("kitty(0.26.5)"), KITTY: "\x1b_Gi=31;OK\x1b\\"}, (0, 0), "kitty", id="kitty"
        ),
        pytest.param({**CELL, **PLAIN, **version("VTE(7600)")}, (0, 0), "", id="no answer to kitty's question"),
        pytest.param(
            {**CELL, **PLAIN, **version("x"), KITTY: "\x1b_Gi=31;ENOTSUPPORTED\x1b\\"}, (0, 0), "", id="a refusal"
        ),
        pytest.param({**CELL, **PLAIN, **version("tmux 3.3a")}, (8, 16), "", id="tmux"),
        pytest.param({ATTRIBUTES: "\x1b[?1;2c"}, (8, 16), "", id="an old one"),
    ],
)
def test_a_terminal_tells_what_it_can(
    answers: dict[str, str], cell: tuple[int, int], protocol: str, chunk: int
) -> None:
    terminal = FakeTerminal(answers, cell)
    terminal.questions.ask()
    terminal.sent = "a" + terminal.sent + "\x1b[A"  # keys before and after
    assert terminal.typed(chunk) == "a\x1b[A"
    assert [one.protocol for one in terminal.heard] == [protocol]
    may_ask_kitty = VERSION in answers and "tmux" not in answers[VERSION] and protocol != "sixel"
    assert (KITTY in terminal.asked) == (may_ask_kitty and any((*cell, CELL_SIZE in answers)))


def test_another_font_is_another_cell_and_silence_costs_nothing() -> None:
    silent = FakeTerminal({})
    assert silent.questions.typed("\x1b[?1;2c") == "\x1b[?1;2c"  # no question was sent
    silent.questions.ask()
    assert silent.questions.typed("q\x1b[A") == "q\x1b[A"
    silent.questions.ask_size()
    assert (silent.heard, silent.asked.count(CELL_SIZE)) == ([], 1)

    terminal = FakeTerminal({**CELL, **VT340})
    terminal.questions.ask()
    terminal.typed(1000)
    terminal.answers[CELL_SIZE] = "\x1b[6;30;15t"
    terminal.questions.ask_size()
    assert terminal.typed(1000) == ""
    assert terminal.heard == [Terminal("sixel", (10, 20)), Terminal("sixel", (15, 30))]
