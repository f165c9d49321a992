"""tinygpt-tui models: list the models."""

from __future__ import annotations

import argparse

import msgspec

from tinygpt_tui.checkpoints.library import list_models
from tinygpt_tui.cli.engine_words import print_engine
from tinygpt_tui.cli.output import notify, table, write, write_data
from tinygpt_tui.foreign.facts import doubts
from tinygpt_tui.platforms import own_command
from tinygpt_tui.settings.model_config import TrainedOn
from tinygpt_tui.words import loss_words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    cards = list_models()
    if arguments.json:
        write_data("".join(msgspec.json.encode(card).decode() + "\n" for card in cards))
        return 0
    if not cards:
        notify("no models yet; to train one: tinygpt-tui train --corpus tales --name NAME")
        return 0
    rows = [
        (
            card.name,
            f"adapter of {card.base}" if card.base else card.architecture,
            f"{card.parameters:,}",
            str(card.block_size),
            _loss(card.trained) if card.trained else "",
            card.trained.corpus if card.trained else "",
            card.origin if not card.problem else f"{card.origin} ({card.problem})",
        )
        for card in cards
    ]
    head = ("NAME", "ARCHITECTURE", "PARAMETERS", "WINDOW", "VAL LOSS", "CORPUS", "FROM")
    write(table(rows, head, right=frozenset({2, 3, 4})))
    if any(card.is_calibrated for card in cards):
        notify(f"VAL LOSS of a calibrated model is a little lower than the best of its run ({own_command('runs')})")
    for card in cards:
        if doubt := doubts(card.facts):
            notify(f"{card.name}: {doubt}")
    print_engine()
    return 0


def _loss(trained: TrainedOn) -> str:
    per = trained.characters_per_token
    return loss_words(trained.loss_per_character, trained.tokens, 3, characters_per_token=per)
