"""tinygpt-tui generate: write on from a prompt; the text goes to stdout and nothing else does."""

from __future__ import annotations

import argparse
import sys

from tinygpt_tui.cli.flags import add_setting_flags, typed_settings
from tinygpt_tui.cli.output import say, write
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.settings.fields import checked
from tinygpt_tui.settings.sampling import SamplingSettings

UNKNOWN_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("model", help="a model's name (`tinygpt-tui models`), or its folder")
    parser.add_argument("--prompt", default="", metavar="TEXT", help="what to write on from; - reads it from stdin")
    parser.add_argument("--no-echo", action="store_true", help="leave the prompt itself out of the output")
    parser.add_argument("--json", action="store_true", help="one event a line instead of the text")
    add_setting_flags(parser, SamplingSettings, "sampling")


def run(arguments: argparse.Namespace) -> int:
    """Stream the text. Raises UsageError, NotFoundError, CheckpointError."""
    sampling = checked(SamplingSettings, typed_settings(arguments, SamplingSettings))
    prompt = sys.stdin.buffer.read().decode("utf-8", "replace") if arguments.prompt == "-" else arguments.prompt

    from tinygpt_tui.checkpoints.library import find_model
    from tinygpt_tui.events import wire
    from tinygpt_tui.events.generation import GenerationEnded, GenerationStarted, Token
    from tinygpt_tui.generation.text import GenerationJob
    from tinygpt_tui.workers.opened import open_model

    model = open_model(find_model(arguments.model))
    block_size = model.config.architecture.block_size
    job = GenerationJob(model.new_engine(), model.tokenizer, block_size, prompt, sampling)
    if not (arguments.json or arguments.no_echo):
        write(prompt)
    try:
        for event in job:
            if arguments.json:
                write(wire.to_line(event).decode())
            elif isinstance(event, Token | GenerationEnded):
                write(event.text)
            elif isinstance(event, GenerationStarted) and event.unknown:
                named = " ".join(f"`{_printable(character)}`" for character in event.unknown[:UNKNOWN_SHOWN])
                say(f"tinygpt-tui: this model knows no {named}; left out")
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    finally:
        if not arguments.json and sys.stdout.isatty():
            write("\n")
    return int(ExitCode.OK)


def _printable(character: str) -> str:
    """Return a character as it can be told without moving the terminal's cursor: `\\x1b`."""
    return character if character.isprintable() else character.encode("unicode_escape").decode()
