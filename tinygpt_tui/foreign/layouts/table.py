"""The foreign layouts by name, in the order in which they are tried."""

from __future__ import annotations

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.layouts.base import Layout, LayoutMatch
from tinygpt_tui.foreign.layouts.bigram import BigramTable
from tinygpt_tui.foreign.layouts.by_shape import ByShape
from tinygpt_tui.foreign.layouts.gguf import GGUFLayout
from tinygpt_tui.foreign.layouts.gptnano import NanoRecurrent, NanoReversed
from tinygpt_tui.foreign.layouts.hugging_face import HuggingFace
from tinygpt_tui.foreign.layouts.hugging_face_config import CONFIG, Config
from tinygpt_tui.foreign.layouts.hugging_face_llama import MODEL_TYPES, HuggingFaceLlama
from tinygpt_tui.foreign.layouts.hugging_face_neo import GPTJ, GPTNeo, GPTNeoX, Phi
from tinygpt_tui.foreign.layouts.lecture import Lecture
from tinygpt_tui.foreign.layouts.litgpt import LitGPT
from tinygpt_tui.foreign.layouts.llama2c import Llama2C
from tinygpt_tui.foreign.layouts.makemore import GRU, RNN, MakemoreMLP
from tinygpt_tui.foreign.layouts.mingpt_2020 import MinGPT2020
from tinygpt_tui.foreign.layouts.nanochat import Nanochat
from tinygpt_tui.foreign.layouts.nanogpt import MinGPT, NanoGPT
from tinygpt_tui.foreign.layouts.own_export import OwnExport
from tinygpt_tui.foreign.layouts.torch_recurrent import TorchRecurrent
from tinygpt_tui.foreign.roles.inside import NoAttentionError
from tinygpt_tui.foreign.source import Source

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        OwnExport(), GGUFLayout(), Lecture(), BigramTable(), NanoGPT(), MinGPT(), MinGPT2020(), HuggingFace(),
        HuggingFaceLlama(), GPTNeo(), GPTNeoX(), GPTJ(), Phi(), Llama2C(), NanoReversed(), NanoRecurrent(),
        RNN, GRU, MakemoreMLP(), TorchRecurrent(), Nanochat(), LitGPT(),
    )
}  # fmt: skip
BY_SHAPE = ByShape()  # asked last
BORROWED = frozenset({"lecture", "nanogpt", "mingpt", "mingpt-2020"})  # whose names others begin with
MOST_SHOWN = 4
DEEPEST = 4  # prefixes of all of a checkpoint's names


def match_of(source: Source) -> tuple[Layout, Source, LayoutMatch]:
    """Return the layout, the checkpoint without prefixes, and its match: by shapes where names only begin like theirs.

    Raises CheckpointError.
    """
    layout, source = layout_of(source)
    try:
        return layout, source, layout.match(source)
    except CheckpointError:
        if layout.name not in BORROWED or not BY_SHAPE.recognises(source):
            raise
        return BY_SHAPE, source, BY_SHAPE.match(source)


def layout_of(source: Source) -> tuple[Layout, Source]:
    """Return the layout that recognises this checkpoint, and the checkpoint without the prefixes that it does not use.

    Raises CheckpointError where none does.
    """
    unwrapped: Source | None = source
    for _ in range(DEEPEST):
        if unwrapped is None:
            break
        for layout in LAYOUTS.values():
            if layout.recognises(unwrapped):
                return layout, unwrapped
        unwrapped = unwrapped.unwrapped()
    model_type = Config(source).model_type
    if model_type:
        known = "gpt2", *MODEL_TYPES, *(name for layout in (GPTNeo, GPTNeoX, GPTJ, Phi) for name in layout.model_types)
        raise CheckpointError(
            f"{source.name} is a {model_type[:40]!r} ({CONFIG}: model_type), which is not known here",
            f"known are {', '.join(known)}",
        )
    problem = BY_SHAPE.problem(source)
    if problem is None:
        return BY_SHAPE, source
    if not isinstance(problem, NoAttentionError):
        raise CheckpointError(f"{source.name} is like a GPT, but {problem.message}", problem.hint)
    names = list(source.tensors)[:MOST_SHOWN]
    raise CheckpointError(
        f"{source.name} has an unknown checkpoint format: {len(source.tensors)} tensors, {', '.join(names)} …",
        f"supported: {', '.join(layout.title for layout in LAYOUTS.values())}",
    )
