"""The forms a model can be exported to, and what each of them can say; no torch here.

A form lists the settings that it can express. Whatever it does not list must be as the architecture has it by default,
so that an option added to the architecture tomorrow is refused until the format supports it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from tinygpt_tui.errors import NotFoundError, UsageError
from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings
from tinygpt_tui.settings.fields import written
from tinygpt_tui.settings.gpt import GATED

ANY: frozenset[Any] | None = None
Can = Mapping[str, frozenset[Any] | None]

# Sizes, and what counts only while a model is trained.
_ALWAYS: Can = dict.fromkeys(
    ("vocab_size", "block_size", "n_layer", "n_head", "n_embd", "dropout", "attention_dropout", "start"), ANY
)
# GPT-2's skeleton. A norm without weights has ones there, a bias that is not there is zero, and another attention scale
# is a factor that the queries' weights take in.
_SCALES = frozenset({"head_size", "n_embd"})
_SKELETON: Can = {**_ALWAYS, "norm_weight": ANY, "attention_scale": _SCALES, "bias": ANY, "qkv_bias": ANY}
_ACTIVATIONS = frozenset({"gelu", "gelu_tanh", "relu", "relu_squared"})


class Form(NamedTuple):
    """One row of the table.

    `file` is the name of the main file in the folder that is written; `alone` whether that file says everything by
    itself. `can` names the settings and their values that the form has a place for (None: all values); with no `can`
    at all it has a place for everything. `nearly` are values that it can come close to. `package` is what must be
    installed, and `extra` the extra of this program that brings it.
    """

    name: str
    title: str
    file: str
    alone: bool
    can: Can | None
    description: str
    nearly: Mapping[str, frozenset[Any]] = {}
    package: str = ""
    extra: str = ""


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
            {**_SKELETON, "activation": frozenset({"gelu"})},
            "ckpt.pt and meta.pkl, for sample.py and train.py",
            package="torch",
        ),
        Form(
            "hf",
            "Hugging Face's GPT-2",
            "model.safetensors",
            False,
            {**_SKELETON, "activation": _ACTIVATIONS, "tied_head": ANY},
            "a GPT-2 folder with its tokenizer, for transformers",
        ),
        Form(
            "onnx",
            "ONNX",
            "model.onnx",
            True,
            {
                **_SKELETON,
                **dict.fromkeys(
                    (
                        "head_bias", "tied_head", "qk_norm", "embedding_norm", "token_shift", "sliding", "ngram_rows",
                        "n_kv_head", "head_width", "hidden", "projection", "final_norm", "epsilon", "rotary_base",
                        "rotary_width", "rotary_factors", "qk_norm_weight", "parallel", "local_windows",
                    ),
                    ANY,
                ),
                "positions": frozenset({"learned", "rotary"}),
                "norm": frozenset({"layernorm", "rmsnorm", "none"}),
                "activation": _ACTIVATIONS | set(GATED),
                "feed_forward": frozenset({"mlp", "one_layer", "none"}),
                "residual": frozenset({"stream", "post_norm", "normed", "none"}),
            },
            "a graph from ids (batch, time) to logits",
            package="onnx",
            extra="onnx",
        ),
        Form(
            "gguf",
            "llama.cpp's GPT-2",
            "model.gguf",
            True,
            {**_SKELETON, "activation": frozenset({"gelu_tanh"}), "tied_head": ANY},
            "one file for llama.cpp and what is built on it",
            nearly={"activation": frozenset({"gelu"})},
            package="gguf",
            extra="gguf",
        ),
        Form(
            "lecture",
            "the lecture's GPT",
            "model.pth",
            False,
            {
                **_ALWAYS,
                "norm_weight": ANY,
                "attention_scale": _SCALES,
                "bias": ANY,
                "head_bias": ANY,
                "tied_head": ANY,
                "activation": frozenset({"relu"}),
            },
            "a state dict with a Linear per head, and chars.txt",
            package="torch",
        ),
    )
}  # fmt: skip


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
    if form.can is None:
        return []
    if settings.__struct_config__.tag != "gpt":
        return ["architecture"]
    strange = []
    for field in msgspec.structs.fields(GPTSettings):
        value, allowed = getattr(settings, field.name), form.can.get(field.name, frozenset({field.default}))
        near = approximate and value in form.nearly.get(field.name, ())
        if allowed is not None and value not in allowed and not near:
            strange.append(field.name)
    return strange


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
    raise UsageError(
        f"{name} cannot be exported to {form.name}: {form.title} has no place for {'; '.join(strange)}", way_out
    )


_WORDS = {
    "positions": "{value} positions (positions)",
    "norm": "{value} (norm)",
    "activation": "the activation {value} (activation)",
    "qkv_bias": "biases in query, key and value (qkv_bias)",
    "head_bias": "a bias in the output head (head_bias)",
    "tied_head": "an output head that is not the token embedding (tied_head)",
    "qk_norm": "normalised queries and keys (qk_norm)",
    "embedding_norm": "normalised embeddings (embedding_norm)",
    "token_shift": "token shift (token_shift)",
    "sliding": "attention that slides (sliding)",
    "ngram_rows": "n-gram tables (ngram_rows)",
}
