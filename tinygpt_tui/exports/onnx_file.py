"""ONNX: the net as a graph from ids (batch, time) to logits (batch, time, vocabulary), built node by node.

torch's own exporter would do it too, but needs packages several times the size of `onnx`, and unrolls what it has seen
run; this graph takes any batch and any length up to the window, or any length at all where the net has no such limit.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tinygpt_tui.exports.onnx_family import backpack, bigram, cnn, mlp, recurrent
from tinygpt_tui.exports.onnx_gpt import gpt
from tinygpt_tui.exports.onnx_graph import Graph
from tinygpt_tui.exports.onnx_pairs import encoder_decoder
from tinygpt_tui.exports.source import ExportSource
from tinygpt_tui.foreign.layouts.base import Weights
from tinygpt_tui.settings.architecture import name_of

LARGEST_FILE = 1 << 30  # bytes of weights; a single protobuf must stay below two GiB
NETS: dict[str, Callable[[Graph, Any, Weights], str]] = {
    "gpt": gpt,
    **dict.fromkeys(("rnn", "gru", "lstm"), recurrent),
    "cnn": cnn,
    "mlp": mlp,
    "backpack": backpack,
    "bigram": bigram,
    "encoder_decoder": encoder_decoder,
}


def write(source: ExportSource, folder: Path) -> None:
    """Write `model.onnx` into `folder`; the weights of a large model are stored in `model.onnx.data`."""
    onnx: Any = importlib.import_module("onnx")
    graph, settings = Graph(), source.config.architecture
    graph.name(NETS[name_of(settings)](graph, settings, source.state()), "logits")
    facts = {
        "name": source.name,
        "settings": msgspec.json.encode(settings).decode(),
        "tokenizer": json.dumps(source.tokenizer.to_dict(), ensure_ascii=False),
    }
    logits = ["batch", "time", str(settings.vocab_size)]
    model = graph.model({"ids": ["batch", "time"]}, {"logits": logits}, facts)
    large = {"save_as_external_data": True, "location": "model.onnx.data"} if graph.bytes > LARGEST_FILE else {}
    onnx.save_model(model, str(folder / "model.onnx"), **large)
    onnx.checker.check_model(str(folder / "model.onnx"))
