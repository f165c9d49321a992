"""The shipped corpus *tales*: very short stories for very small models, by a grammar whose entropy is known.

Each plot draws its people, places and things once, so that the kite that was lost is the kite that is found.
"""

from tinygpt_tui.corpora.synthetic import Choice, Grammar, Let, Node, slots_of, write_tales
from tinygpt_tui.corpora.tales_cast import NOTATION, TABLES
from tinygpt_tui.corpora.tales_plots import PLOTS

SEED = 1
SIZE = 1_050_000  # characters


def _plot(text: str) -> Node:
    """The plot as a node, with a `Let` around it for each slot that it speaks of."""
    node = NOTATION.node(text)
    for slot in reversed(TABLES):
        if slot in slots_of(node):
            node = Let(slot, TABLES[slot], node)
    return node


TALES = Grammar(Choice(tuple(_plot(text) for text in PLOTS)))


def tales(seed: int = SEED, size: int = SIZE) -> str:
    """The corpus: whole tales, a blank line between them, until there are at least `size` characters."""
    return write_tales(TALES, seed, size)
