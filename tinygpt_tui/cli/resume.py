"""tinygpt-tui resume: end a pause, or continue a run that was stopped, killed or finished."""

from __future__ import annotations

import argparse

import msgspec

from tinygpt_tui.cli.control import await_report
from tinygpt_tui.cli.flags import add_setting_flags, typed_settings
from tinygpt_tui.cli.output import notify
from tinygpt_tui.cli.train import help_here, is_helper, train_detached, train_here
from tinygpt_tui.errors import ExitCode, RunError
from tinygpt_tui.events.training import Resumed
from tinygpt_tui.packages import TRAINING, import_torch, require
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.control import Control, live_status
from tinygpt_tui.runs.extending import check_own, check_resumable, extended
from tinygpt_tui.runs.folder import RunFolder, RunStatus
from tinygpt_tui.runs.index import find_run
from tinygpt_tui.settings.fields import changed, fields_of
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.workers.trainer import RunWatch

# The settings that may be changed when a run continues.
ENDINGS = ("patience", "stop_at_loss")
MOVES = ("device",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="name of a run, as `tinygpt-tui runs` lists it")
    parser.add_argument(
        "--steps",
        metavar="+N|N",
        help="+2000 adds steps, 5000 sets the total; the learning rate follows the schedule of the longer run",
    )
    parser.add_argument(
        "--detach", action="store_true", help="train in the background; `tinygpt-tui watch NAME` shows the run"
    )
    fields = {
        name: msgspec.structs.replace(fields_of(TrainingSettings)[name], default="as before")
        for name in (*ENDINGS, *MOVES)
    }
    add_setting_flags(parser, {name: fields[name] for name in ENDINGS}, "early end")
    add_setting_flags(parser, {name: fields[name] for name in MOVES}, "computing")


def run(arguments: argparse.Namespace) -> int:
    """Continue exactly from the saved state. Raises NotFoundError, UsageError, RunError, CorpusError."""
    if is_helper():
        return help_here()
    run = find_run(arguments.name)
    endings = typed_settings(arguments, TrainingSettings)
    status = live_status(run)
    if status is not None:
        return _end_pause(run, status, bool(arguments.steps or endings))
    require("torch", TRAINING)
    check_own(run)
    if "device" in endings:
        import_torch(TRAINING)
        from tinygpt_tui.training.device import choose_device

        choose_device(endings["device"])
    check_resumable(run)
    settings = run.read_settings()
    if arguments.steps:
        settings = extended(run, arguments.steps)
        notify(f"{arguments.name} now has {settings.training.steps:,} steps in total")
    if endings:
        training = changed(settings.training, endings)
        training = msgspec.structs.replace(training, architecture=settings.training.architecture)
        settings = msgspec.structs.replace(settings, training=training)
    return train_detached(run, settings) if arguments.detach else train_here(run, settings)


def _end_pause(run: RunFolder, status: RunStatus, with_changes: bool) -> int:
    name = run.model.name
    asked = Control(run.control).pending("pause")
    if with_changes or not asked:
        if status.state == "paused" and status.message and not with_changes:
            raise RunError(f"{name} is paused: {status.message}", "it continues by itself once that is fixed")
        raise RunError(
            f"{name} is already training",
            f"`{own_command('stop', name)}` first, or `{own_command('watch', name)}`",
        )
    watch = RunWatch(run)
    watch.poll()
    watch.resume()
    if status.state != "paused":
        notify(f"cancelled the pause of {name}")
        return 0
    event = await_report(watch, Resumed, "resume")
    if event is None:
        return int(ExitCode.RUN)
    notify(f"{name} continues from step {event.step}")
    return int(ExitCode.OK)
