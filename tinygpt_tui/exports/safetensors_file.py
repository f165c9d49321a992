"""Our own form without its run: weights whose header says all, beside `config.json` and `tokenizer.json`."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import safetensors.numpy

from tinygpt_tui.checkpoints.card import WEIGHTS, write_config
from tinygpt_tui.checkpoints.vocabulary import write_tokenizer
from tinygpt_tui.exports.source import ExportSource
from tinygpt_tui.foreign.layouts.own_export import CONFIG, MADE_BY, PROGRAM, TOKENIZER
from tinygpt_tui.settings.model_config import HEAD


def write(source: ExportSource, folder: Path) -> None:
    """Write the three files into `folder`."""
    state = source.state()
    if source.config.architecture.tied_head:
        del state[HEAD]  # the same tensor as the embedding: kept once
    header = {
        "format": "pt",
        MADE_BY: PROGRAM,
        CONFIG: msgspec.json.encode(source.config).decode(),
        TOKENIZER: json.dumps(source.tokenizer.to_dict(), ensure_ascii=False),
    }
    (folder / WEIGHTS).write_bytes(safetensors.numpy.save(state, metadata=header))
    write_config(folder, source.config)
    write_tokenizer(folder, source.tokenizer)
