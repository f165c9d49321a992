"""tinygpt-tui serve: the models over HTTP, on a page and for clients of OpenAI's API."""

from __future__ import annotations

import argparse
import os

from tinygpt_tui.cli.flags import add_setting_flags, typed_settings
from tinygpt_tui.cli.output import say
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.packages import import_torch, require
from tinygpt_tui.settings.computing import AUTO, ComputingSettings
from tinygpt_tui.settings.fields import checked
from tinygpt_tui.settings.serving import ServingSettings

TOKEN_VARIABLE = "TINYGPT_TUI_TOKEN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        f"{TOKEN_VARIABLE}=SECRET asks for the token in each request: Authorization: Bearer SECRET\n"
        "--app always asks for a token: that one, or a random one in the printed address."
    )
    parser.add_argument(
        "--app", action="store_true", help="the whole app in the browser instead, for this machine's user alone"
    )
    add_setting_flags(parser, ServingSettings, "serving")
    add_setting_flags(parser, ComputingSettings, "computing")


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C. Raises UsageError, MissingPackageError."""
    settings = checked(ServingSettings, typed_settings(arguments, ServingSettings))
    device = checked(ComputingSettings, typed_settings(arguments, ComputingSettings)).device
    if device != AUTO:
        import_torch(f"the device {device}")
        from tinygpt_tui.training.device import choose_device

        choose_device(device)  # a device that is missing is said now, and not to each client
    token = os.environ.get(TOKEN_VARIABLE) or None
    for package in ("starlette", "uvicorn", *(["textual_serve"] if arguments.app else [])):
        require(package, "serving", "serve")

    from tinygpt_tui.server.run import LOOPBACK, serve

    if arguments.app:
        from tinygpt_tui.server.in_browser import serve_app

        say("tinygpt-tui: anyone who opens this address can read and write your files; do not pass it on")
        serve_app(settings, token, lambda address: say(f"tinygpt-tui: the app is at {address}  (Ctrl-C stops)"), device)
    else:
        if settings.host not in LOOPBACK and token is None:
            say(f"tinygpt-tui: whoever can reach {settings.host} may use the models; {TOKEN_VARIABLE} asks for a token")
        serve(
            settings, token, lambda address: say(f"tinygpt-tui: {address}  (API: {address}/v1; Ctrl-C stops)"), device
        )
    say("tinygpt-tui: stopped")
    return int(ExitCode.OK)
