"""The command line: which command, then that command's file. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

import tinygpt_tui
from tinygpt_tui.cli import bench, data, generate, models, resume, runs, stop, train
from tinygpt_tui.cli.app import open_app
from tinygpt_tui.cli.output import say_error
from tinygpt_tui.errors import ExitCode, TinyGPTError

COMMANDS = {
    "generate": generate,
    "train": train,
    "models": models,
    "runs": runs,
    "data": data,
    "stop": stop,
    "resume": resume,
    "bench": bench,
}

EPILOG = """\
Without a command the app opens. TINYGPT_TUI_HOME moves everything that the program writes.

exit codes:
  0 done                     5 a text that cannot be learnt from
  1 unexpected error         6 the disk is full, or no permission
  2 wrong setting or usage   7 a training that is running already, or failed
  3 no such model or corpus  8 a corpus that did not arrive whole
  4 not a model, or damaged  9 the engine could not start
130 interrupted before anything was kept
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="tinygpt-tui",
        description=tinygpt_tui.__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tinygpt-tui {tinygpt_tui.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").split("\n")[0].partition(": ")[2]
        command = commands.add_parser(name, help=summary, description=summary)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run the command line `arguments`; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    parsed = make_parser().parse_args(arguments)
    try:
        if parsed.command is None:
            return open_app()
        return int(parsed.run(parsed))
    except TinyGPTError as error:
        say_error(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has what it wanted (`| head`); the interpreter must not complain on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)
