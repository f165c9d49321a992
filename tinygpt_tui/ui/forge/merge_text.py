"""An excerpt of the text, cut into tokens: every other one has a background, and the newest stand out."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tinygpt_tui.tokenizers.cutting import CutPiece, piece_words
from tinygpt_tui.ui.shared.binding import bind, bind_hidden

ALL = 1 << 20  # merges
PAGE = 32


class MergeText(VerticalScroll):
    """Shows pieces; its keys go through the merges, and it scrolls with Up and Down."""

    HELP = """## Merges

Byte pair encoding starts from the 256 bytes. Again and again the most frequent pair of neighbours in the text becomes
a new token. Here is your own text after each of these *merges*: every other token has a background, and what the last
merge joined is reversed. A character of several bytes is never drawn in parts: the small number behind it says how many
tokens it is, `ä²`.

Left and Right go one merge back or forward, Page Up and Page Down 32, `[` and `]` to the next power of two, Home and
End to the first and the last. Space plays. `+` learns more merges. Enter uses the number of tokens shown for the new
run, F9 saves that tokenizer. `v` or a digit changes the view.
"""
    BINDINGS = [
        bind("left", "go(-1)", "Merge", "forge.left", "One merge back", display="←→"),
        bind_hidden("right", "go(1)", "Merge", "forge.right", "One merge forward"),
        bind_hidden("pageup", f"go({-PAGE})", "Merges", "forge.page_up", f"{PAGE} merges back"),
        bind_hidden("pagedown", f"go({PAGE})", "Merges", "forge.page_down", f"{PAGE} merges forward"),
        bind_hidden("home", f"go({-ALL})", "First", "forge.first", "Before the first merge: bytes"),
        bind_hidden("end", f"go({ALL})", "Last", "forge.last", "All merges"),
        bind_hidden("left_square_bracket", "jump(-1)", "Halve", "forge.halve", "To the power of two below"),
        bind("right_square_bracket", "jump(1)", "Double", "forge.double", "To the power of two above", display="[ ]"),
    ]

    class Moved(Message):
        """The user goes `by` merges further; with `is_jump` to the next power of two in that direction."""

        def __init__(self, by: int, *, is_jump: bool = False) -> None:
            super().__init__()
            self.by, self.is_jump = by, is_jump

    def compose(self) -> ComposeResult:
        yield Static("", markup=False)

    def show_pieces(self, pieces: Sequence[CutPiece]) -> None:
        other = "underline" if self.app.no_color else "on $primary 30%"
        parts = [
            (piece_words(piece, lines=True), "reverse" if piece.is_new else other if place % 2 else "")
            for place, piece in enumerate(pieces)
        ]
        self.query_one(Static).update(Content.assemble(*parts))

    def show_words(self, words: str) -> None:
        """Say why there is nothing."""
        self.query_one(Static).update(Content(words))

    def action_go(self, by: int) -> None:
        self.post_message(self.Moved(by))

    def action_jump(self, by: int) -> None:
        self.post_message(self.Moved(by, is_jump=True))
