"""The training of a student: a standard model about as large as the teacher that it learns from; no torch."""

from __future__ import annotations

import msgspec

from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings
from tinygpt_tui.settings.presets import find_preset
from tinygpt_tui.settings.training import TrainingSettings

HEAD = 32  # numbers in a head; a row of as many is a block of llama.cpp's eight-bit format
SMALL_VOCABULARY = 4096  # an output head of its own learns sooner, and takes little room
TABLES_ARE_WORTH = 3  # layers at least, where the teacher has n-gram tables


def student_training(teacher: ArchitectureSettings, preset: str, minutes: float) -> TrainingSettings:
    """Return the training of a student of the preset's kind, as wide and as deep as its teacher, with as long a window.

    The recipe is the preset's, without dropout: probabilities are harder to memorise than the tokens of a text.
    """
    base = find_preset(preset).training
    net = base.architecture
    assert isinstance(net, GPTSettings)
    length = max(net.block_size, teacher.block_size) if teacher.supports_sliding else teacher.block_size
    changes: dict[str, object] = {"vocab_size": teacher.vocab_size, "block_size": length, "dropout": 0.0}
    if teacher.n_layer:
        changes |= _shape(teacher, net)
    if net.is_rotary:
        changes["tied_head"] = teacher.vocab_size > SMALL_VOCABULARY
        # The longer the window, the slower its slowest pair.
        changes["rotary_base"] = net.rotary_base * max(1.0, length / net.block_size)
    return msgspec.structs.replace(
        base,
        architecture=msgspec.structs.replace(net, **changes),
        batch_size=max(1, base.batch_size * net.block_size // length),
        minutes=minutes,
        evaluate_every=0,
    )


def _shape(teacher: ArchitectureSettings, net: GPTSettings) -> dict[str, object]:
    width = -(-teacher.n_embd // HEAD) * HEAD
    heads = teacher.n_head
    if not heads or width % (2 * heads):
        heads = width // HEAD
    depth = max(teacher.n_layer, TABLES_ARE_WORTH if getattr(teacher, "ngram_rows", 0) else 1)
    shape: dict[str, object] = {"n_layer": depth, "n_embd": width, "n_head": heads}
    if net.hidden:
        shape["hidden"] = max(1, round(net.hidden / net.n_embd * width / HEAD)) * HEAD
    return shape
