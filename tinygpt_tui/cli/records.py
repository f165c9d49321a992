"""tinygpt-tui records: print the records of tiny Shakespeare."""

from __future__ import annotations

import argparse

from tinygpt_tui.cli.output import table, write, write_data
from tinygpt_tui.measuring.records import HEAD, cells, markdown, read_records

EPILOG = """\
Losses are nats / bits per character over the last tenth of the text; docs/records.md has the rules. `tinygpt-tui bench
records` makes the rows of the included models and of the compressors again.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--json", action="store_true", help="one JSON object a row")
    kinds.add_argument("--markdown", action="store_true", help="the table as it is in docs/records.md")


def run(arguments: argparse.Namespace) -> int:
    records = read_records()
    if arguments.json:
        import msgspec

        write_data("".join(msgspec.json.encode(row).decode() + "\n" for row in records.row))
    elif arguments.markdown:
        write(markdown(records))
    else:
        write(table([cells(row) for row in records.row], HEAD, right=frozenset({1, 2, 7})))
    return 0
