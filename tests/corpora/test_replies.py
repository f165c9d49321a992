"""The targets of a dialogue that are learned, from any place on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tinygpt_tui.corpora import replies as replies_module
from tinygpt_tui.corpora.batches import Windows
from tinygpt_tui.corpora.replies import Replies, characters_per_reply_token, learned_in, targets_of
from tinygpt_tui.corpora.rows import IGNORED, Rows
from tinygpt_tui.corpora.streams import Streams
from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.dialogues import DialogueTokenizer, Turn
from tinygpt_tui.tokenizers.documents import BOUNDARY

TOKENIZER = DialogueTokenizer(CharTokenizer("abcdefgh é"), ("system", "user", "assistant"), ("assistant",))
REPLIES = Replies.of(TOKENIZER)
CONVERSATIONS = [
    [
        Turn("system", "abc"),
        Turn("user", "a"),
        Turn("assistant", "bcd é"),
        Turn("user", "c" * 70),
        Turn("assistant", ""),
    ],
    [Turn("assistant", "efg"), Turn("user", "h")],
    [Turn("user", "hh"), Turn("assistant", "g" * 90), Turn("assistant", "ab")],
]


def text_of(tokenizer: DialogueTokenizer = TOKENIZER) -> str:
    return "".join(tokenizer.text_of(turns) + BOUNDARY for turns in CONVERSATIONS * 3)


def ids_of(tokenizer: DialogueTokenizer = TOKENIZER) -> np.ndarray:
    return np.concatenate(list(tokenizer.encoding([text_of(tokenizer)])))


def naive(ids: np.ndarray) -> list[int]:
    """The targets of all tokens but the first, by walking over the turns."""
    found, speaking = [], False
    for id, after in pairwise(ids):
        speaking = id == 4 if id < 5 else speaking
        found.append(int(after) if speaking else IGNORED)
    return found


@pytest.mark.parametrize("look_back", [1, 7, 1024])
def test_they_are_the_same_from_any_place_on(look_back: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies_module, "LOOK_BACK", look_back)
    ids, wanted = ids_of(), np.array(naive(ids_of()))
    starts = np.arange(len(ids) - 20)
    inputs, targets = targets_of(ids, starts, 19, REPLIES)
    places = starts[:, None] + np.arange(19)
    assert (inputs == ids[places]).all()
    assert (targets == wanted[places]).all()
    assert 0 < (wanted != IGNORED).mean() < 1
    learned = b"".join(TOKENIZER.bytes_of(int(id)) for id in wanted[wanted != IGNORED]).decode()
    said = [turn.text for turns in CONVERSATIONS for turn in turns if turn.role == "assistant"]
    assert learned == "".join(f"{text}\x1f" for text in said) * 3


def test_windows_streams_and_whole_splits_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, wanted = ids_of(), np.array(naive(ids_of()))
    assert REPLIES is not None
    for order in (Windows(ids, 16, 4, 3, REPLIES), Streams(ids, 16, 4, 3, REPLIES)):
        inputs, targets = order.batch(2)
        assert inputs.shape == targets.shape == (4, 16)
        assert set(targets.ravel()) <= {*ids.tolist(), IGNORED}
        assert (targets == IGNORED).any()
    for rows in (Rows.side_by_side(ids, 16, REPLIES), Rows.of_documents(ids, 16, REPLIES)):
        _, targets = rows.batch(np.arange(len(rows)))
        counted = targets[targets != IGNORED]
        assert counted.tolist() == wanted[wanted != IGNORED].tolist()
    plain, _ = Windows(ids, 16, 4, 3).batch(2)
    assert (plain == Windows(ids, 16, 4, 3, REPLIES).batch(2)[0]).all()
    for at_once in (5, 1 << 20):
        monkeypatch.setattr(replies_module, "AT_ONCE", at_once)
        assert np.concatenate(list(learned_in(ids, REPLIES))).tolist() == wanted[wanted != IGNORED].tolist()


def test_characters_a_token_are_those_of_the_replies() -> None:
    inner = BPETokenizer.trained_on("abcdefgh gggg é" * 9, 265)
    tokenizer = DialogueTokenizer(inner, TOKENIZER.roles, TOKENIZER.replies)
    replies, ids = Replies.of(tokenizer), ids_of(tokenizer)
    assert replies is not None
    said = [turn.text for turns in CONVERSATIONS for turn in turns if turn.role == "assistant"] * 3
    characters = sum(len(text) + 1 for text in said)
    tokens = sum(len(inner.encode(text)) + 1 for text in said)
    assert characters_per_reply_token(ids, replies, tokenizer) == pytest.approx(characters / tokens)
    assert Replies.of(inner) is None
