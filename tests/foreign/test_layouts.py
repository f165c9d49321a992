"""Checkpoints of other sizes and variants, against small stand-ins for the programs that write them."""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import safetensors.torch
import torch
import whole_files
from foreign_families import FAMILIES
from foreign_programs import GPTnano, GPTnanoRNN, Lecture, Llama, MinGPT2020, NanoGPT, OneHead, made
from torch import Tensor, nn

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.checkpoints.stored import weights_of
from tinygpt_tui.checkpoints.torch_net import filled, tensors_of
from tinygpt_tui.errors import CheckpointError, UsageError
from tinygpt_tui.foreign.facts import doubts
from tinygpt_tui.foreign.layouts.table import LAYOUTS
from tinygpt_tui.foreign.opening import Inspection, Overrides, inspect_checkpoint

Wrap = Callable[[nn.Module], Any]


def bare(model: nn.Module) -> Any:
    return model.state_dict()


def strange_wrapper(model: nn.Module) -> Any:
    """No name in it is one that anybody agreed on."""
    optimizer = {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 1e-3}]}
    return {"epoch": 3, "optimizer": optimizer, "generator": {f"net.{n}": t for n, t in model.state_dict().items()}}


def wrapped_twice(model: nn.Module) -> Any:
    state = {f"gpt._orig_mod.{name}": tensor for name, tensor in model.state_dict().items()}
    return {"checkpoint": {"model": state}, "step": 7}


def of_a_course(model: nn.Module) -> Any:
    """The lecture's model as courses spell it: other names, masks of their own, dropout between the layers."""
    names = {"blocks.": "layers.", ".sa.": ".attention.", ".proj.": ".out_proj.", ".ffwd.net.0": ".mlp.0",
             ".ffwd.net.2": ".mlp.3", ".ln1.": ".norm1.", ".ln2.": ".norm2.", "ln_f.": "ln_final.",
             "lm_head.": "head.", ".tril": ".causal"}  # fmt: skip
    state = {}
    for name, tensor in model.state_dict().items():
        for theirs, course in names.items():
            name = name.replace(theirs, course)
        state[name] = tensor
    mask = torch.full((12, 12), -1e9).triu(1)
    return state | {"layers.0.attention.triangle": mask[None, None], "position_ids": torch.arange(12)}


def heads_together(model: nn.Module) -> Any:
    """One layer for the keys of all heads, as most courses have it."""
    state, made = model.state_dict(), {}
    for name, tensor in state.items():
        if ".heads.0." in name and not name.endswith("tril"):
            heads = [state[name.replace(".heads.0.", f".heads.{h}.")] for h in range(3)]
            made[name.replace(".heads.0.", ".")] = torch.cat(heads)
        elif ".heads." not in name:
            made[name] = tensor
    return made


def whole(model: nn.Module) -> Any:
    return model


def checkpoint(model: nn.Module) -> Any:
    return {"model": model.state_dict(), "model_args": model.arguments, "iter_num": 5, "config": {"compile": True}}


def prefixed(model: nn.Module) -> Any:
    state = {f"_orig_mod.module.{name}": tensor for name, tensor in model.state_dict().items()}
    return {"model": state, "model_args": model.arguments, "best_val_loss": torch.tensor(1.5)}


def wrapper(model: nn.Module) -> Any:
    return {"model_state_dict": model.state_dict(), "optimiser_state_dict": {"state": {}}, "step": 7}


# name -> (the program's model, how it is saved, the layout, what the user must tell because random weights do not)
CASES: dict[str, tuple[nn.Module, Wrap, str, dict[str, Any]]] = {
    "lecture": (Lecture(), bare, "lecture", {}),
    "lecture, scale of the video": (Lecture(scale="n_embd"), bare, "lecture", {"attention_scale": "n_embd"}),
    "lecture, mha and ff": (Lecture(names=("mha", "ff"), size=5, hidden=50), bare, "lecture", {}),
    "lecture, no _table": (Lecture(V=30, embedding="", H=1, L=1), bare, "lecture", {}),
    "lecture, norm in the blocks": (Lecture(final="blocks", L=3), bare, "lecture", {}),
    "lecture, no norms": (Lecture(norm=False, final=""), bare, "lecture", {}),
    "lecture, no residual": (
        Lecture(norm=False, final="", proj=False, residual=False, hidden=0), bare, "lecture", {}
    ),
    "lecture, wrapped": (Lecture(V=20), wrapper, "lecture", {}),
    "lecture, strangely wrapped": (Lecture(V=21), strange_wrapper, "lecture", {}),
    "lecture, of a course": (Lecture(V=22), of_a_course, "lecture", {}),
    "lecture, heads together": (Lecture(V=23), heads_together, "lecture", {"n_head": 3}),
    "nanogpt, wrapped twice": (NanoGPT(V=24), wrapped_twice, "nanogpt", {"n_head": 4}),
    "one head": (OneHead(), bare, "lecture", {}),
    "four heads": (OneHead(H=4), bare, "lecture", {}),
    "four heads, then a layer": (OneHead(H=4, feed_forward=True), bare, "lecture", {}),
    "nanogpt": (NanoGPT(), checkpoint, "nanogpt", {}),
    "nanogpt, no biases": (NanoGPT(C=40, H=5, L=3, bias=False), checkpoint, "nanogpt", {}),
    "nanogpt, prefixed": (NanoGPT(V=50), prefixed, "nanogpt", {}),
    "nanogpt, old": (NanoGPT(mask=True, tanh=True), checkpoint, "nanogpt", {}),
    "nanogpt, bare": (NanoGPT(H=3), bare, "nanogpt", {"n_head": 3}),
    "mingpt": (NanoGPT(mask=True, tanh=True, tied=False), bare, "mingpt", {"n_head": 4}),
    "mingpt of 2020": (MinGPT2020(), bare, "mingpt-2020", {"n_head": 4}),
    "mingpt of 2020, whole": (MinGPT2020(V=30, C=30, H=5, L=1), whole, "mingpt-2020", {}),
    "nanogpt, whole": (NanoGPT(H=3), whole, "nanogpt", {"n_head": 3}),
    "llama2.c": (Llama(), checkpoint, "llama2c", {}),
    "llama2.c, a head of its own": (Llama(KV=4, tied=False, epsilon=1e-3, L=1), checkpoint, "llama2c", {}),
    "llama2.c, one of keys": (Llama(KV=1, hidden=17), prefixed, "llama2c", {}),
    "gptnano": (GPTnano(), bare, "gptnano", {"n_head": 3}),
    "gptnano's rnn": (GPTnanoRNN(), bare, "gptnano-rnn", {}),
    "bigram": (nn.ModuleDict({"token_embedding_table": nn.Embedding(31, 31)}), bare, "bigram", {}),
}  # fmt: skip


def logits_of(model: nn.Module, ids: Tensor) -> Tensor:
    with torch.no_grad():
        if isinstance(model, nn.ModuleDict):
            return model["token_embedding_table"](ids)
        return model(ids)


def model_of(inspection: Inspection) -> LanguageModel:
    return filled(inspection.settings, tensors_of(weights_of(inspection))).eval()


def same_logits(inspection: Inspection, model: nn.Module, relative: float = 1e-4) -> None:
    settings = inspection.settings
    length = min(settings.block_size, 8)
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(settings.vocab_size, (2, length), generator=generator)
    wanted = logits_of(model, ids)
    with torch.no_grad():
        found = model_of(inspection)(ids)
    assert (found - wanted).abs().max() < relative * (wanted.max() - wanted.min())


@pytest.mark.parametrize(("model", "wrap", "layout", "told"), CASES.values(), ids=CASES.keys())
def test_its_logits_are_the_programs(
    model: nn.Module, wrap: Wrap, layout: str, told: dict[str, Any], tmp_path: Path
) -> None:
    torch.save(wrap(made(model)), tmp_path / "model.pt")
    inspection = inspect_checkpoint(tmp_path / "model.pt", Overrides(told))
    assert inspection.layout.name == layout
    assert inspection.config.parameters == sum(weight.numel() for weight in model_of(inspection).parameters())
    same_logits(inspection, model)


def test_every_layout_is_tested() -> None:
    elsewhere = {
        "gguf",
        "hf-gpt2",
        "nanochat",
        "litgpt",
        "safetensors",
        "torch-recurrent",
        "makemore-rnn",
        "makemore-mlp",
        "makemore-gru",
        *(case[0] for case in FAMILIES.values()),
    }
    assert {case[2] for case in CASES.values()} | elsewhere == LAYOUTS.keys()


def in_tar(state: dict[str, Tensor], path: Path) -> None:
    """Save as torch did in 2017; torch of today still reads it, and is asked whether this is it."""
    path.write_bytes(whole_files.saved_as_tar(state))
    torch.testing.assert_close(dict(torch.load(path, weights_only=False)), state)


SAVED: dict[str, Callable[[dict[str, Tensor], Path], None]] = {
    "zip": lambda state, path: torch.save(state, path),
    "legacy": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
    "tar": in_tar,
    "safetensors": lambda state, path: safetensors.torch.save_file(state, path.with_suffix(".safetensors")),
}


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")  # torch's own reader of the tar uses it
@pytest.mark.parametrize("save", SAVED.values(), ids=SAVED.keys())
@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_every_kind_of_number_in_every_kind_of_file(
    save: Callable[[dict[str, Tensor], Path], None], kind: torch.dtype, tmp_path: Path
) -> None:
    model = made(Lecture())
    state = {name: tensor.to(kind) for name, tensor in model.state_dict().items()}
    save(state, tmp_path / "model.pth")
    model.load_state_dict(state)  # the reference has the same rounded numbers
    same_logits(inspect_checkpoint(tmp_path), model)


def test_a_pickled_module_tells_its_classes(tmp_path: Path) -> None:
    model = Lecture(V=5, T=6)
    torch.save(made(model), tmp_path / "model.pth")
    (tmp_path / "chars.txt").write_text("\n".join("abcd\n"), encoding="utf-8")
    inspection = inspect_checkpoint(tmp_path)
    facts = {fact.name: fact for fact in inspection.facts}
    assert (facts["activation"].value, facts["activation"].source) == ("relu", "module")
    assert (facts["vocabulary"].source, facts["vocabulary"].detail) == ("sidecar", "chars.txt")
    assert {question.setting for question in inspection.questions} == {"residual", "attention_scale"}
    assert inspection.tokenizer.encode("\nabcd") == [0, 1, 2, 3, 4]
    same_logits(inspection, model)


def test_a_module_with_an_unknown_non_linearity_is_refused_by_its_name(tmp_path: Path) -> None:
    model = made(Lecture(V=5))
    for block in model.blocks:
        block.ffwd.net[1] = nn.Tanh()
    torch.save(model, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match="torch's Tanh, which is not built here"):
        inspect_checkpoint(tmp_path)


def hugging_face(folder: Path, **changes: Any) -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(vocab_size=50, n_positions=12, n_embd=24, n_layer=2, n_head=3, **changes)
    model = made(transformers.GPT2LMHeadModel(config))
    model.save_pretrained(folder, max_shard_size="20KB" if changes.get("sharded") else "5GB")

    class Logits(nn.Module):
        def forward(self, ids: Tensor) -> Tensor:
            return model(ids).logits

    return Logits()


@pytest.mark.parametrize(
    "changes",
    [{}, {"n_inner": 40, "activation_function": "relu"}, {"tie_word_embeddings": False}, {"sharded": True},
     {"scale_attn_weights": False, "layer_norm_epsilon": 1e-3}],
    ids=str,
)  # fmt: skip
def test_a_folder_that_hugging_face_wrote(changes: dict[str, Any], tmp_path: Path) -> None:
    model = hugging_face(tmp_path, **changes)
    assert (len(list(tmp_path.glob("*.safetensors"))) > 1) == ("sharded" in changes)
    inspection = inspect_checkpoint(tmp_path)
    assert inspection.layout.name == "hf-gpt2"
    same_logits(inspection, model)


def test_hugging_face_without_the_prefix(tmp_path: Path) -> None:
    model = hugging_face(tmp_path)
    path = tmp_path / "model.safetensors"
    state = safetensors.torch.load_file(path)
    safetensors.torch.save_file({name.removeprefix("transformer."): part for name, part in state.items()}, path)
    same_logits(inspect_checkpoint(tmp_path), model)


def test_nanogpts_vocabulary_is_read_and_never_run(tmp_path: Path) -> None:
    characters = "zyxwv"
    torch.save(checkpoint(made(NanoGPT(V=8))), tmp_path / "ckpt.pt")
    meta = {"vocab_size": 5, "itos": dict(enumerate(characters)), "stoi": {c: i for i, c in enumerate(characters)}}
    (tmp_path / "meta.pkl").write_bytes(pickle.dumps(meta))
    tokenizer = inspect_checkpoint(tmp_path).tokenizer
    assert (tokenizer.size, tokenizer.encode("zv")) == (8, [0, 4])  # three ids are padding
    assert tokenizer.bytes_of(7) == b""


def test_a_vocabulary_of_another_model_is_said(tmp_path: Path) -> None:
    torch.save(made(Lecture(V=5)).state_dict(), tmp_path / "model.pth")
    (tmp_path / "chars.txt").write_text("a\nb\nc\nd\ne\nf\ng", encoding="utf-8")
    inspection = inspect_checkpoint(tmp_path)
    assert inspection.tokenizer.name == "numbers"
    assert "chars.txt has 8 tokens, the model 5" in doubts(inspection.facts)
    with pytest.raises(CheckpointError, match=r"chars\.txt has 8 tokens, the model 5"):
        inspect_checkpoint(tmp_path, Overrides(vocabulary=tmp_path / "chars.txt"))


def test_without_a_vocabulary_ids_are_shown(tmp_path: Path) -> None:
    torch.save(made(Lecture(V=40)).state_dict(), tmp_path / "model.pth")
    inspection = inspect_checkpoint(tmp_path / "model.pth")
    assert inspection.tokenizer.bytes_of(17).decode() == "‹17›"
    (tmp_path / "letters.txt").write_text("".join(chr(200 + place) for place in range(40)), encoding="utf-8")
    told = inspect_checkpoint(tmp_path / "model.pth", Overrides(vocabulary=tmp_path / "letters.txt"))
    assert told.tokenizer.encode(chr(203)) == [3]


def test_a_tensor_too_many_is_named(tmp_path: Path) -> None:
    state = made(Lecture()).state_dict() | {"gate.w": torch.ones(3)}
    torch.save(state, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match=r"1 have no place in the lecture's model: gate\.w"):
        inspect_checkpoint(tmp_path)


def test_a_tensor_too_few_is_named(tmp_path: Path) -> None:
    state = made(Lecture()).state_dict()
    del state["blocks.1.sa.proj.bias"]
    torch.save(state, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match=r"missing: transformer\.h\.1\.attn\.c_proj\.bias"):
        model_of(inspect_checkpoint(tmp_path))


def test_two_tensors_for_one_place_are_named(tmp_path: Path) -> None:
    state = made(Lecture()).state_dict()
    state["token_embedding.weight"] = state["token_embedding_table.weight"].clone()
    torch.save(state, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match="would be made twice"):
        inspect_checkpoint(tmp_path)


def test_an_unknown_format_is_named_as_one(tmp_path: Path) -> None:
    torch.save({"strange": torch.ones(2)}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="unknown checkpoint format"):
        inspect_checkpoint(tmp_path)


def test_what_is_typed_must_exist(tmp_path: Path) -> None:
    torch.save(made(Lecture()).state_dict(), tmp_path / "model.pth")
    with pytest.raises(UsageError, match="no setting heads"):
        inspect_checkpoint(tmp_path, Overrides({"heads": 3}))


def test_facts_are_plain_data(tmp_path: Path) -> None:
    torch.save(made(NanoGPT()).state_dict(), tmp_path / "model.pth")
    facts = inspect_checkpoint(tmp_path).facts
    assert msgspec.json.decode(msgspec.json.encode(facts))[0]["name"] == "layout"
    assert {fact.source for fact in facts} <= {"tensor", "convention", "guess"}
    assert json.dumps(msgspec.to_builtins(facts))


class Settings:
    """What a program keeps its arguments in; read as data, it is a name and a dict."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


ELSEWHERE: dict[str, Callable[[NanoGPT], dict[str, Any]]] = {
    "config": lambda model: {"config": model.arguments},
    "args": lambda model: {"args": Settings(**model.arguments)},
    "hyper_parameters": lambda model: {"hyper_parameters": {"num_heads": 4}},
    "beside the weights": lambda model: {"n_head": 4},
}


@pytest.mark.parametrize("where", ELSEWHERE)
def test_heads_are_told_wherever_a_program_wrote_them_down(where: str, tmp_path: Path) -> None:
    model = made(NanoGPT(V=11, C=32))
    torch.save({"state_dict": model.state_dict(), **ELSEWHERE[where](model)}, tmp_path / "model.pt")
    inspection = inspect_checkpoint(tmp_path)
    fact = next(fact for fact in inspection.facts if fact.name == "n_head")
    assert (fact.value, fact.source, fact.detail) == ("4", "file", where)
    same_logits(inspection, model)


def test_heads_that_cannot_be_are_not_believed(tmp_path: Path) -> None:
    model = made(NanoGPT(V=11, C=32))
    torch.save({"model": model.state_dict(), "config": {"n_head": 7}}, tmp_path / "model.pt")
    assert "n_head" in [question.setting for question in inspect_checkpoint(tmp_path).questions]


def test_weights_beside_something_else_and_a_program_of_torchscript(tmp_path: Path) -> None:
    model = made(Lecture(V=9))
    torch.save((model.state_dict(), {"epoch": 3}), tmp_path / "model.pt")
    same_logits(inspect_checkpoint(tmp_path), model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(model, torch.zeros((1, 4), dtype=torch.long)).save(str(tmp_path / "model.pt"))
    with pytest.raises(CheckpointError, match="a program of TorchScript") as refused:
        inspect_checkpoint(tmp_path)
    assert "state_dict()" in refused.value.hint
