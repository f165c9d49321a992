"""The command line: find the command and run its module. Nothing slow is imported before it is needed."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

import tinygpt_tui
from tinygpt_tui.cli.app import open_app
from tinygpt_tui.cli.flags import Parser, add_plain_flag
from tinygpt_tui.cli.output import choose_plain, print_error
from tinygpt_tui.errors import MEANINGS, ExitCode, TinyGPTError, UsageError
from tinygpt_tui.settings.computing import AUTO, ComputingSettings, check_device_name
from tinygpt_tui.settings.fields import fields_of

# Each command is a module of its name (or of MODULES). The summaries repeat the modules' first lines, so that `--help`
# need not import them all.
COMMANDS = {
    "generate": "continue a prompt; only the text goes to stdout.",
    "train": "train a model on a text; Ctrl-C stops and saves it.",
    "race": "train several presets on one text, one after another, and compare them on one chart.",
    "open": "open another program's checkpoint, show what was detected and how, and save it as a model.",
    "export": "save a model in another program's format, with a model card.",
    "pack": "write a text as arithmetic code, by a model's probabilities.",
    "unpack": "give a packed text back, byte by byte.",
    "publish": "upload a model to the Hugging Face Hub, with its model card, curve and samples.",
    "get": "download a model from the Hugging Face Hub and save it among your models.",
    "serve": "serve models over HTTP: a web page and an OpenAI-compatible API.",
    "models": "list the models.",
    "runs": "list the training runs; compare, rename, delete, export or share them.",
    "learn": "guided lessons in the app; list them, reset one, or write a report to hand in.",
    "data": "list the corpora, download one, or remove what can be made again.",
    "tokenizer": "train a tokenizer on a text, show its tokens, cut a text with it, compare several.",
    "watch": "show the live chart of a run; Ctrl-C leaves the run running.",
    "stop": "stop a run and save its best weights.",
    "pause": "pause a run; its trainer stays in memory.",
    "resume": "end a pause, or continue a run that was stopped, killed or finished.",
    "save": "save the state of a run now.",
    "sample": "print a sample of the model that a live run is training.",
    "doctor": "find what is wrong with a run, or with a text before training on it.",
    "calibrate": "set right how sure a model is, without training.",
    "check-device": "check that a GPU or the processor trains and generates correctly, and how fast.",
    "bench": "measure how fast this machine generates text, or the records again.",
    "records": "print the records of tiny Shakespeare.",
    "config": "print the path of the app's settings file, edit it, or list the app's keys.",
    "completion": "print the script with which your shell completes commands, flags and names.",
    "man": "print the manual page: tinygpt-tui man | man -l -",
}
PLAIN = ("generate", "train", "race", "runs", "watch", "resume")  # those that draw
MODULES = dict.fromkeys(("stop", "pause", "save", "sample"), "control")

EPILOG = """\
Without a command the app opens. TINYGPT_TUI_HOME sets the folder for everything that the program writes.

exit codes:
""" + "".join(f"{code:4} {meaning}\n" for code, meaning in MEANINGS.items())


def make_parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of all commands; only the `chosen` one has its arguments."""
    parser = Parser(
        prog="tinygpt-tui",
        description=tinygpt_tui.__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tinygpt-tui {tinygpt_tui.__version__}")
    field = fields_of(ComputingSettings)["device"]
    parser.add_argument(
        "--device",
        dest="app_device",
        metavar="TEXT",
        help=f"for the app: {field.description} (default: {field.default})",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name == chosen:
            module = importlib.import_module(f"tinygpt_tui.cli.{MODULES.get(name, name).replace('-', '_')}")
            module.add_arguments(command)
            if name in PLAIN:
                add_plain_flag(command)
            command.set_defaults(run=module.run)
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run the command line `arguments`; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
            if not stream.isatty():  # no "\r" in files on Windows
                stream.reconfigure(newline="\n")
    chosen = next((argument for argument in arguments if argument in COMMANDS), None)
    try:
        parsed = make_parser(chosen).parse_args(arguments)
        if getattr(parsed, "plain", False):
            choose_plain()
        if parsed.command is None:
            return open_app(check_device_name(parsed.app_device or AUTO))
        if parsed.app_device:
            raise UsageError(
                "--device before a command is for the app",
                f"put it after the command: tinygpt-tui {parsed.command} … --device {parsed.app_device}",
            )
        return int(parsed.run(parsed))
    except TinyGPTError as error:
        print_error(error)
        return int(error.exit_code)
    except BrokenPipeError:
        # The reader of the output has ended (`| head`); the interpreter must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)
