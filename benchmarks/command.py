"""Runs a benchmark's module as a command: its arguments, its exit code, its errors as `tinygpt-tui` prints them."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from types import ModuleType

from tinygpt_tui.cli.output import print_error
from tinygpt_tui.corpora.catalog import require_corpus
from tinygpt_tui.corpora.read import read_text
from tinygpt_tui.errors import ExitCode, TinyGPTError


def execute(module: ModuleType, arguments: Sequence[str] | None = None) -> int:
    """Parse `arguments` (default: the command line) and run `module.run`; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    command, _, summary = (module.__doc__ or "").split("\n")[0].partition(": ")
    parser = argparse.ArgumentParser(prog=command, description=summary)
    module.add_arguments(parser)
    try:
        return int(module.run(parser.parse_args(arguments)))
    except TinyGPTError as error:
        print_error(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)


def read_corpus(name: str) -> tuple[str, str]:
    """Return a corpus's name and text. Raises NotFoundError with the command that downloads it, CorpusError."""
    entry, path = require_corpus(name)
    return entry.name, read_text(path).text
