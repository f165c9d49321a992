"""tinygpt-tui runs: list the training runs; compare, rename, delete, export or share them."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import msgspec

from tinygpt_tui import paths
from tinygpt_tui.cli.output import notify, table, write, write_data
from tinygpt_tui.errors import UsageError
from tinygpt_tui.files import check_new, is_file, write_text
from tinygpt_tui.runs.facts import FactsReader, Reached, RunFacts
from tinygpt_tui.runs.index import find_run
from tinygpt_tui.words import loss_words, right_words

ACTIONS = {
    "list": "list the runs (the default)",
    "card": "a page about a run, to share: Markdown, or a picture if --out ends in .svg",
    "compare": "compare the results of two runs and the settings in which they differ",
    "rename": "rename a run and its model",
    "delete": "move a run and its model to the trash",
    "export": "write the curves of a run for TensorBoard or Trackio",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions")
    made = {name: actions.add_parser(name, help=words, description=words) for name, words in ACTIONS.items()}
    for name in ("card", "rename", "delete", "export"):
        made[name].add_argument("name", help="name of a run, as `tinygpt-tui runs` lists it")
    made["card"].add_argument("--out", metavar="FILE", help="write the page to this file (default: Markdown to stdout)")
    made["card"].add_argument("--force", action="store_true", help="overwrite the file of --out")
    made["compare"].add_argument("name", help="name of a run")
    made["compare"].add_argument("other", help="name of another run")
    made["rename"].add_argument("new_name", help="the new name")
    made["export"].add_argument("--to", choices=["tensorboard", "trackio"], required=True, help="format of the files")
    made["export"].add_argument("folder", metavar="FOLDER", help="folder for the files")
    made["export"].add_argument("--follow", action="store_true", help="keep writing while the run is live")


def run(arguments: argparse.Namespace) -> int:
    """Run the action. Raises NotFoundError, RunError, UsageError, StorageError."""
    match arguments.action:
        case "card":
            _card(arguments.name, arguments.out, arguments.force)
        case "compare":
            _compare(arguments.name, arguments.other)
        case "rename":
            _rename(arguments.name, arguments.new_name)
        case "delete":
            _delete(arguments.name)
        case "export":
            _export(arguments.name, arguments.to, arguments.folder, arguments.follow)
        case _:
            _list(arguments.json)
    return 0


def _list(as_json: bool) -> None:
    facts = FactsReader().read()
    if as_json:
        write_data("".join(msgspec.json.encode(one.card).decode() + "\n" for one in facts))
        return
    if not facts:
        notify("no runs yet; to start one: tinygpt-tui train --corpus tales --name NAME")
        return
    head = ("NAME", "STATE", "STEP", "BEST LOSS", "CORPUS", "PRESET", "STARTED", "")
    write(table([_row(one) for one in facts], head, right=frozenset({2, 3})))


def _row(facts: RunFacts) -> tuple[str, ...]:
    card, reached = facts.card, facts.reached
    return (
        card.name,
        card.state,
        f"{card.step}/{card.steps}",
        _best(reached),
        card.corpus,
        card.preset,
        time.strftime("%Y-%m-%d %H:%M", time.localtime(card.created)) if card.created else "",
        card.message or " ".join(facts.notes.split())[:40],
    )


def _best(reached: Reached) -> str:
    if reached.best_loss is None:
        return ""
    loss = loss_words(reached.best_loss, reached.best_tokens, characters_per_token=reached.characters_per_token)
    return loss if reached.right is None else f"{loss}, {right_words(reached.right)}"


def _card(name: str, out: str | None, force: bool) -> None:
    from tinygpt_tui.runs.report import RunReport, suffix_of

    report = RunReport(find_run(name))
    if out is None:
        write(report.as_markdown())
        return
    path = paths.typed_path(out)
    check_new(path, force)
    write_text(path, report.as_svg() if suffix_of(path) == ".svg" else report.as_markdown())
    notify(f"wrote the card of {name} to {path}")


def _compare(name: str, other: str) -> None:
    from tinygpt_tui.runs.differences import differences

    first, second = find_run(name).read_settings(), find_run(other).read_settings()
    facts = {Path(one.card.path): one for one in FactsReader().read()}
    reached = [facts[find_run(one).model].reached for one in (name, other)]
    losses = [_best(one) for one in reached]
    rows = [("best validation loss", *losses), ("parameters", *(f"{one.parameters:,}" for one in reached))]
    rows += [tuple(difference) for difference in differences(first, second)]
    write(table(rows, ("", name, other)))


def _rename(name: str, new_name: str) -> None:
    from tinygpt_tui.runs.manage import rename

    notify(f"renamed {name} to {rename(find_run(name).model, new_name).name}")


def _delete(name: str) -> None:
    from tinygpt_tui.runs.manage import move_to_trash
    from tinygpt_tui.runs.trash import to_platform

    thrown = move_to_trash(find_run(name).model)
    if to_platform(thrown.place):
        notify(f"moved {thrown.model} to the system trash; restore it from there to undo this")
    else:
        notify(f"moved {name} to {thrown.place}; move it back to {thrown.model} to undo this")


def _export(name: str, program: str, folder: str, follow: bool) -> None:
    place = paths.typed_path(folder)
    if is_file(place):
        raise UsageError(f"{place} is a file", "give a folder")
    run = find_run(name)
    if program == "trackio":
        from tinygpt_tui.exports.trackio import write_trackio

        count, shows = write_trackio(run, place, follow=follow), f"TRACKIO_DIR={place} trackio show"
    else:
        from tinygpt_tui.exports.tensorboard import write_tensorboard

        count, shows = write_tensorboard(run, place, follow=follow), f"tensorboard --logdir {place}"
    notify(f"wrote {count:,} values to {place}; to see them: {shows}")
