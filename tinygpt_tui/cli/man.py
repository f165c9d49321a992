"""tinygpt-tui man: print the manual page: tinygpt-tui man | man -l -"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import tinygpt_tui
from tinygpt_tui.cli.output import write
from tinygpt_tui.errors import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments: none."""


def run(arguments: argparse.Namespace) -> int:
    """Print the page in roff, the format of man."""
    write("\n".join(_page()) + "\n")
    return int(ExitCode.OK)


def _page() -> Iterator[str]:
    from tinygpt_tui.cli.main import COMMANDS, EPILOG, make_parser

    what = (tinygpt_tui.__doc__ or "").strip().split("\n")[0].removeprefix("tinygpt-tui: ")
    yield f'.TH TINYGPT\\-TUI 1 "" "tinygpt\\-tui {tinygpt_tui.__version__}" "User Commands"'
    yield f".SH NAME\ntinygpt\\-tui \\- {_text(what)}"
    yield '.SH SYNOPSIS\n.B tinygpt\\-tui\n.RI [ COMMAND " [" ARGUMENT " ...]]"'
    yield f".SH DESCRIPTION\n{_text(what)}"
    yield ".SH COMMANDS"
    for name in COMMANDS:
        (commands,) = _subcommands(make_parser(name))
        yield from _command(commands[name])
    yield f".SH NOTES\n.nf\n{_text(EPILOG.rstrip())}\n.fi"


def _command(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield a command's section, and those of the commands in it."""
    parser.color = False  # type: ignore[attr-defined]  # from Python 3.14 on a usage line may be coloured
    usage = " ".join(parser.format_usage().split()).removeprefix("usage: ")
    yield f".SS {_text(parser.prog.removeprefix('tinygpt-tui '))}"
    yield f"{_text(parser.description or '')}\n.PP\n{_breakable(usage)}"
    for group in parser._action_groups:
        for action in group._group_actions:
            if not isinstance(action, argparse._SubParsersAction | argparse._HelpAction):
                yield f".TP\n.B {_breakable(_invocation(action))}\n{_text(_help(parser, action))}"
    for commands in _subcommands(parser):
        for command in commands.values():
            yield from _command(command)


def _breakable(text: str) -> str:
    """Return an invocation as groff wants it: a line may end behind each choice."""
    return _text(text).replace("|", "|\\:")


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    return parser._get_formatter()._expand_help(action) if action.help else ""


def _invocation(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.choices:
        metavar = "|".join(map(str, action.choices))
    if not action.option_strings:
        return metavar
    return ", ".join(action.option_strings) + ("" if action.nargs == 0 else f" {metavar}")


def _subcommands(parser: argparse.ArgumentParser) -> list[dict[str, argparse.ArgumentParser]]:
    found = (action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return [{name: command for name, command in choices.items() if command.add_help} for choices in found]


def _text(text: str) -> str:
    """Escape text for roff: hyphens that can be copied, no line that starts with a request."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").split("\n")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in lines)
