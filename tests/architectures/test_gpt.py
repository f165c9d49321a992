"""The GPT is nanoGPT with the default settings, the lecture's net with others, number for number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from makers import tiny_gpt

from tinygpt_tui.architectures.gpt import GPT
from tinygpt_tui.architectures.table import build
from tinygpt_tui.errors import UsageError
from tinygpt_tui.events.generation import Token
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.generation.text import GenerationJob, TextGeneration
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.base import count_parameters
from tinygpt_tui.settings.ladder import LADDER
from tinygpt_tui.settings.presets import PRESETS
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.tokenizers.char import CharTokenizer

NANOGPT_SHAKESPEARE = GPTSettings(vocab_size=65, block_size=256, n_embd=384, n_head=6, n_layer=6)
GPT2 = GPTSettings(
    vocab_size=50257,
    block_size=1024,
    n_embd=768,
    n_head=12,
    n_layer=12,
    bias=True,
    qkv_bias=True,
    activation="gelu_tanh",
)


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        (PRESETS["small"].training.architecture, 54_977),
        (PRESETS["tinygpt"].training.architecture, 1_220_673),
        (PRESETS["large"].training.architecture, 10_788_929),
        (PRESETS["nanogpt"].training.architecture, 804_096),
        (NANOGPT_SHAKESPEARE, 10_745_088),
        (GPT2, 124_439_808),
    ],
    ids=["small", "tinygpt", "large", "nanogpt", "nanoGPT shakespeare_char", "GPT-2"],
)
def test_published_parameter_counts(settings: GPTSettings, count: int) -> None:
    with torch.device("meta"):
        assert build(settings).count_parameters() == count
    assert count_parameters(settings) == count


def test_the_state_dict_has_nanogpts_names_and_shapes() -> None:
    state = build(tiny_gpt(n_layer=1)).state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == {
        "transformer.wte.weight": (13, 16),
        "transformer.wpe.weight": (8, 16),
        "transformer.h.0.ln_1.weight": (16,),
        "transformer.h.0.attn.c_attn.weight": (48, 16),
        "transformer.h.0.attn.c_proj.weight": (16, 16),
        "transformer.h.0.ln_2.weight": (16,),
        "transformer.h.0.mlp.c_fc.weight": (64, 16),
        "transformer.h.0.mlp.c_proj.weight": (16, 64),
        "transformer.ln_f.weight": (16,),
        "lm_head.weight": (13, 16),
    }


def test_a_tied_head_is_the_embedding() -> None:
    model = build(tiny_gpt())
    assert model.lm_head.weight is model.transformer["wte"].weight
    untied = build(tiny_gpt(tied_head=False))
    assert untied.lm_head.weight is not untied.transformer["wte"].weight


@pytest.mark.parametrize(
    "changes", [{"n_head": 3}, {"positions": "rotary", "n_embd": 6, "n_head": 2}], ids=["heads", "odd head, rotary"]
)
def test_what_cannot_be_is_refused_with_a_way_out(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        GPT(tiny_gpt(**changes))
    assert caught.value.hint


def test_dropout_drops_while_training_only() -> None:
    settings = tiny_gpt(dropout=0.5, attention_dropout=0.5)
    model = build(settings)
    ids = torch.arange(8)[None]
    assert torch.equal(model.eval()(ids), model(ids))
    assert not torch.equal(model.train()(ids), model(ids))


def test_the_modern_start_adds_nothing_to_the_stream() -> None:
    model = build(tiny_gpt(start="zero_residual", tied_head=False, token_shift=2))
    x = torch.randn(2, 8, 16)
    for block in model.transformer["h"]:
        assert torch.equal(block(x), x)


def test_gpt2s_start_has_its_spread() -> None:
    torch.manual_seed(0)
    model = build(tiny_gpt(n_embd=128, n_layer=2))
    spread = {name: parameter.std().item() for name, parameter in model.named_parameters() if parameter.dim() == 2}
    assert spread["transformer.h.0.mlp.c_fc.weight"] == pytest.approx(0.02, rel=0.05)
    assert spread["transformer.h.0.mlp.c_proj.weight"] == pytest.approx(0.01, rel=0.05)  # 0.02 / sqrt(2 * 2)


@pytest.mark.parametrize("folder", ["nanogpt", "nanogpt-compiled"])
def test_it_computes_what_nanogpt_computes(fixtures: Path, folder: str) -> None:
    kept = torch.load(fixtures / folder / "ckpt.pt", weights_only=True)
    expected = json.loads((fixtures / folder / "expected.json").read_text(encoding="utf-8"))
    sizes = {name: kept["model_args"][name] for name in ("n_layer", "n_head", "n_embd", "block_size", "vocab_size")}
    bias = kept["model_args"]["bias"]
    model = GPT(GPTSettings(**sizes, bias=bias, qkv_bias=bias, activation="gelu", tied_head=True)).eval()
    model.load_state_dict({name.removeprefix("_orig_mod."): tensor for name, tensor in kept["model"].items()})

    with torch.no_grad():
        logits = model(torch.tensor([expected["prompt_ids"]]))[0, -1]
    wanted = torch.tensor(expected["last_logits"])
    spread = (wanted.max() - wanted.min()).item()
    assert (logits - wanted).abs().max().item() < 1e-4 * spread

    characters = "".join(chr(0x100 + id) for id in range(sizes["vocab_size"]))  # any will do: the ids are compared
    prompt = "".join(characters[id] for id in expected["prompt_ids"])
    job = GenerationJob(
        TorchEngine(model),
        TextGeneration(
            CharTokenizer(characters),
            model.settings.block_size,
            prompt,
            SamplingSettings(temperature=0, max_new_tokens=200),
        ),
    )
    written = [event.id for event in job if isinstance(event, Token)]
    assert len(expected["greedy_ids"]) > model.settings.block_size  # it does run past the window
    assert expected["prompt_ids"] + written == expected["greedy_ids"]


def test_torch_s_own_start_is_as_the_lecture_s_first_stages_draw_it() -> None:
    settings = LADDER[1].training.architecture
    assert settings.start == "torch"
    torch.manual_seed(1)
    model = build(settings)
    assert isinstance(model, GPT)
    assert model.transformer["wte"].weight.std().item() == pytest.approx(1, rel=0.1)
    assert model.lm_head.weight.abs().max().item() == pytest.approx(settings.n_embd**-0.5, rel=0.05)
