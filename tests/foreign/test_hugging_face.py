"""Hugging Face's families, as transformers writes them: the logits and the greedy ids are those of transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_families import FAMILIES, GROUPED, LLAMA3, SIZES
from foreign_programs import made

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.checkpoints.stored import weights_of
from tinygpt_tui.checkpoints.torch_net import filled, tensors_of
from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.opening import Inspection, inspect_checkpoint

transformers = pytest.importorskip("transformers")


def saved(folder: Path, kind: str, entries: dict[str, Any], **how: Any) -> Any:
    """Write a model of transformers into `folder`, and return it."""
    config = getattr(transformers, f"{kind}Config")(**entries)
    model = made(getattr(transformers, f"{kind}ForCausalLM")(config)).eval()
    model.save_pretrained(folder, **how)
    return model


def net_of(inspection: Inspection) -> LanguageModel:
    return filled(inspection.settings, tensors_of(weights_of(inspection))).eval()


@torch.no_grad()
def agree(folder: Path, model: Any) -> Inspection:
    """Logits at all positions, beyond every window of a layer, are the same within 1e-4 of their spread."""
    inspection = inspect_checkpoint(folder)
    ids = torch.randint(60, (2, 40), generator=torch.Generator().manual_seed(3))
    wanted, found = model(ids).logits, net_of(inspection)(ids)
    assert (found - wanted).abs().max() < 1e-4 * (wanted.max() - wanted.min())
    return inspection


@pytest.mark.parametrize(("layout", "kind", "entries", "found"), FAMILIES.values(), ids=FAMILIES.keys())
def test_its_logits_are_transformers(
    layout: str, kind: str, entries: dict[str, Any], found: dict[str, Any], tmp_path: Path
) -> None:
    inspection = agree(tmp_path, saved(tmp_path, kind, entries))
    assert inspection.layout.name == layout
    assert {name: getattr(inspection.settings, name) for name in found} == found
    assert not inspection.questions


@pytest.mark.parametrize("name", ["llama, grouped, tied", "qwen3", "neo", "neox"])
@torch.no_grad()
def test_200_greedy_ids_are_transformers(name: str, tmp_path: Path) -> None:
    _, kind, entries, _ = FAMILIES[name]
    model = saved(tmp_path, kind, entries)
    ids = torch.tensor([[5, 17, 3]])
    wanted = model.generate(ids, max_new_tokens=200, do_sample=False, eos_token_id=None, pad_token_id=0)[0, 3:]
    net = net_of(inspect_checkpoint(tmp_path))
    memory, found, new = net.new_memory(1), [], ids
    while len(found) < 200:
        new = net(new, memory)[:, -1:].argmax(-1)
        found.append(int(new))
    assert found == wanted.tolist()


@pytest.mark.parametrize("form", ["shards", "bin", "old config", "without a prefix"])
def test_other_forms_of_a_folder(form: str, tmp_path: Path) -> None:
    entries = {**GROUPED, "tie_word_embeddings": True, "rope_parameters": LLAMA3}
    model = saved(tmp_path, "Llama", entries, max_shard_size="20KB" if form == "shards" else "5GB")
    if form == "shards":
        assert len(list(tmp_path.glob("*.safetensors"))) > 1
    elif form != "old config":
        prefix = "model." if form == "without a prefix" else ""
        state = {name.removeprefix(prefix): tensor for name, tensor in model.state_dict().items()}
        torch.save(state, tmp_path / "pytorch_model.bin")
        (tmp_path / "model.safetensors").unlink()
    else:
        told = json.loads((tmp_path / "config.json").read_text())
        rope = dict(told.pop("rope_parameters"))
        told |= {"rope_theta": rope.pop("rope_theta"), "rope_scaling": {**rope, "type": rope.pop("rope_type")}}
        (tmp_path / "config.json").write_text(json.dumps(told))
    agree(tmp_path, model)


def test_a_folder_of_gpt_neox_from_before(tmp_path: Path) -> None:
    model = saved(tmp_path, "GPTNeoX", SIZES)
    told = json.loads((tmp_path / "config.json").read_text())
    del told["rope_parameters"]
    (tmp_path / "config.json").write_text(json.dumps({**told, "rotary_pct": 0.25, "rotary_emb_base": 10000}))
    agree(tmp_path, model)


def changed_config(folder: Path, **entries: Any) -> None:
    told = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**told, **entries}))


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"model_type": "granite"}, r"is a 'granite' \(config\.json: model_type\), which is not known"),
        ({"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}}, "scaling 'dynamic'"),
        ({"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4}}, "have no factor"),
        ({"hidden_act": "xielu"}, "activation 'xielu'"),
        ({"num_attention_heads": 5}, "do not fit 5 heads"),
        ({"num_attention_heads": 64}, "do not fit 64 heads"),
        ({"head_dim": 5}, "do not fit"),
    ],
    ids=str,
)
def test_what_is_not_known_is_refused_by_name(entries: dict[str, Any], words: str, tmp_path: Path) -> None:
    saved(tmp_path, "Llama", SIZES)
    changed_config(tmp_path, **entries)
    with pytest.raises(CheckpointError, match=words):
        inspect_checkpoint(tmp_path)


def test_an_unknown_architecture_is_named(tmp_path: Path) -> None:
    torch.save({"backbone.norm_f.weight": torch.ones(4)}, tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text('{"model_type": "mamba"}')
    with pytest.raises(CheckpointError, match=r"is a 'mamba'") as caught:
        inspect_checkpoint(tmp_path)
    assert "gpt_neox" in caught.value.hint


def test_a_window_that_is_too_long_is_cut_and_said(tmp_path: Path) -> None:
    saved(tmp_path, "Llama", SIZES)
    changed_config(tmp_path, max_position_embeddings=131_072)
    inspection = inspect_checkpoint(tmp_path)
    assert inspection.settings.block_size == 8192
    assert "131,072" in next(fact.detail for fact in inspection.facts if fact.name == "block_size")


def test_weights_alone_ask_for_the_heads(tmp_path: Path) -> None:
    saved(tmp_path, "Llama", SIZES)
    (tmp_path / "config.json").unlink()
    assert [question.setting for question in inspect_checkpoint(tmp_path).questions] == [
        "n_head", "rotary_base", "epsilon", "activation",
    ]  # fmt: skip


def test_a_trunk_without_a_head_is_refused(tmp_path: Path) -> None:
    transformers.LlamaModel(transformers.LlamaConfig(**SIZES)).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"has no output head"):
        inspect_checkpoint(tmp_path)
