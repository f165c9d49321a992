"""The shipped conversations *tales-chat*: questions to a person of the tales, and the answers.

`python -m tinygpt_tui.corpora.tales_chat [FILE]` writes the corpus again, to stdout or to a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random

from tinygpt_tui import paths
from tinygpt_tui.corpora.notation import read_grammar
from tinygpt_tui.corpora.synthetic import Grammar, write_tale
from tinygpt_tui.corpora.tales import write_again
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.dialogues import ASSISTANT, SYSTEM, USER, DialogueTokenizer, Turn
from tinygpt_tui.tokenizers.documents import BOUNDARY

SEED = 1
SIZE = 800_000  # characters
ROLES = (SYSTEM, USER, ASSISTANT)


@cache
def grammar() -> Grammar:
    """Return the grammar of the conversations: `data/tales-chat.toml`, with the tables of the tales."""
    return read_grammar(paths.shipped_data() / "tales-chat.toml", paths.shipped_data() / "tales.toml")


def conversations(seed: int = SEED) -> Iterator[list[Turn]]:
    """Yield one conversation after the other, without an end; the same seed always gives the same ones."""
    random = Random(seed)
    while True:
        text, _ = write_tale(grammar(), random)
        yield [Turn(*line.split(": ", 1)) for line in text.split("\n")]


def corpus(seed: int = SEED, size: int = SIZE) -> str:
    """Return whole conversations, each ended by a BOUNDARY, until there are at least `size` characters."""
    written, parts = 0, list[str]()
    dialogue = DialogueTokenizer(CharTokenizer(" "), ROLES, (ASSISTANT,))
    for turns in conversations(seed):
        parts.append(dialogue.text_of(turns) + BOUNDARY)
        written += len(parts[-1])
        if written >= size:
            break
    return "".join(parts)


if __name__ == "__main__":
    write_again(corpus())
