"""The shipped corpus *tales*: very short stories for very small models, by a grammar whose entropy is known.

`python -m tinygpt_tui.corpora.tales [FILE]` writes the corpus again, to stdout or to a file.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from tinygpt_tui import paths
from tinygpt_tui.corpora.notation import read_grammar
from tinygpt_tui.corpora.synthetic import Grammar, write_tales

SEED = 1
SIZE = 1_050_000  # characters


@cache
def grammar() -> Grammar:
    """Return the grammar of the tales, read from `data/tales.toml`."""
    return read_grammar(paths.shipped_data() / "tales.toml")


def tales(seed: int = SEED, size: int = SIZE) -> str:
    """Return the corpus: whole tales, a blank line between them, until there are at least `size` characters."""
    return write_tales(grammar(), seed, size)


def write_again(text: str) -> None:
    """Write the included corpus `text` to the file that the command line names, or to stdout."""
    data = text.encode("utf-8")
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_bytes(data)
    else:
        sys.stdout.buffer.write(data)


if __name__ == "__main__":
    write_again(tales())
