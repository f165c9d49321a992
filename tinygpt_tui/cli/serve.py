"""tinygpt-tui serve: serve models over HTTP: a web page and an OpenAI-compatible API."""

from __future__ import annotations

import argparse
import os

from tinygpt_tui.cli.flags import add_setting_flags, typed_settings
from tinygpt_tui.cli.output import notify
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.packages import import_torch, require
from tinygpt_tui.settings.computing import AUTO, ComputingSettings
from tinygpt_tui.settings.fields import checked
from tinygpt_tui.settings.serving import ServingSettings

TOKEN_VARIABLE = "TINYGPT_TUI_TOKEN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        f"With {TOKEN_VARIABLE}=SECRET in the environment, each request needs the header Authorization: Bearer SECRET\n"
        "--app always needs a token: that one, or a random one, which is part of the printed address."
    )
    parser.add_argument(
        "--app",
        action="store_true",
        help="serve the whole app in a browser instead, only for you: it can read and write your files",
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

        choose_device(device)  # fail at the start if the device is missing, not at each request
    token = os.environ.get(TOKEN_VARIABLE) or None
    for package in ("starlette", "uvicorn", *(["textual_serve"] if arguments.app else [])):
        require(package, "serving", "serve")

    from tinygpt_tui.server.run import LOOPBACK, serve

    if arguments.app:
        from tinygpt_tui.server.in_browser import serve_app

        notify("tinygpt-tui: anyone who opens this address can read and write your files; do not share it")
        serve_app(
            settings,
            token,
            lambda address: notify(f"tinygpt-tui: the app is at {address}  (Ctrl-C stops)"),
            device,
        )
    else:
        if settings.host not in LOOPBACK and token is None:
            notify(
                f"tinygpt-tui: anyone who can reach {settings.host} can use the models; {TOKEN_VARIABLE} sets a token"
            )
        serve(
            settings,
            token,
            lambda address: notify(f"tinygpt-tui: {address}  (API: {address}/v1; Ctrl-C stops)"),
            device,
        )
    notify("tinygpt-tui: stopped")
    return int(ExitCode.OK)
