"""tinygpt-tui bench records: measure the records of the included models and of compressors again."""

from __future__ import annotations

import argparse
import hashlib

from tinygpt_tui.cli.bench_progress import measured
from tinygpt_tui.cli.output import table
from tinygpt_tui.errors import CorpusError, ExitCode
from tinygpt_tui.measuring.records import loss_words, read_records
from tinygpt_tui.platforms import own_command
from tinygpt_tui.reading import read_bytes

LARGEST = 1 << 24  # bytes of the text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object with every figure instead of the table")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; 1 where a figure is not that of the table. Raises NotFoundError, CorpusError."""
    from tinygpt_tui.corpora.catalog import require_corpus
    from tinygpt_tui.measuring.records_again import Found, RecordsAgain

    records = read_records()
    entry, path = require_corpus(records.text.corpus)
    data = read_bytes(path, LARGEST)
    if hashlib.sha256(data).hexdigest() != records.text.sha256:
        again = own_command("data", "--download", entry.name)
        raise CorpusError(f"{path} is not the text of the records: its SHA-256 is another", again)
    benchmark = RecordsAgain(records, data)

    def in_words(found: tuple[Found, ...]) -> str:
        rows = [
            (one.name, one.column, loss_words(one.table), loss_words(one.loss), "" if one.is_same else "differs")
            for one in found
        ]
        return table(rows, ("NAME", "COLUMN", "TABLE", "MEASURED", ""))

    code = measured(benchmark, in_words, as_json=arguments.json)
    same = all(one.is_same for one in benchmark.report())
    return code or int(ExitCode.OK if same else ExitCode.UNEXPECTED)
