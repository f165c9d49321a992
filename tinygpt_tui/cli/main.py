"""The command line: which command, then that command's file. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

import tinygpt_tui
from tinygpt_tui.cli.app import open_app
from tinygpt_tui.cli.flags import Once
from tinygpt_tui.cli.output import say_error
from tinygpt_tui.errors import ExitCode, TinyGPTError, UsageError
from tinygpt_tui.settings.computing import AUTO, ComputingSettings, check_device_name
from tinygpt_tui.settings.fields import fields_of

# A command is a module of its name; the summary, its first line, stands here too, so that one command's first word need
# not wait for the imports of all others.
COMMANDS = {
    "generate": "write on from a prompt; the text goes to stdout and nothing else does.",
    "train": "train a model of your own on a text; Ctrl-C stops and keeps it.",
    "race": "train several nets on one text, one after another, and see them on one chart.",
    "open": "name another program's checkpoint, say what was taken from where, and keep it.",
    "export": "write a model as another program's file, with its card.",
    "serve": "the models over HTTP, on a page and for clients of OpenAI's API.",
    "models": "list the models there are.",
    "runs": "list the trainings, live and past; compare two, share one, keep house among them.",
    "data": "list the corpora, or download one.",
    "watch": "the live chart of a run, whichever process trains it; Ctrl-C leaves the run alone.",
    "stop": "end a training and keep its best weights.",
    "pause": "have a training wait in memory.",
    "resume": "end a pause, or go on with a training that was stopped, killed or finished.",
    "save": "keep the state of a training now.",
    "sample": "have a model in training write something now.",
    "doctor": "say what is wrong with a training, or with a text before one.",
    "check-device": "whether a GPU, or the processor, trains and writes as it should, and how fast.",
    "bench": "how fast this machine writes and learns, or what a faster window costs.",
    "config": "print where the app's settings are, or edit them.",
    "completion": "print what teaches your shell to complete commands, flags and names.",
    "man": "print the manual page: tinygpt-tui man | man -l -",
}

EPILOG = """\
Without a command the app opens. TINYGPT_TUI_HOME moves everything that the program writes.

exit codes:
  0 done                     5 a text that cannot be learnt from
  1 unexpected error         6 the disk is full, or no permission
  2 wrong setting or usage   7 a training that is running already, or failed
  3 no such model or corpus  8 a corpus that did not arrive whole
  4 not a model, or damaged  9 the engine could not start
 10 a damaged session       11 a package is missing; its message has the command that installs it
130 interrupted before anything was kept
"""


def make_parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of all commands; only the `chosen` one knows its arguments."""
    parser = argparse.ArgumentParser(
        prog="tinygpt-tui",
        description=tinygpt_tui.__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tinygpt-tui {tinygpt_tui.__version__}")
    field = fields_of(ComputingSettings)["device"]
    said = f"in the app, {field.description} (default: {field.default})"
    parser.add_argument("--device", dest="app_device", metavar="TEXT", help=said)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        for action in (None, "store"):
            command.register("action", action, Once)
        if name == chosen:
            module = importlib.import_module(f"tinygpt_tui.cli.{name.replace('-', '_')}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run the command line `arguments`; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
            if not stream.isatty():  # a file gets the text as it is, also on Windows
                stream.reconfigure(newline="\n")
    chosen = next((argument for argument in arguments if argument in COMMANDS), None)
    parsed = make_parser(chosen).parse_args(arguments)
    try:
        if parsed.command is None:
            return open_app(check_device_name(parsed.app_device or AUTO))
        if parsed.app_device:
            raise UsageError(
                "--device before a command is for the app",
                f"put it behind the command: tinygpt-tui {parsed.command} … --device {parsed.app_device}",
            )
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
