"""tinygpt-tui tokenizer: train a tokenizer on a text, show its tokens, cut a text with it, compare several."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from tinygpt_tui import paths
from tinygpt_tui.cli.flags import add_corpus_flags, text_argument
from tinygpt_tui.cli.output import notify, table, write, write_data
from tinygpt_tui.errors import UsageError
from tinygpt_tui.files import check_new, write_text
from tinygpt_tui.words import printable

if TYPE_CHECKING:
    from tinygpt_tui.corpora.corpus import CorpusText
    from tinygpt_tui.tokenizers.base import Tokenizer

ACTIONS = {
    "train": "train a tokenizer on a text and write it to a file, for train --tokenizer FILE",
    "show": "list the tokens of a tokenizer, the longest first",
    "encode": "cut a text into its tokens",
    "compare": "cut a text with several tokenizers: tokens, characters a token, one line of it",
}
WHICH = "characters, bytes, bpe:SIZE, a tokenizer's file, or a model's name"
SHOWN, LINE = 40, 400  # tokens that `show` lists, and characters of the line that `compare` cuts
SEARCHED = 1 << 16  # characters, for that line
BAR = "│"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    made = {name: actions.add_parser(name, help=words, description=words) for name, words in ACTIONS.items()}
    made["train"].add_argument("tokenizer", metavar="bpe:SIZE", help="how many tokens: bpe:512, bpe:4096 …")
    made["train"].add_argument("--out", required=True, metavar="FILE", help="the new file, tokenizer.json or like it")
    made["train"].add_argument("--force", action="store_true", help="overwrite the file of --out")
    made["show"].add_argument("tokenizer", metavar="TOKENIZER", help=WHICH)
    made["show"].add_argument("--all", action="store_true", help=f"all tokens, not the {SHOWN} longest")
    made["encode"].add_argument("tokenizer", metavar="TOKENIZER", help=WHICH)
    made["encode"].add_argument("text", type=text_argument, help="the text; - reads stdin")
    made["encode"].add_argument("--ids", action="store_true", help="print the numbers of the tokens")
    made["compare"].add_argument("tokenizers", nargs="+", metavar="TOKENIZER", help=WHICH)
    for name, required in (("train", True), ("show", False), ("encode", False), ("compare", True)):
        add_corpus_flags(made[name], required=required, words="the text that a new tokenizer is made from:")


def run(arguments: argparse.Namespace) -> int:
    """Run the action. Raises UsageError, NotFoundError, CorpusError, StorageError."""
    match arguments.action:
        case "train":
            _train(arguments)
        case "show":
            _list_tokens(_tokenizer(arguments.tokenizer, _text(arguments)), whole=arguments.all)
        case "encode":
            _encode(arguments)
        case "compare":
            _compare(arguments)
    return 0


def _text(arguments: argparse.Namespace) -> CorpusText | None:
    if arguments.corpus is None:
        return None
    from tinygpt_tui.cli.reading import open_corpus

    return open_corpus(arguments)[1]


def _tokenizer(name: str, text: CorpusText | None) -> Tokenizer:
    """Return the tokenizer that `name` means; a new one is trained on `text`."""
    from tinygpt_tui.checkpoints.library import list_models
    from tinygpt_tui.corpora.corpus import CorpusText
    from tinygpt_tui.settings.tokenizer import tokenizer_choice
    from tinygpt_tui.training.vocabulary import tokenizer_for

    model = next((card for card in list_models() if card.name == name), None)
    choice = tokenizer_choice(model.path if model else name)
    if text is None and choice.kind in ("characters", "bpe"):
        raise UsageError(f"{choice.name} is made from a text", "name it: --corpus tales")
    return tokenizer_for(choice.name, text or CorpusText.of(""))


def _train(arguments: argparse.Namespace) -> None:
    place = paths.typed_path(arguments.out)
    check_new(place, arguments.force)
    text = _text(arguments)
    assert text is not None, "--corpus is required"
    tokenizer = _tokenizer(arguments.tokenizer, text)
    write_text(place, json.dumps(tokenizer.to_dict(), ensure_ascii=False) + "\n")
    notify(f"wrote {tokenizer.size:,} tokens of {_length(text, tokenizer):.2f} characters on average to {place}")


def _list_tokens(tokenizer: Tokenizer, *, whole: bool) -> None:
    tokens = [(id, tokenizer.bytes_of(id)) for id in range(tokenizer.size)]
    if not whole:
        tokens = sorted(tokens, key=lambda token: -len(token[1]))[:SHOWN]
    rows = [(str(id), str(len(content)), shown_bytes(content)) for id, content in tokens]
    write(table(rows, ("ID", "BYTES", "TOKEN"), right=frozenset({0, 1})))
    notify(f"{tokenizer.size:,} tokens" + ("" if whole else f", the {len(rows)} longest; --all lists all"))


def _encode(arguments: argparse.Namespace) -> None:
    tokenizer = _tokenizer(arguments.tokenizer, _text(arguments))
    text = sys.stdin.read() if arguments.text == "-" else arguments.text
    if unknown := tokenizer.unknown_in(text):
        notify(f"left out, for they have no token: {shown_bytes(unknown.encode('utf-8', 'replace'))}")
    ids = tokenizer.encode(text)
    if arguments.ids:
        write_data(" ".join(map(str, ids)) + "\n")
        return
    write(f"{cut_text(tokenizer, ids)}\n")
    notify(f"{len(ids):,} tokens, {len(text) / max(1, len(ids)):.2f} characters each")


def _compare(arguments: argparse.Namespace) -> None:
    from tinygpt_tui.training.vocabulary import counts_all

    text = _text(arguments)
    assert text is not None, "--corpus is required"
    start = text.beginning(SEARCHED)
    line = next((line for line in start.splitlines() if len(line) > SHOWN), start)[:LINE]
    rows, lines = [], []
    for name in arguments.tokenizers:
        tokenizer = _tokenizer(name, text)
        length = _length(text, tokenizer)
        about = "" if counts_all(text, tokenizer) else "≈"
        rows.append((name, f"{tokenizer.size:,}", f"{about}{text.characters / length:,.0f}", f"{about}{length:.2f}"))
        lines.append(f"{name}: {cut_text(tokenizer, tokenizer.encode(line))}")
    head = ("TOKENIZER", "SIZE", "TOKENS OF THE TEXT", "CHARACTERS A TOKEN")
    write(table(rows, head, right=frozenset({1, 2, 3})) + "\n" + "\n".join(lines) + "\n")


def _length(text: CorpusText, tokenizer: Tokenizer) -> float:
    """Return how many characters a token has on average."""
    from tinygpt_tui.training.vocabulary import count_tokens

    return text.characters / max(1, count_tokens(text, tokenizer))


def cut_text(tokenizer: Tokenizer, ids: list[int]) -> str:
    """Return the text of `ids` with a bar between two tokens; a character is never cut: its tokens count together.

    Where a character has several tokens, their number is behind it: `日³`.
    """
    parts, waiting, count = [], b"", 0
    for id in ids:
        waiting, count = waiting + tokenizer.bytes_of(id), count + 1
        try:
            found = waiting.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data":
                continue
            found = waiting.decode("utf-8", "replace")
        parts.append(printable(found, lines=False) + (str(count).translate(SMALL) if count > 1 else ""))
        waiting, count = b"", 0
    if waiting:
        parts.append(shown_bytes(waiting))
    return BAR.join(parts)


SMALL = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def shown_bytes(content: bytes) -> str:
    r"""Return a token as it can be shown: bytes that are not a whole character as `\xe6`.

    >>> shown_bytes(" the".encode()), shown_bytes("é".encode()[:1])
    (' the', '\\xc3')
    """
    return printable(content.decode("utf-8", "backslashreplace"), lines=False)
