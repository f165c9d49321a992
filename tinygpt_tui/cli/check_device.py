"""tinygpt-tui check-device: check that a GPU or the processor trains and generates correctly, and how fast."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from tinygpt_tui.cli.output import notify, table, write
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.files import check_new, write_bytes
from tinygpt_tui.measuring.device_report import DeviceReport
from tinygpt_tui.packages import require
from tinygpt_tui.words import size

EPILOG = """\
It takes at most five minutes. Every check has its own time limit, and a failed check does not end the others. The exit
code is 0 if all passed, else 1. docs/check-device.md explains the result; please report a failed check.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "--device",
        default="auto",
        metavar="TEXT",
        help="cuda, cuda:1, mps or cpu (default: the GPU, else the processor)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the full report to FILE")
    parser.add_argument("--force", action="store_true", help="overwrite the file of --json")
    parser.add_argument("--quick", action="store_true", help="tiny models and no compilation: a few seconds")


def run(arguments: argparse.Namespace) -> int:
    """Check and print. Raises UsageError where the device is missing or the file exists, StorageError."""
    require("torch", "check-device")
    if arguments.json:
        check_new(arguments.json, arguments.force)  # before minutes of work

    from tinygpt_tui.workers.device_check import DeviceCheck

    check = DeviceCheck(arguments.device, arguments.quick)
    for result in check.results():
        notify(f"{result.name}: {result.status} in {result.seconds:.1f} s")
    report = check.report()
    write(in_words(report))
    if arguments.json:
        write_bytes(arguments.json, msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    return int(ExitCode.OK if report.passed else ExitCode.UNEXPECTED)


def in_words(report: DeviceReport) -> str:
    """Return the report as a terminal shows it: the device, the checks, the speeds."""
    facts = report.facts
    room = f", {size(facts.memory_bytes)}" if facts.memory_bytes else ""
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    lines = [f"{facts.device}: {facts.name}{room}\n{facts.system}; {versions}\n\n"]
    rows = [
        (check.name.replace("_", " "), check.status, f"{check.seconds:.1f}", check.words) for check in report.checks
    ]
    lines.append(table(rows, ("check", "result", "s", "details"), right=frozenset({2})))
    speeds = next((check.found for check in report.checks if check.name == "speed"), {})
    each = [(name, found) for name, found in speeds.items() if isinstance(found, dict)]
    if each:
        columns = ("eager", "compiled")
        cells = [(name, *(f"{found[how]:,}" if how in found else "" for how in columns)) for name, found in each]
        lines.append("\ntokens a second\n" + table(cells, ("preset", *columns), right=frozenset({1, 2})))
    failed = sum(check.status == "failed" for check in report.checks)
    end = f"{failed} of {len(report.checks)} checks failed" if failed else "all checks passed"
    return "".join(lines) + f"\n{end}\n"
