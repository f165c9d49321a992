"""A model with roles in Generate: it answers in turns, which are branches, and any turn can be said otherwise."""

from __future__ import annotations

import json

import pytest
from fakes import make_model
from generate_bench import Bench, opened
from textual.app import App, ComposeResult

from tinygpt_tui.sessions.document import words_of
from tinygpt_tui.sessions.export import as_text
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.dialogues import DialogueTokenizer, Turn
from tinygpt_tui.ui.generate.chat_turns import signs_of
from tinygpt_tui.ui.shared.branch_words import preview_text
from tinygpt_tui.ui.shared.output_text import OutputText
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shared.wrapped_text import WrappedText
from tinygpt_tui.ui.shared.wrapping import Line, shown, shown_index, source_index

pytestmark = pytest.mark.usefixtures("no_shipped_models")

DIALOGUE = DialogueTokenizer(CharTokenizer("abc xyz"), ("user", "assistant"), ("assistant",))


def make_chat_model(name: str) -> None:
    folder = make_model(name, architecture=GPTSettings(vocab_size=DIALOGUE.size))
    (folder / "tokenizer.json").write_text(json.dumps(DIALOGUE.to_dict()))


async def say(bench: Bench, words: str, answer: str) -> None:
    """Say something and have it answered."""
    await bench.ask(words)
    bench.engine.begin()
    bench.engine.write(answer)
    bench.engine.end("end of text")
    await bench.until(lambda: not bench.screen.pane.writing.busy)


def turns(bench: Bench) -> list[tuple[str, str]]:
    return [tuple(turn) for turn in DIALOGUE.turns_of(bench.text)]


async def test_it_answers_in_turns_and_each_can_be_said_otherwise() -> None:
    make_chat_model("talk")
    async with opened((80, 24), models=("talk",)) as bench:
        pane, prompt = bench.screen.pane, bench.screen.query_one(PromptBox)
        await bench.until(lambda: pane.turns.dialogue is not None)
        assert bench.screen.check_action("edit_turn", ()) is False
        await say(bench, "ab", "xy")
        assert bench.engine.asked[-1].prompt == DIALOGUE.prompt_of([Turn("user", "ab")])
        assert prompt.text == ""
        assert str(prompt.placeholder) == "Say something…"
        await bench.press("enter")
        assert len(bench.engine.asked) == 1  # nothing was said
        await bench.press("ctrl+r")
        await bench.until(lambda: len(bench.engine.asked) == 2)
        prompt.text = "c"
        await bench.press("enter")
        assert (len(bench.engine.asked), prompt.text) == (2, "c")  # the answer is still being written
        bench.engine.begin()
        bench.engine.write("xy")
        bench.engine.end("end of text")
        await bench.until(lambda: not pane.writing.busy)
        await bench.until(lambda: pane.turns.dialogue is not None)
        model = pane.model
        assert model is not None
        pane.set_model(model)  # the list was read again
        assert pane.turns.dialogue is not None
        await say(bench, "b\x1fc\ufdd1", "zz")
        assert turns(bench) == [("user", "ab"), ("assistant", "xy"), ("user", "bc"), ("assistant", "zz")]
        rows = [pane.output.render_line(row).text.rstrip() for row in range(4)]
        assert [row[2:] for row in rows] == ["❯ ab", "◆ xy", "❯ bc", "◆ zz"]
        drawn = [[*pane.output.render_line(row)][2:] for row in range(4)]  # behind the gutter
        grounds = [{one.style.bgcolor for one in row if one.style} for row in drawn]
        assert [len(ground) for ground in grounds] == [1, 1, 1, 1]  # to the edge of the screen
        assert grounds[0] == grounds[2] != grounds[1] == grounds[3]
        first = pane.editor.session.current
        for words in ("bc", "ab"):
            await bench.press("ctrl+e")
            await bench.until(lambda words=words: prompt.text == words)  # type: ignore[misc]
        assert prompt.border_title == "prompt: edit turn 1 of 2"
        await say(bench, "ca", "y")
        assert turns(bench) == [("user", "ca"), ("assistant", "y")]
        assert prompt.border_title == "prompt"
        assert pane.editor.full_text(first).count("\x1f") == 3
        await bench.press("ctrl+r")
        await bench.until(lambda: len(bench.engine.asked) == 5)
        assert bench.engine.asked[-1].prompt == DIALOGUE.prompt_of([Turn("user", "ca")])
        session = pane.editor.session
        assert first is not None
        assert as_text(session, first).decode() == "ab\nxy\nbc\nzz"
        assert preview_text(session, session.branches[first], 99).plain.split("\n")[0] == "◆ ab"
        assert words_of(session.branches[min(session.branches)]) == "ab xy"


class Pane(App[None]):
    """An output alone."""

    def compose(self) -> ComposeResult:
        yield OutputText()


async def test_more_than_two_roles_have_their_names() -> None:
    play = DialogueTokenizer(CharTokenizer("abcxyz "), ("HAMLET", "OPHELIA", "GHOST"), ("HAMLET", "OPHELIA"))
    text = play.text_of([Turn("GHOST", "ab"), Turn("HAMLET", "x " * 60), Turn("OPHELIA", "cab")])
    app = Pane()
    async with app.run_test(size=(80, 24)) as pilot:
        output = app.query_one(OutputText)
        await pilot.pause()
        output.reset(text)
        output.set_roles(*signs_of(play))
        shown = [output.render_line(row).text[2:].rstrip() for row in range(len(output.lines) - 1)]
        assert [shown[0], shown[1][:12], shown[-1]] == ["❯ GHOST: ab", "◆ HAMLET: x ", "◆ OPHELIA: cab"]
        assert len(shown) == 4  # the second turn has two lines
        assert max(map(len, shown)) <= output.wrapped.width
        columns = [output.wrapped.column_of(len(text) - at) for at in (4, 2)]
        assert columns == [len("◆ OPHELIA: "), len("◆ OPHELIA: ca")]


def test_two_sides_need_no_names() -> None:
    dialogue = DialogueTokenizer(CharTokenizer("ab"), ("system", "user", "assistant"), ("assistant",))
    signs, persons = signs_of(dialogue)
    assert [*signs.values()] == ["❯ system: ", "❯ ", "◆ "]
    assert persons == "".join([*signs][:2])


def test_turns_are_lines_and_offsets_stay() -> None:
    text = DIALOGUE.text_of([Turn("user", "ab cd"), Turn("assistant", "x")])
    wrapped = WrappedText(text, 80)
    assert wrapped.lines == [Line(0, 6), Line(7, 9), Line(10, 10)]
    assert wrapped.last_of(wrapped.lines[0]) == 6
    drawn = shown(text[:6])
    assert drawn == "◆ ab cd"
    assert [shown_index(text[:6], at) for at in (0, 1, 6)] == [0, 2, 7]
    assert [source_index(text[:6], at) for at in (0, 1, 2, 6)] == [0, 0, 1, 5]
    assert WrappedText(text, 4).lines[:2] == [Line(0, 4), Line(4, 6)]
