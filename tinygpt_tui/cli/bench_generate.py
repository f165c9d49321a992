"""tinygpt-tui bench generate: tokens a second of every engine, beside nanoGPT, Hugging Face and llama.cpp."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tinygpt_tui.cli.bench_progress import measured
from tinygpt_tui.cli.output import table
from tinygpt_tui.errors import UsageError
from tinygpt_tui.measuring.sizes import DEFAULT_SIZES, QUICK_SIZES, find_sizes
from tinygpt_tui.packages import import_torch
from tinygpt_tui.words import duration

if TYPE_CHECKING:
    from tinygpt_tui.measuring.report import FirstToken, Report, Row, SizeReport, Spread, TextCheck

QUIET = 0.95  # of a core's time; below it, other programs ran there while it was measured
EPILOG = """\
S, M and L are the sizes of small character models, G is GPT-2 with 124 million parameters; weights are random. All ways
take turns in one process on one core, round by round; a ratio is the median of the rounds' own ratios, with the lowest
and the highest round behind it. Ctrl-C prints what has been measured by then.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    default, quick = ",".join(DEFAULT_SIZES), ",".join(QUICK_SIZES)
    parser.add_argument("--sizes", metavar="S,M,…", help=f"which sizes (default: {default}; with --quick: {quick})")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds that count (default: 5; with --quick: 2)")
    parser.add_argument("--quick", action="store_true", help="a rough answer in about a minute")
    parser.add_argument("--no-first-token", action="store_true", help="leave the start of the process out")
    parser.add_argument("--json", action="store_true", help="one JSON object with every figure instead of the table")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print. Raises UsageError, EngineError."""
    sizes = find_sizes(arguments.sizes or ",".join(QUICK_SIZES if arguments.quick else DEFAULT_SIZES))
    rounds = arguments.rounds if arguments.rounds is not None else 2 if arguments.quick else 5
    if rounds < 1:
        raise UsageError(f"rounds: {rounds} is not at least 1")

    import_torch("bench generate")
    from tinygpt_tui.measuring.generating import GenerationBenchmark, Plan

    longest = max(size.settings.block_size for size in sizes if size.text or len(sizes) == 1)
    plan = Plan(
        sizes=sizes,
        rounds=rounds,
        turn_s=0.1 if arguments.quick else 0.25,
        text_tokens=longest + longest // 4 if arguments.quick else 500,  # both cross the window's edge
        model="" if arguments.no_first_token else "shakespeare",
    )
    benchmark = GenerationBenchmark(plan)
    return measured(benchmark, in_words, as_json=arguments.json)


def in_words(report: Report) -> str:
    """Return the report as text: a table a size, with what was wanted beside what was found."""
    machine = report.machine
    core = f"core {machine.pinned_to_core}" if machine.pinned_to_core is not None else "no core of its own"
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    load = f"; load {machine.load:.1f} as it began" if machine.load is not None else ""
    parts = [
        f"{machine.processor}, {machine.cores} cores, {machine.system}; one thread, {core}{load}\n{versions}\n"
        f"{'' if report.finished else 'not finished; '}{duration(report.seconds)} in all\n"
    ]
    parts += [_size(size) for size in report.sizes]
    if any(found.seconds or found.note for found in report.first_token):
        parts.append("From the start of the process to the first token\n" + _first_tokens(report.first_token))
    return "\n".join(parts)


def _size(size: SizeReport) -> str:
    settings = size.settings
    head = (
        f"{size.name}: {settings.n_layer} layers, {settings.n_head} heads, {settings.n_embd} wide, window "
        f"{settings.block_size}, {settings.vocab_size:,} tokens; {size.parameters / 1e6:.2f} million parameters; "
        f"{size.rounds} rounds\n"
    )
    lines = [_text(found) for found in size.texts]
    if size.core_share is not None and size.core_share < QUIET:
        lines.append(
            f"the machine was busy: this process had {size.core_share:.0%} of its core, so that ratios are rough"
        )
    if not any(row.speeds or row.note for row in size.rows):
        return head + "\n".join([*lines, "nothing was timed yet", ""])
    cells = [_cells(row) for row in size.rows]
    columns = ("WHERE", "WAY", "TOKENS/S", "RATIO", "SPREAD", "TO", "WANTED", "TO HF", "")
    return head + "".join(f"{line}\n" for line in lines) + table(cells, columns, right=frozenset({2, 3, 6, 7}))


def _cells(row: Row) -> tuple[str, ...]:
    if row.tokens_per_s is None:
        return (row.where, row.way, *[""] * 6, row.note or "not measured")
    speed = row.tokens_per_s.median
    return (
        row.where,
        row.way,
        f"{speed:,.0f}" if speed >= 100 else f"{speed:.1f}",
        _times(row.ratio),
        f"{row.ratio.low:.3g}–{row.ratio.high:.3g}" if row.ratio else "",
        (row.base or "") if row.ratio else "",
        f"≥ {row.wanted:g}x" if row.wanted is not None else "",
        _times(row.to_hugging_face),
        {True: "reached", False: "short", None: ""}[row.met],
    )


def _times(ratio: Spread | None) -> str:
    return f"{ratio.median:.3g}x" if ratio else ""


def _text(found: TextCheck) -> str:
    name = f"greedy text of {found.way}"
    if found.same:
        return f"{name}: same text as {found.of}, {found.tokens} tokens ({found.different} different ones)"
    about = "rounded weights" if found.approximate else f"{found.of}'s top two are {found.gap:.1e} apart there"
    return f"{name}: differs from {found.of}'s at token {found.differs_at} of {found.tokens} ({about})"


def _first_tokens(found: tuple[FirstToken, ...]) -> str:
    rows = [
        (
            first.way,
            first.model,
            f"{first.seconds.median:.2f} s" if first.seconds else "",
            f"{first.seconds.low:.2f}–{first.seconds.high:.2f}" if first.seconds else "",
            f"≤ {first.wanted_s:g} s" if first.wanted_s is not None else "",
            {True: "reached", False: "short", None: ""}[first.met] or first.note,
        )
        for first in found
    ]
    return table(rows, ("WAY", "MODEL", "MEDIAN", "SPREAD", "WANTED", ""), right=frozenset({2, 4}))
