"""One sentence, cut by several tokenizers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.errors import TinyGPTError, UsageError
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.cutting import BAR, CutPiece, cut, piece_words
from tinygpt_tui.training.vocabulary import named_tokenizer
from tinygpt_tui.words import printable

FIRST = "characters bytes bpe:512 bpe:4096"
SAMPLE = 1 << 15  # characters in which the length of tokens is measured
MOST = 12  # tokenizers at once
NAMES = re.compile(r'"([^"]+)"|([^\s,"]+)')


class Cut(NamedTuple):
    """A sentence cut by the tokenizer `name`, or what is wrong with that."""

    name: str
    size: int = 0
    in_text: float = 0.0  # characters a token
    pieces: tuple[CutPiece, ...] = ()
    unknown: str = ""  # characters without a token
    problem: str = ""


class Cutter:
    """Cuts sentences by tokenizers that are made from one text, or read; each is made once."""

    def __init__(self, text: CorpusText, made: dict[str, Tokenizer]) -> None:
        """`made` has tokenizers by name that are there already."""
        self._text, self._sample = text, text.plain_beginning(SAMPLE)
        self._known: dict[str, tuple[Tokenizer, float]] = {}
        for name, tokenizer in made.items():
            self._add_tokenizer(name, tokenizer)

    def cut(self, name: str, sentence: str) -> Cut:
        """Return the sentence as a tokenizer cuts it; what it cannot be is in the answer."""
        try:
            if name not in self._known:
                self._add_tokenizer(name, named_tokenizer(name, self._text))
            tokenizer, in_text = self._known[name]
            pieces = tuple(cut(tokenizer, tokenizer.encode(sentence)))
            return Cut(name, tokenizer.size, in_text, pieces, tokenizer.unknown_in(sentence))
        except TinyGPTError as error:
            words = error.problem if isinstance(error, UsageError) else error.message
            return Cut(name, problem=f"{words}; {error.hint}")

    def _add_tokenizer(self, name: str, tokenizer: Tokenizer) -> None:
        self._known[name] = tokenizer, len(self._sample) / max(1, len(tokenizer.encode(self._sample)))


def names_in(typed: str) -> list[str]:
    """Return the tokenizers that are typed, each once; a path with blanks is quoted."""
    names = [quoted or plain for quoted, plain in NAMES.findall(typed)]
    return list(dict.fromkeys(names))[:MOST]


class ComparedCuts(Vertical):
    """Two fields, the sentence and the tokenizers, and the sentence as each cuts it."""

    HELP = """## Compare

Type a sentence and see how each tokenizer cuts it: the bars are the boundaries, and where a character is cut, the small
number behind it is how many tokens it is. Below, name any tokenizers: `characters`, `bytes`, `bpe:512` or any other
size (made from this text), a tokenizer's file (`tokenizer.json`, GPT-2's `vocab.json`, a SentencePiece model), or a
model.

Longer tokens mean that a window holds more text and fewer steps write it; more different tokens mean that each is seen
less often, and that the model's first and last layers are larger. Losses are compared *per character*.
"""
    DEFAULT_CSS = """
    ComparedCuts {
        height: 1fr;
        & > Input { padding: 0 1; background: $panel; margin: 0 1; }
        & > Input:focus { background: $primary 25%; }
        & > .-title { height: 1; padding: 0 1; color: $text-muted; }
        & > VerticalScroll { height: 1fr; padding: 0 1; margin: 1 0 0 0; scrollbar-size-vertical: 1; }
    }
    """

    class Changed(Message):
        """The sentence or the tokenizers were changed."""

    def compose(self) -> ComposeResult:
        yield Static("sentence", classes="-title", markup=False)
        yield Input(id="forge-sentence", compact=True)
        yield Static("tokenizers: names, sizes, files, models", classes="-title", markup=False)
        yield Input(FIRST, id="forge-names", compact=True)
        with VerticalScroll(id="forge-cuts"):
            yield Static("", markup=False)

    @property
    def sentence(self) -> str:
        return self.query_one("#forge-sentence", Input).value

    @property
    def names(self) -> list[str]:
        return names_in(self.query_one("#forge-names", Input).value)

    def show_sentence(self, sentence: str) -> None:
        self.query_one("#forge-sentence", Input).value = sentence

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        self.post_message(self.Changed())

    def show_cuts(self, cuts: Sequence[Cut]) -> None:
        """Show the answers, in the order of the names."""
        parts: list[Content] = []
        for one in cuts:
            parts += [*_lines(one), Content("")]
        self.query_one("#forge-cuts > Static", Static).update(Content("\n").join(parts))


def _lines(one: Cut) -> list[Content]:
    name = Content.styled(printable(one.name, lines=False), "bold $primary")
    if one.problem:
        return [name, Content(f"✗ {one.problem}")]
    tokens = sum(piece.tokens for piece in one.pieces)
    each = f", {sum(len(piece.text) for piece in one.pieces) / tokens:.2f} characters each" if tokens else ""
    head = f"  {tokens:,} tokens{each} (text: {one.in_text:.2f}), vocabulary {one.size:,}"
    line: list[Content | tuple[str, str]] = []
    for piece in one.pieces:
        line += [(BAR, "$accent")] if line else []
        line.append((piece_words(piece), ""))
    left_out = [Content(f"✗ no token for {printable(one.unknown, lines=False)}")] if one.unknown else []
    return [name + Content.styled(head, "$text-muted"), Content.assemble(*line), *left_out]
