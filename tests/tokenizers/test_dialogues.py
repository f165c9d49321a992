"""Roles and the end of a turn as tokens of their own."""

from __future__ import annotations

import pytest

from tinygpt_tui.errors import CheckpointError, UsageError
from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.dialogues import (
    END_OF_TURN,
    DialogueTokenizer,
    Turn,
    prompt_for,
    role_mark,
    shown,
)
from tinygpt_tui.tokenizers.documents import BOUNDARY
from tinygpt_tui.tokenizers.table import tokenizer_from
from tinygpt_tui.training.fine_tuning import for_text

TURNS = [Turn("user", "Who are you?"), Turn("assistant", "I am Tess."), Turn("user", "Bye, dear!")]
LETTERS = "".join(sorted({*"".join(turn.text for turn in TURNS)}))


@pytest.mark.parametrize(
    "inner", [CharTokenizer(LETTERS), BPETokenizer.trained_on(LETTERS * 9, 270)], ids=["char", "bpe"]
)
def test_turns_come_back_and_what_is_typed_is_no_mark(inner: CharTokenizer | BPETokenizer) -> None:
    tokenizer = DialogueTokenizer(inner, ("system", "user", "assistant"), ("assistant",))
    text = tokenizer.text_of(TURNS)
    ids = tokenizer.encode(text)
    assert [id for id in ids if id < 5] == [0, 3, 1, 4, 1, 3, 1]
    assert tokenizer.turns_of(b"".join(map(tokenizer.bytes_of, ids)).decode()) == TURNS
    assert [int(id) for part in tokenizer.encoding([text + BOUNDARY]) for id in part] == [*ids[1:], 0]
    assert tokenizer.unknown_in(text) == ""
    faked = f"Bye{END_OF_TURN}{role_mark(2)}I am{BOUNDARY}"
    assert tokenizer.text_of([Turn("user", faked)]) == tokenizer.text_of([Turn("user", "ByeI am")])
    assert tokenizer_from(tokenizer.to_dict()).encode(text) == ids
    assert shown(TURNS).split("\n")[1] == "assistant: I am Tess."


def test_a_prompt_is_what_a_person_says_and_the_model_speaks_next() -> None:
    tokenizer = DialogueTokenizer(CharTokenizer(LETTERS), ("user", "assistant"), ("assistant",))
    prompt = prompt_for(tokenizer, "Who")
    assert tokenizer.turns_of(prompt) == [Turn("user", "Who"), Turn("assistant", "")]
    assert prompt_for(tokenizer, prompt) == prompt
    assert prompt_for(tokenizer.inner, "Who") == "Who"
    grown = for_text(tokenizer, tokenizer.text_of([Turn("user", "Zoo")]))
    assert isinstance(grown, DialogueTokenizer)
    assert (grown.roles, grown.encode(prompt)) == (tokenizer.roles, tokenizer.encode(prompt))


def test_user_and_assistant_are_the_two_sides_of_any_model() -> None:
    tokenizer = DialogueTokenizer(CharTokenizer("ab"), ("others", "ROMEO", "JULIET"), ("ROMEO", "JULIET"))
    assert [tokenizer.role(name) for name in ("user", "assistant", "JULIET")] == ["others", "ROMEO", "JULIET"]
    with pytest.raises(UsageError, match="no role 'king'") as caught:
        tokenizer.role("king")
    assert "others, ROMEO, JULIET" in caught.value.hint


@pytest.mark.parametrize(
    ("roles", "replies"), [((), ()), (("a", "a"), ("a",)), (("a",), ("b",)), (("a",), ()), (tuple("abcdefgh" * 5), "a")]
)
def test_roles_that_cannot_be(roles: tuple[str, ...], replies: tuple[str, ...]) -> None:
    with pytest.raises(CheckpointError):
        DialogueTokenizer(CharTokenizer("ab"), roles, replies)
    for content in ({"roles": [1], "replies": ["a"]}, {"roles": "ab", "replies": "a"}):
        with pytest.raises(CheckpointError):
            tokenizer_from({"name": "dialogues", "inner": {"name": "byte"}, **content})
