"""Conversations in records and plays become turns; what was understood is said, and what is wrong has a way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from makers import small_training

from tinygpt_tui.corpora import read
from tinygpt_tui.corpora.conversations import conversation_in, listed, looks_like_a_play, speeches
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.corpora.formats import Choices
from tinygpt_tui.corpora.gathering import Gathered, gathering
from tinygpt_tui.corpora.read import read_text
from tinygpt_tui.corpora.replies import targets_of
from tinygpt_tui.corpora.rows import IGNORED
from tinygpt_tui.errors import CorpusError, UsageError
from tinygpt_tui.progress import exhausted
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.dialogues import DialogueTokenizer, Turn
from tinygpt_tui.tokenizers.documents import BOUNDARY, DocumentTokenizer
from tinygpt_tui.training.fine_tuning import text_for
from tinygpt_tui.training.vocabulary import tokenizer_for

USER, REPLY = Turn("user", "What now?"), Turn("assistant", "Wait.")
CHAT = {"messages": [{"role": "user", "content": "What now?"}, {"role": "assistant", "content": "Wait."}]}
SHARED = {"id": "1", "conversations": [{"from": "human", "value": "What now?"}, {"from": "gpt", "value": "Wait."}]}
PLAY = "A hall.\n" + "".join(f"ANNA:\nGood day {n}.\n\nBEN: So it is {n}.\n\n" for n in range(40)) + "OLD MAN: Hm?\n"


def records(*found: Any) -> str:
    return "".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in found)


def gather(folder: Path, files: dict[str, str], **choices: Any) -> Gathered:
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return exhausted(gathering([str(folder / name) for name in files], Choices(**choices)))


def turns_of(gathered: Gathered) -> tuple[CorpusText, list[list[Turn]]]:
    text = read_text(Path(gathered.path))
    tokenizer = tokenizer_for("characters", text)
    assert isinstance(tokenizer, DialogueTokenizer)
    return text, [tokenizer.turns_of(part) for part in text.text.split(BOUNDARY) if part]


@pytest.mark.parametrize(
    ("record", "turns"),
    [
        (CHAT, [USER, REPLY]),
        (SHARED, [USER, REPLY]),
        (CHAT["messages"], [USER, REPLY]),
        ({"conversation": SHARED["conversations"], "system": "Be kind."}, [Turn("system", "Be kind."), USER, REPLY]),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "What "}, {"text": "now?"}]}]}, [USER]),
        ({"messages": [{"role": "assistant", "content": None, "tool_calls": []}, *CHAT["messages"]]}, [USER, REPLY]),
        ({"messages": [{"role": "user\x1f", "content": "\x1eWhat\ufdd1 now?"}]}, [USER]),
        ({"messages": []}, None),
        ({"messages": [{"role": 3, "content": "x"}]}, None),
        ({"messages": [{"role": "x" * 99, "content": "x"}]}, None),
        ({"messages": ["x"]}, None),
        ({"text": "x"}, None),
        ("x", None),
    ],
)
def test_the_shapes_that_are_known(record: Any, turns: list[Turn] | None) -> None:
    assert conversation_in(record) == turns


def test_what_was_understood_is_said_and_bad_records_are_left_out(tmp_path: Path) -> None:
    alone = {"messages": [{"role": "user", "content": "Hello?"}]}
    found = gather(tmp_path, {"a.jsonl": records(CHAT, "{bad\n", SHARED, alone, {"x": "y"})})
    assert found.words() == [
        "2 conversations in `a.jsonl`, roles user and assistant",
        "the replies of assistant are learned: 2 of 4 turns",
        "1 line left out: not JSON",
        "1 record left out: not a conversation",
        "1 conversation left out: no reply in it",
        "1 document more than once in it, word for word",
    ]
    text, turns = turns_of(found)
    assert turns == [[USER, REPLY], [USER, REPLY]]
    assert text.roles is not None
    assert text.roles.words(2)[0] == "2 conversations, roles user and assistant"
    assert exhausted(gathering([str(tmp_path / "a.jsonl")], Choices())) == found


def test_it_can_be_chosen_otherwise(tmp_path: Path) -> None:
    files = {"a.jsonl": records(*[CHAT] * 3)}
    plain = gather(tmp_path, files, turns="none")
    assert (plain.roles, plain.field) == ([], "messages")
    assert read_text(Path(plain.path)).text == f"What now?\nWait.{BOUNDARY}" * 3
    other = gather(tmp_path, files, replies=("user",))
    assert (other.replies, other.learned_turns) == (["user"], 3)
    mixed = gather(tmp_path, files | {"b.txt": "A note.\n"})
    assert (mixed.roles, mixed.documents) == ([], 4)
    assert "conversations and other texts together: the turns are read as plain text" in mixed.words()
    with pytest.raises(UsageError, match="was gathered already"):
        exhausted(gathering([plain.path], Choices(turns="none")))


@pytest.mark.parametrize(
    ("content", "choices", "message", "hint"),
    [
        (records({"messages": [{"role": "buyer", "content": "a"}, {"role": "seller", "content": "b"}]}), {},
         "no turn is of assistant; the roles are buyer and seller", "--replies seller"),
        (records({"messages": CHAT["messages"][:1]}), {}, "no turn is of assistant; the roles are user", "none"),
        (records(CHAT), {"replies": ("king",)}, "no turn is of king", "--replies assistant"),
        (records({"messages": [{"role": f"r{n}", "content": "a"} for n in range(33)]}), {}, "more than 30 roles", ""),
        ("just\nsome lines\n", {"turns": "play"}, "no name begins 3 lines", "leave out --turns play"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_has_a_way_out(
    content: str, choices: dict[str, Any], message: str, hint: str, tmp_path: Path
) -> None:
    name = "a.txt" if "turns" in choices else "a.jsonl"
    with pytest.raises(CorpusError, match=message) as caught:
        gather(tmp_path, {name: content}, **choices)
    assert hint in caught.value.hint


def test_a_play_is_found_by_its_names(tmp_path: Path) -> None:
    assert looks_like_a_play(PLAY) == ["ANNA", "BEN"]
    assert looks_like_a_play("Note: this is a letter.\nIt has lines.\n" * 9) == []
    assert speeches(PLAY)[1] == Turn("BEN", "So it is 0.")
    found = gather(tmp_path, {"play.txt": PLAY}, turns="play")
    assert (found.roles, found.replies, found.learned_turns) == (
        ["ANNA", "BEN", "others"],
        ["ANNA", "BEN", "others"],
        81,
    )
    _, turns = turns_of(found)
    assert turns[0][:2] == [Turn("ANNA", "Good day 0."), Turn("BEN", "So it is 0.")]
    assert turns[-1] == [Turn("others", "Hm?")]
    assert gather(tmp_path, {"play.txt": PLAY}, turns="play", replies=("BEN",)).learned_turns == 40
    assert listed(["a"] * 9) == "a, a, a, a, a, a and 3 more"


@pytest.mark.parametrize("name", ["characters", "bpe:300"])
def test_the_ids_of_a_large_text_are_learned_as_in_memory(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [
        {"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"{n}!"}]}
        for n in range(90)
    ]
    gathered = gather(tmp_path, {"a.jsonl": records(*many)})
    text = read_text(Path(gathered.path))
    training, tokenizer = small_training(block_size=8), tokenizer_for(name, text)
    in_memory = text.split(training, tokenizer)
    monkeypatch.setattr(read, "LARGEST_IN_MEMORY", 100)
    large = read_text(Path(gathered.path))
    on_disk = large.split(training, tokenizer_for(name, large))
    assert on_disk.file is not None
    assert on_disk.replies == in_memory.replies is not None
    for one, other in ((in_memory.train, on_disk.train), (in_memory.validation, on_disk.validation)):
        targets = [targets_of(ids, np.array([0, 5]), 40, in_memory.replies)[1] for ids in (one, other)]
        assert (targets[0] == targets[1]).all()
        assert (targets[0] == IGNORED).any()
    assert (on_disk.validation_characters > 0) == (name != "characters")
    Path(gathered.path).with_suffix(".json").unlink()
    with pytest.raises(CorpusError, match="roles"):
        read_text(Path(gathered.path))


def test_a_split_without_a_reply_is_refused(tmp_path: Path) -> None:
    asked = {"messages": [*CHAT["messages"], *[{"role": "user", "content": "again " * 40}] * 2]}
    text = read_text(Path(gather(tmp_path, {"a.jsonl": records(asked)}).path))
    with pytest.raises(CorpusError, match="no reply of assistant is in the validation part"):
        text.split(small_training(block_size=8, validation_share=0.5), tokenizer_for("characters", text))


def test_a_model_with_other_roles_is_refused_and_with_more_reads_the_same_turns(tmp_path: Path) -> None:
    text = read_text(Path(gather(tmp_path, {"a.jsonl": records(*[CHAT] * 9)}).path))
    inner = CharTokenizer("".join(sorted({*"What now?Wait."})))
    wider = DialogueTokenizer(inner, ("system", "assistant", "user"), ("assistant",))
    assert wider.turns_of(text_for(wider, text).text.split(BOUNDARY)[0]) == [USER, REPLY]
    for tokenizer, message in (
        (inner, "no tokens for their roles"),
        (DocumentTokenizer(inner), "no tokens for their roles"),
        (DialogueTokenizer(inner, ("user", "king"), ("king",)), "no role assistant"),
    ):
        with pytest.raises(UsageError, match=message):
            text_for(tokenizer, text)
    with pytest.raises(UsageError, match="no turns"):
        text_for(wider, CorpusText.of("plain"))
