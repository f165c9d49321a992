"""The tokens that a number of merges makes, in three columns: the longest, the most frequent, the rarest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.widgets import Static

from tinygpt_tui.ui.forge.state import TokenCount
from tinygpt_tui.words import shortened

COUNT_CELLS = 9
GAP = 2


class TokenLists(Static):
    """Draws as many rows as there is room for."""

    can_focus = True
    HELP = """## Tokens

The *longest*, the *most frequent* and the *rarest* tokens with the number of merges that is chosen in the first view,
and how often each occurs in the text. `␣` is a space, `↵` a new line; `\\xe6` is a byte that is not a whole character.

A model learns little of a token that hardly occurs: many rare ones mean that the vocabulary is too large for the text.
"""
    DEFAULT_CSS = "TokenLists { height: 1fr; padding: 0 1; }"

    def show_tokens(self, words: str, columns: Mapping[str, Sequence[TokenCount]]) -> None:
        """Show columns by their titles, under a line of `words`."""
        width = max(1, (self.content_size.width - GAP * (len(columns) - 1)) // max(1, len(columns)))
        lines = [Content(words), Content("")]
        heads = [set_cell_size(title, width) for title in columns]
        lines.append(Content.styled((" " * GAP).join(heads), "bold"))
        rows = max(0, self.content_size.height - len(lines))
        for row in range(min(rows, max(map(len, columns.values()), default=0))):
            cells = [_cell(tokens[row], width) if row < len(tokens) else " " * width for tokens in columns.values()]
            lines.append(Content((" " * GAP).join(cells)))
        self.update(Content("\n").join(lines))


def _cell(token: TokenCount, width: int) -> str:
    room = max(1, width - COUNT_CELLS - 1)
    name = token.name
    while cell_len(name) > room:
        name = shortened(name, len(name) - 1)
    return f"{token.times:>{COUNT_CELLS},} {set_cell_size(name, room)}"
