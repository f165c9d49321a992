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
from tinygpt_tui.tokenizers.cutting import cut, cut_words, shown_bytes

if TYPE_CHECKING:
    from tinygpt_tui.corpora.corpus import CorpusText
    from tinygpt_tui.tokenizers.base import Tokenizer
    from tinygpt_tui.tokenizers.merge_history import MergeHistory

ACTIONS = {
    "train": "train a tokenizer on a text and write it to a file, for train --tokenizer FILE",
    "show": "list the tokens of a tokenizer, or its merges, with their counts in a text",
    "encode": "cut a text into its tokens, at once or merge by merge",
    "compare": "cut a text with several tokenizers: tokens, characters a token, one line of it",
}
WHICH = "characters, bytes, bpe:SIZE, a tokenizer's file, or a model's name"
SHOWN = 40  # tokens that `show` lists
COUNTED = 1 << 20  # characters in which it counts
SORTS = ("longest", "frequent", "rarest")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    made = {name: actions.add_parser(name, help=words, description=words) for name, words in ACTIONS.items()}
    made["train"].add_argument("tokenizer", metavar="bpe:SIZE", help="how many tokens: bpe:512, bpe:4096 …")
    made["train"].add_argument("--out", required=True, metavar="FILE", help="the new file, tokenizer.json or like it")
    made["train"].add_argument("--force", action="store_true", help="overwrite the file of --out")
    made["show"].add_argument("tokenizer", metavar="TOKENIZER", help=WHICH)
    made["show"].add_argument("--all", action="store_true", help=f"all of them, not only {SHOWN}")
    made["show"].add_argument("--sort", choices=SORTS, default="longest", help="which come first (default: longest)")
    made["show"].add_argument("--merges", action="store_true", help="list the merges of a byte pair tokenizer")
    made["encode"].add_argument("tokenizer", metavar="TOKENIZER", help=WHICH)
    made["encode"].add_argument("text", type=text_argument, help="the text; - reads stdin")
    made["encode"].add_argument("--ids", action="store_true", help="print the numbers of the tokens")
    made["encode"].add_argument("--merges", action="store_true", help="print the text after each merge that changes it")
    made["compare"].add_argument("tokenizers", nargs="+", metavar="TOKENIZER", help=WHICH)
    for name, required in (("train", True), ("show", False), ("encode", False), ("compare", True)):
        add_corpus_flags(made[name], required=required, words="the text that a new tokenizer is made from:")


def run(arguments: argparse.Namespace) -> int:
    """Run the action. Raises UsageError, NotFoundError, CorpusError, StorageError."""
    match arguments.action:
        case "train":
            _train(arguments)
        case "show":
            _show_tokens(arguments)
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
    from tinygpt_tui.training.vocabulary import named_tokenizer

    return named_tokenizer(name, text)


def _history(tokenizer: Tokenizer, name: str) -> MergeHistory:
    """Return the merges of a tokenizer. Raises UsageError if it has none."""
    from tinygpt_tui.tokenizers.bpe import BPETokenizer
    from tinygpt_tui.tokenizers.documents import DocumentTokenizer
    from tinygpt_tui.tokenizers.merge_history import MergeHistory

    inner = tokenizer.inner if isinstance(tokenizer, DocumentTokenizer) else tokenizer
    if not isinstance(inner, BPETokenizer):
        raise UsageError(f"{name} has no merges that can be listed", "choose a byte pair tokenizer: bpe:512, or a file")
    return MergeHistory(inner)


def _train(arguments: argparse.Namespace) -> None:
    place = paths.typed_path(arguments.out)
    check_new(place, arguments.force)
    text = _text(arguments)
    assert text is not None, "--corpus is required"
    tokenizer = _tokenizer(arguments.tokenizer, text)
    write_text(place, json.dumps(tokenizer.to_dict(), ensure_ascii=False) + "\n")
    notify(f"wrote {tokenizer.size:,} tokens of {_length(text, tokenizer):.2f} characters on average to {place}")


def _show_tokens(arguments: argparse.Namespace) -> None:
    text = _text(arguments)
    tokenizer = _tokenizer(arguments.tokenizer, text)
    sample = None if text is None else text.plain_beginning(COUNTED)
    if text is not None and sample is not None and len(sample) < text.characters:
        notify(f"counted in the first {len(sample):,} of {text.characters:,} characters")
    if arguments.merges:
        rows, right = _merges(_history(tokenizer, arguments.tokenizer), sample)
        head = ("MERGE", *(("TIMES",) if sample is not None else ()), "LEFT", "RIGHT", "TOKEN")
    else:
        rows, right = _tokens(tokenizer, sample, arguments.sort, whole=arguments.all)
        head = ("ID", "BYTES", *(("TIMES",) if sample is not None else ()), "TOKEN")
    shown = rows if arguments.all else rows[:SHOWN]
    write(table(shown, head, right=right))
    left_out = f", {len(shown)} shown; --all lists all" if len(shown) < len(rows) else ""
    notify(f"{len(rows):,} {'merges' if arguments.merges else 'tokens'}{left_out}")


def _tokens(
    tokenizer: Tokenizer, sample: str | None, sort: str, *, whole: bool
) -> tuple[list[tuple[str, ...]], frozenset[int]]:
    """Return a row for each token; with a `sample` its count in it. All of them are in the order of their ids."""
    if sample is None and sort != "longest":
        raise UsageError(f"--sort {sort} counts in a text", "name it: --corpus tales")
    counts = [0] * tokenizer.size
    for id in tokenizer.encode(sample or ""):
        counts[id] += 1
    keys = {
        "longest": lambda id: (-len(tokenizer.bytes_of(id)), id),
        "frequent": lambda id: (-counts[id], id),
        "rarest": lambda id: (counts[id], id),
    }
    ids = range(tokenizer.size) if whole and sort == "longest" else sorted(range(tokenizer.size), key=keys[sort])
    rows = []
    for id in ids:
        content = tokenizer.bytes_of(id)
        times = () if sample is None else (f"{counts[id]:,}",)
        rows.append((str(id), str(len(content)), *times, shown_bytes(content)))
    return rows, frozenset({0, 1, 2} if sample is not None else {0, 1})


def _merges(history: MergeHistory, sample: str | None) -> tuple[list[tuple[str, ...]], frozenset[int]]:
    """Return a row for each merge; with a `sample` how often it joined in it."""
    joined = None if sample is None else history.counts(history.tokenizer.encoding([sample])).joined
    rows = []
    for merge in range(len(history.merges)):
        left, right = history.joined(merge)
        times = () if joined is None else (f"{joined[merge]:,}",)
        rows.append((str(merge + 1), *times, *map(shown_bytes, (left, right, left + right))))
    return rows, frozenset({0, 1} if sample is not None else {0})


def _encode(arguments: argparse.Namespace) -> None:
    tokenizer = _tokenizer(arguments.tokenizer, _text(arguments))
    text = sys.stdin.read() if arguments.text == "-" else arguments.text
    if unknown := tokenizer.unknown_in(text):
        notify(f"left out, for they have no token: {shown_bytes(unknown.encode('utf-8', 'replace'))}")
    ids = tokenizer.encode(text)
    if arguments.merges:
        history = _history(tokenizer, arguments.tokenizer)
        seen, rows = history.of_text(text), []
        for merges in (0, *seen.changes()):
            made = shown_bytes(b"".join(history.joined(merges - 1))) if merges else ""
            pieces = seen.pieces(merges)
            rows.append((str(merges), str(sum(piece.tokens for piece in pieces)), made, cut_words(pieces)))
        write(table(rows, ("MERGES", "TOKENS", "NEW", "TEXT"), right=frozenset({0, 1})))
        return
    if arguments.ids:
        write_data(" ".join(map(str, ids)) + "\n")
        return
    write(f"{cut_words(cut(tokenizer, ids))}\n")
    notify(f"{len(ids):,} tokens, {len(text) / max(1, len(ids)):.2f} characters each")


def _compare(arguments: argparse.Namespace) -> None:
    from tinygpt_tui.training.vocabulary import counts_all

    text = _text(arguments)
    assert text is not None, "--corpus is required"
    line = text.sample_line()
    rows, lines = [], []
    for name in arguments.tokenizers:
        tokenizer = _tokenizer(name, text)
        length = _length(text, tokenizer)
        about = "" if counts_all(text, tokenizer) else "≈"
        rows.append((name, f"{tokenizer.size:,}", f"{about}{text.characters / length:,.0f}", f"{about}{length:.2f}"))
        lines.append(f"{name}: {cut_words(cut(tokenizer, tokenizer.encode(line)))}")
    head = ("TOKENIZER", "SIZE", "TOKENS OF THE TEXT", "CHARACTERS A TOKEN")
    write(table(rows, head, right=frozenset({1, 2, 3})) + "\n" + "\n".join(lines) + "\n")


def _length(text: CorpusText, tokenizer: Tokenizer) -> float:
    from tinygpt_tui.training.vocabulary import count_tokens

    return text.characters / max(1, count_tokens(text, tokenizer))
