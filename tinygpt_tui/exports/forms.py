"""The forms a model can be exported to, and what each of them can say; no torch here.

A form lists the nets that it has a place for, and of each the settings that it can express. Whatever is not listed must
be as the architecture has it by default, so that an option added to the architecture tomorrow is refused until the
format supports it.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from tinygpt_tui.errors import NotFoundError, UsageError
from tinygpt_tui.settings.architecture import ArchitectureSettings, name_of
from tinygpt_tui.settings.fields import written
from tinygpt_tui.settings.gpt import GATED

ANY: frozenset[Any] | None = None
Can = Mapping[str, frozenset[Any] | None]

# Sizes, and what counts only while a model is trained.
_ALWAYS: Can = dict.fromkeys(
    ("vocab_size", "block_size", "n_layer", "n_head", "n_embd", "dropout", "attention_dropout", "start"), ANY
)
# GPT-2's net. A norm without weights has ones there, a bias that is not there is zero, and another attention scale
# is a factor that the queries' weights take in.
_SCALES = frozenset({"head_size", "n_embd"})
_GPT2: Can = {**_ALWAYS, "norm_weight": ANY, "attention_scale": _SCALES, "bias": ANY, "qkv_bias": ANY}
_ACTIVATIONS = frozenset({"gelu", "gelu_tanh", "relu", "relu_squared"})
_LLAMA: Can = {
    **_GPT2,
    **dict.fromkeys(("tied_head", "n_kv_head", "head_width", "hidden", "epsilon", "rotary_base"), ANY),
    "positions": frozenset({"rotary"}),
    "norm": frozenset({"rmsnorm"}),
    "activation": frozenset({"swiglu"}),
}
# Every GPT, with all that this program builds.
_GPT: Can = {
    **_GPT2,
    **dict.fromkeys(
        (
            "head_bias", "tied_head", "qk_norm", "qk_norm_weight", "embedding_norm", "token_shift", "sliding",
            "ngram_rows", "n_kv_head", "head_width", "hidden", "projection", "final_norm", "epsilon", "rotary_base",
            "rotary_width", "rotary_factors", "local_windows", "parallel", "logit_cap",
        ),
        ANY,
    ),
    "attention_scale": ANY,
    "positions": frozenset({"learned", "rotary", "alibi"}),
    "norm": frozenset({"layernorm", "rmsnorm", "none"}),
    "activation": _ACTIVATIONS | {"silu"} | set(GATED),
    "feed_forward": frozenset({"mlp", "one_layer", "none"}),
    "residual": frozenset({"stream", "post_norm", "normed", "none"}),
}  # fmt: skip

# The nets that are no GPT, by their architecture's name.
_RECURRENT: Can = dict.fromkeys(
    ("vocab_size", "block_size", "n_layer", "n_embd", "n_hidden", "dropout", "cells_only", "learned_start"), ANY
)
_FAMILY: dict[str, Can] = {
    **dict.fromkeys(("rnn", "lstm"), _RECURRENT),
    "gru": {**_RECURRENT, "reset_first": ANY},
    "cnn": dict.fromkeys(
        ("vocab_size", "block_size", "n_layer", "n_embd", "kernel_size", "dilation_cycle", "dropout"), ANY
    ),
    "backpack": dict.fromkeys(
        ("vocab_size", "block_size", "n_layer", "n_head", "n_embd", "n_sense", "sliding", "dropout"), ANY
    ),
    "mlp": dict.fromkeys(("vocab_size", "block_size", "n_embd", "n_hidden"), ANY),
    "bigram": dict.fromkeys(("vocab_size", "block_size"), ANY),
}
_PAIRS: dict[str, Can] = {
    "encoder_decoder": dict.fromkeys(
        ("vocab_size", "block_size", "n_layer", "n_head", "n_embd", "dropout", "separator"), ANY
    )
}


class Form(NamedTuple):
    """One row of the table.

    `file` is the name of the main file in the folder that is written; `alone` whether that file says everything by
    itself. `nets` names for each net that the form has a place for the settings and their values (None: all values);
    with no `nets` at all it has a place for everything. `nearly` are values that it can come close to; with `rounds`
    its numbers have fewer digits than the model's. `package` is what must be installed, and `extra` the extra of this
    program that brings it; `student` is the preset whose models it stores, and which can learn from any other model.
    """

    name: str
    title: str
    file: str
    alone: bool
    nets: Mapping[str, Can] | None
    description: str
    nearly: Mapping[str, frozenset[Any]] = {}
    rounds: bool = False
    package: str = ""
    extra: str = ""
    student: str = ""


def _gguf(name: str, file: str, description: str, rounds: bool = True) -> Form:
    settings: Can = {"activation": frozenset({"gelu_tanh"}), **dict.fromkeys(("tied_head", "hidden", "epsilon"), ANY)}
    return Form(
        name,
        "llama.cpp's GGUF",
        file,
        True,
        {"gpt2": {**_GPT2, **settings}, "llama": {**_LLAMA, "rotary_factors": ANY}},
        description,
        nearly={"activation": frozenset({"gelu"})},
        rounds=rounds,
        package="gguf",
        extra="gguf",
        student="llama",
    )


FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        Form(
            "safetensors",
            "safetensors",
            "weights.safetensors",
            True,
            None,
            "settings and vocabulary in the header; opens here again",
        ),
        Form(
            "nanogpt",
            "nanoGPT",
            "ckpt.pt",
            False,
            {"gpt2": {**_GPT2, "activation": frozenset({"gelu"})}},
            "ckpt.pt and meta.pkl, for sample.py and train.py",
            package="torch",
            student="nanogpt",
        ),
        Form(
            "hf",
            "Hugging Face's folder",
            "model.safetensors",
            False,
            {
                "gpt2": {**_GPT2, "activation": _ACTIVATIONS, **dict.fromkeys(("tied_head", "hidden", "epsilon"), ANY)},
                "llama": _LLAMA,
                "gpt": _GPT,
                **_FAMILY,
                **_PAIRS,
            },
            "a folder for transformers, with its tokenizer; most nets other than GPT-2 and Llama with a model file",
            student="llama",
        ),
        Form(
            "onnx",
            "ONNX",
            "model.onnx",
            True,
            {"gpt": _GPT, **_FAMILY, **_PAIRS},
            "a graph from ids (batch, time) to logits",
            package="onnx",
            extra="onnx",
        ),
        _gguf("gguf", "model.gguf", "one file for llama.cpp and what is built on it", rounds=False),
        _gguf("gguf-f16", "model-F16.gguf", "the same in half the size"),
        _gguf("gguf-q8_0", "model-Q8_0.gguf", "the same in a quarter of the size, eight bits a weight"),
        Form(
            "lecture",
            "the lecture's GPT",
            "model.pth",
            False,
            {
                "lecture": {
                    **_ALWAYS,
                    "norm_weight": ANY,
                    "attention_scale": _SCALES,
                    "bias": ANY,
                    "head_bias": ANY,
                    "tied_head": ANY,
                    "activation": frozenset({"relu"}),
                }
            },
            "a state dict with a Linear per head, and chars.txt",
            package="torch",
        ),
    )
}  # fmt: skip


STANDARD = ("gpt2", "llama", *_PAIRS)  # the nets that transformers knows; others bring a model file
_DESTINATIONS = {"Hugging Face": "hf", "GGUF": "gguf", "nanoGPT": "nanogpt"}  # the programs that people ask for first


def find_form(name: str) -> Form:
    """Return the form called `name`. Raises NotFoundError, which names the nearest."""
    if name not in FORMS:
        near = difflib.get_close_matches(name, FORMS, n=1)
        guess = f"did you mean {near[0]}? " if near else ""
        raise NotFoundError(f"there is no export to {name!r}", f"{guess}there is {', '.join(FORMS)}")
    return FORMS[name]


def strangers(form: Form, settings: ArchitectureSettings, approximate: bool = False) -> list[str]:
    """Return the names of the settings that `form` has no place for as they are; none where the model can be exported.

    With `approximate`, what the form can come close to is no hindrance.
    """
    net = net_of(form, settings, approximate)
    if net is None:
        return []
    return ["architecture"] if net == "" else _strangers(form, net, settings, approximate)


def net_of(form: Form, settings: ArchitectureSettings, approximate: bool = False) -> str | None:
    """Return the net as which `form` stores the model, or which is the nearest to it.

    Empty where it has none for its architecture, None where the form has a place for everything.
    """
    if form.nets is None:
        return None
    nets = [net for net in form.nets if (net if net in _FAMILY | _PAIRS else "gpt") == name_of(settings)]
    return min(nets, key=lambda net: len(_strangers(form, net, settings, approximate)), default="")


def is_standard(form: Form, settings: ArchitectureSettings) -> bool:
    """Whether `form` stores the model exactly, and the other program runs it without a model file of ours."""
    return not strangers(form, settings) and net_of(form, settings) in STANDARD


def _strangers(form: Form, net: str, settings: ArchitectureSettings, approximate: bool) -> list[str]:
    assert form.nets is not None
    can, strange = form.nets[net], []
    for name, default in _defaults(type(settings)).items():
        value, allowed = getattr(settings, name), can.get(name, frozenset({default}))
        near = approximate and value in form.nearly.get(name, ())
        if allowed is not None and value not in allowed and not near:
            strange.append(name)
    return strange


@functools.cache
def _defaults(settings: type[ArchitectureSettings]) -> dict[str, Any]:
    """Return the settings' names and defaults; cached, since msgspec evaluates all annotations again each time."""
    return {field.name: field.default for field in msgspec.structs.fields(settings)}


def destinations(settings: ArchitectureSettings) -> str:
    """Say in one line where a model of these settings can go, trained or not: "Hugging Face ✓  GGUF ≈  nanoGPT –".

    ≈ is nearly, – is not.
    """

    def mark(form: Form) -> str:
        if not strangers(form, settings):
            return "✓"
        return "–" if strangers(form, settings, approximate=True) else "≈"

    return "  ".join(f"{title} {mark(FORMS[name])}" for title, name in _DESTINATIONS.items())


def unsaid(form: Form, settings: ArchitectureSettings, approximate: bool = False) -> list[str]:
    """Return the same in words."""
    values = {"architecture": settings.__struct_config__.tag}
    return [
        _WORDS.get(name, "{name} {value}").format(name=name, value=values.get(name) or written(getattr(settings, name)))
        for name in strangers(form, settings, approximate)
    ]


def check_form(form: Form, name: str, settings: ArchitectureSettings, approximate: bool = False) -> None:
    """Raise UsageError where `form` cannot say what the model `name` is: it names the settings, and who can."""
    strange = unsaid(form, settings, approximate)
    if not strange:
        return
    if not unsaid(form, settings, approximate=True):
        way_out = f"--approximate takes the nearest that {form.title} has, and says by how much the logits differ"
    else:
        way_out = (
            f"what can: {', '.join(f'--to {other.name}' for other in FORMS.values() if not unsaid(other, settings))}"
        )
    if form.student:
        way_out += f"; --distil trains a {form.student} on its probabilities, and exports that"
    raise UsageError(
        f"{name} cannot be exported to {form.name}: {form.title} has no place for {'; '.join(strange)}", way_out
    )


_WORDS = {
    "positions": "{value} positions (positions)",
    "norm": "{value} (norm)",
    "activation": "the activation {value} (activation)",
    "qkv_bias": "biases in query, key and value (qkv_bias)",
    "head_bias": "a bias in the output head (head_bias)",
    "logit_cap": "capped logits (logit_cap)",
    "tied_head": "an output head that is not the token embedding (tied_head)",
    "qk_norm": "normalised queries and keys (qk_norm)",
    "embedding_norm": "normalised embeddings (embedding_norm)",
    "token_shift": "token shift (token_shift)",
    "sliding": "attention that slides (sliding)",
    "ngram_rows": "n-gram tables (ngram_rows)",
}
