"""Every form is read back by its own program, or by a small copy of it, and says the same logits."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from makers import GPT_VARIANTS, LECTURE, MODERN, VARIANTS, make_model, tiny_gpt
from originals import LectureGPT, nanogpt_logits
from torch import Tensor

from tinygpt_tui.checkpoints.native import load
from tinygpt_tui.checkpoints.vocabulary import write_tokenizer
from tinygpt_tui.cli.main import run
from tinygpt_tui.errors import MissingPackageError, UsageError
from tinygpt_tui.events.generation import Token
from tinygpt_tui.exports.export import export
from tinygpt_tui.exports.forms import FORMS, net_of, unsaid
from tinygpt_tui.exports.hugging_face import STANDARD
from tinygpt_tui.exports.result import Exported
from tinygpt_tui.foreign.opening import inspect_checkpoint
from tinygpt_tui.generation.text import GenerationJob, TextGeneration
from tinygpt_tui.packages import command_in
from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import BPETokenizer, letters_of_bytes
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.hugging_face import HuggingFaceTokenizer
from tinygpt_tui.tokenizers.numbers import NumberTokenizer
from tinygpt_tui.workers.models import open_model

SAME = 1e-4  # a share of the logits' spread: float32 arithmetic in another order
IDS = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what only a power cut would show."""
    monkeypatch.setattr("os.fsync", lambda handle: None)


def written(tmp_path: Path, form: str, settings: ArchitectureSettings, **how: Any) -> tuple[Path, Exported]:
    """Export a random model of these settings."""
    make_model(tmp_path / "letters", settings)
    done = export(tmp_path / "letters", FORMS[form], tmp_path / "out", **how)
    return tmp_path / "out", done


@torch.inference_mode()
def ours(tmp_path: Path, ids: Tensor = IDS) -> Tensor:
    logits: Tensor = load(tmp_path / "letters").model(ids)
    return logits


def assert_same(theirs: Tensor, logits: Tensor) -> None:
    spread = float(logits.max() - logits.min())
    assert float((theirs - logits).abs().max()) < SAME * spread


def variants_of(form: str) -> list[Any]:
    return [
        pytest.param(settings, id=name)
        for name, settings in VARIANTS.items()
        if not unsaid(FORMS[form], settings) and settings.block_size > 1 and settings.vocab_size > 1
    ]


@pytest.mark.parametrize("settings", variants_of("onnx"))
def test_onnxruntime_gives_the_same_logits(tmp_path: Path, settings: ArchitectureSettings) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    folder, done = written(tmp_path, "onnx", settings)
    assert done.checked is not None
    assert done.checked.share < SAME
    session = runtime.InferenceSession(str(folder / "model.onnx"))
    # Two texts at once, short ones, and one longer than the window where that is no limit.
    longer = IDS.repeat(1, 3) if settings.supports_sliding else IDS
    for ids in (longer, IDS[:, :1], torch.cat((IDS, IDS.flip(1)))):
        (logits,) = session.run(None, {"ids": ids.numpy()})
        assert_same(torch.from_numpy(logits), ours(tmp_path, ids))
    kept = session.get_modelmeta().custom_metadata_map
    assert json.loads(kept["tokenizer"])["characters"] == "\n abcdefghijk"


def test_onnxruntime_answers_each_question_of_a_batch(tmp_path: Path) -> None:
    """An early and a late separator, two of them, and none: questions end in other places of one batch."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    folder, done = written(tmp_path, "onnx", VARIANTS["encoder-decoder"])  # its separator is 3
    assert done.checked is not None
    assert done.checked.spread
    ids = torch.tensor([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8], [9, 3, 7, 9, 3, 2], [8, 4, 6, 2, 6, 4]])
    (logits,) = runtime.InferenceSession(str(folder / "model.onnx")).run(None, {"ids": ids.numpy()})
    assert_same(torch.from_numpy(logits), ours(tmp_path, ids))
    assert [int((row != 0).any(-1).sum()) for row in logits] == [6, 3, 5, 0]


def test_transformers_answers_a_question_as_blenderbot(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    folder, done = written(tmp_path, "hf", VARIANTS["encoder-decoder"])  # its separator is 3
    assert done.checked is not None
    assert done.checked.program == "transformers"
    assert done.checked.share < SAME
    assert "AutoModelForSeq2SeqLM" in (folder / "README.md").read_text(encoding="utf-8")
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(str(folder)).eval()
    assert type(theirs).__name__ == "BlenderbotForConditionalGeneration"
    question = [0, 5, 7, 3]
    answer = theirs.generate(torch.tensor([question]), max_new_tokens=3, do_sample=False)[0].tolist()
    assert answer[0] == 3
    ids = question
    for _ in range(3):
        ids = [*ids, int(ours(tmp_path, torch.tensor([ids]))[0, -1].argmax())]
    assert answer[1:] == ids[4:]


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu", "relu_squared"])
def test_transformers_gives_the_same_logits_and_ids(tmp_path: Path, activation: str) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    settings = tiny_gpt(
        activation=activation, bias=activation != "gelu", attention_scale="n_embd", tied_head=activation != "relu"
    )
    folder, done = written(tmp_path, "hf", settings)
    assert done.checked is not None
    assert done.checked.program == "transformers"
    assert done.checked.share < SAME
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
    text = "a cab\n fed  a"
    assert tokenizer(text).input_ids == load(tmp_path / "letters").tokenizer.encode(text)
    assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer("caZb").input_ids == load(tmp_path / "letters").tokenizer.encode("cab")  # unknown: left out


@pytest.mark.parametrize(
    "settings",
    [
        GPT_VARIANTS["llama"],
        tiny_gpt(
            positions="rotary", norm="rmsnorm", norm_weight=False, activation="swiglu", head_width=12, n_kv_head=1,
            hidden=24, bias=True, attention_scale="n_embd", tied_head=True,
        ),
    ],
    ids=["llama", "llama, odd"],
)  # fmt: skip
def test_transformers_reads_a_llama(tmp_path: Path, settings: GPTSettings) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    folder, done = written(tmp_path, "hf", settings)
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["architectures"] == ["LlamaForCausalLM"]
    assert done.checked is not None
    assert done.checked.program == "transformers"
    assert done.checked.share < SAME


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
LETTERS = {letter: id for id, letter in enumerate(["<|end|>", *map(letters_of_bytes().get, range(256))])}


@pytest.mark.parametrize(
    "tokenizer",
    [ByteTokenizer(), BPETokenizer.trained_on("a cab, a cab", 260), HuggingFaceTokenizer(
        {
            "model": {"type": "BPE", "vocab": LETTERS, "merges": []},
            "pre_tokenizer": BYTE_LEVEL,
            "decoder": BYTE_LEVEL,
            "added_tokens": [{"id": 0, "content": "<|end|>", "special": True, "single_word": False, "lstrip": False,
                              "rstrip": False, "normalized": False}],
        },
        0,
    )],
    ids=["bytes", "byte pairs", "tokenizer.json"],
)  # fmt: skip
def test_its_tokenizer_goes_along_to_transformers(tokenizer: Tokenizer, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    make_model(tmp_path / "letters", tiny_gpt(vocab_size=tokenizer.size))
    write_tokenizer(tmp_path / "letters", tokenizer)
    export(tmp_path / "letters", FORMS["hf"], tmp_path / "out", checking=False)
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path / "out"))
    text = "a cab é\n"
    assert theirs(text).input_ids == tokenizer.encode(text)
    assert theirs.decode(tokenizer.encode(text)) == text
    assert theirs.eos_token_id == tokenizer.end_of_text
    again = inspect_checkpoint(tmp_path / "out").tokenizer
    assert again.encode(text) == tokenizer.encode(text)


def test_what_has_no_tokenizer_in_a_format_says_so(tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="gguf is not installed")
    make_model(tmp_path / "letters", GPT_VARIANTS["llama"])
    write_tokenizer(tmp_path / "letters", NumberTokenizer(13))
    done = export(tmp_path / "letters", FORMS["gguf"], tmp_path / "one.gguf")
    assert any("ids go in and out" in note for note in done.notes)


def own_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load a folder with its own model file, as a user of transformers would, without leaving that in a cache."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    modules = folder.parent / "modules"
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(modules))
    monkeypatch.setattr(sys, "path", [*sys.path])
    return transformers.AutoModelForCausalLM.from_pretrained(str(folder), trust_remote_code=True).eval()


@pytest.mark.parametrize(
    "name", [name for name, settings in VARIANTS.items() if net_of(FORMS["hf"], settings) not in {*STANDARD, ""}]
)
def test_any_net_runs_in_transformers_by_its_own_model_file(name: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    _, done = written(tmp_path, "hf", VARIANTS[name])
    assert done.checked is not None
    assert done.checked.program == "transformers"
    assert done.checked.share < SAME


def test_its_model_file_norms_the_embedding_with_the_settings_epsilon(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    _, done = written(tmp_path, "hf", msgspec.structs.replace(MODERN, epsilon=0.1))
    assert done.checked is not None
    assert done.checked.program == "transformers"
    assert done.checked.share < SAME


@pytest.mark.parametrize("name", ["modern", "sliding, with all else", "lstm", "cnn", "backpack that slides", "bigram"])
def test_transformers_generates_beyond_the_window(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = VARIANTS[name]
    folder, _ = written(tmp_path, "hf", settings, checking=False)
    theirs = own_model(folder, monkeypatch).generate(IDS, max_new_tokens=40, do_sample=False)[0].tolist()
    sampling = SamplingSettings(temperature=0.0, max_new_tokens=40)
    model = open_model(tmp_path / "letters")
    prompt = b"".join(map(model.tokenizer.bytes_of, IDS[0].tolist())).decode()
    text = TextGeneration(model.tokenizer, settings.context_length, prompt, sampling)
    ours = [event.id for event in GenerationJob(model.new_engine(), text) if isinstance(event, Token)]
    assert theirs[IDS.shape[1] :] == ours


@pytest.mark.parametrize("settings", variants_of("nanogpt"))
def test_nanogpt_reads_it(tmp_path: Path, settings: GPTSettings) -> None:
    folder, done = written(tmp_path, "nanogpt", settings)
    checkpoint = torch.load(folder / "ckpt.pt", weights_only=True)
    assert_same(nanogpt_logits(checkpoint, IDS), ours(tmp_path))
    assert done.checked is not None
    assert done.checked.share < SAME
    meta = pickle.loads((folder / "meta.pkl").read_bytes())
    assert [meta["stoi"][character] for character in "a b"] == [2, 1, 3]
    assert meta["itos"][0] == "\n"
    assert (checkpoint["iter_num"], checkpoint["best_val_loss"]) == (7, 1.5)
    # train.py goes on from it: its optimizer has as many parameters in each group as nanoGPT's own.
    many = [len(group["params"]) for group in checkpoint["optimizer"]["param_groups"]]
    tensors = [tensor for name, tensor in checkpoint["model"].items() if name != "lm_head.weight"]
    assert many == [sum(t.dim() >= 2 for t in tensors), sum(t.dim() < 2 for t in tensors)]


@pytest.mark.parametrize("heads", [2, 4])
@pytest.mark.parametrize("form", ["nanogpt", "hf"])
def test_another_attention_scale_is_taken_in_by_the_queries(tmp_path: Path, form: str, heads: int) -> None:
    if form == "hf":
        pytest.importorskip("transformers", reason="transformers is not installed")
    _, done = written(tmp_path, form, tiny_gpt(attention_scale="n_embd", n_head=heads, bias=True, qkv_bias=True))
    assert done.checked is not None
    assert done.checked.share < SAME
    assert any("root of head_size" in note for note in done.notes)


@pytest.mark.parametrize(
    "settings",
    [LECTURE, tiny_gpt(activation="relu", norm_weight=False), tiny_gpt(activation="relu", bias=True, tied_head=False)],
)
def test_the_lecture_reads_it(tmp_path: Path, settings: GPTSettings) -> None:
    folder, _ = written(tmp_path, "lecture", settings)
    s = settings
    scale = (s.n_embd if s.attention_scale == "n_embd" else s.head_size) ** -0.5
    theirs = LectureGPT(s.vocab_size, s.block_size, s.n_embd, s.n_head, s.n_layer, scale)
    theirs.load_state_dict(torch.load(folder / "model.pth", weights_only=True))
    with torch.inference_mode():
        assert_same(theirs(IDS), ours(tmp_path))
    assert sorted(set((folder / "chars.txt").read_text(encoding="utf-8"))) == list("\n abcdefghijk")
    said = "C**-0.5" if s.attention_scale == "n_embd" else "k.shape[-1]**-0.5"
    assert f"multiplied by `{said}`" in (folder / "README.md").read_text(encoding="utf-8")


def test_a_model_of_the_hub_goes_back_as_it_came(tmp_path: Path, fixtures: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    done = export(fixtures / "hf-gpt2", FORMS["hf"], tmp_path / "out")
    assert done.checked is not None
    assert done.checked.share < SAME
    theirs, again = (
        transformers.AutoTokenizer.from_pretrained(str(folder)) for folder in (fixtures / "hf-gpt2", tmp_path / "out")
    )
    text = "To be, or not to be: déjà vu"
    assert again(text).input_ids == theirs(text).input_ids
    assert again.eos_token_id == theirs.eos_token_id


def test_a_vocabulary_of_pieces_goes_into_a_gguf(tmp_path: Path, fixtures: Path) -> None:
    gguf = pytest.importorskip("gguf", reason="gguf is not installed")
    done = export(fixtures / "hf-gpt2", FORMS["gguf"], tmp_path / "one.gguf")
    assert done.checked is not None
    assert done.checked.share < SAME
    reader = gguf.GGUFReader(str(tmp_path / "one.gguf"))
    assert reader.get_field("general.architecture").contents() == "gpt2"
    vocabulary = json.loads((fixtures / "hf-gpt2" / "vocab.json").read_text(encoding="utf-8"))
    tokens = reader.get_field("tokenizer.ggml.tokens").contents()
    assert {token: id for id, token in enumerate(tokens)} == vocabulary
    assert tokens[reader.get_field("tokenizer.ggml.eos_token_id").contents()] == "<|endoftext|>"


def test_what_is_only_near_says_how_near(tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="gguf is not installed")
    with pytest.raises(UsageError, match="activation gelu"):
        written(tmp_path, "gguf", tiny_gpt())
    assert not (tmp_path / "out").exists()
    _, done = written(tmp_path, "gguf", tiny_gpt(), approximate=True)
    assert done.checked is not None
    assert 1e-5 < done.checked.share < 0.01
    assert any(note.startswith("Compared with ") for note in done.notes)


@pytest.mark.parametrize("settings", [LECTURE, MODERN, tiny_gpt(head_bias=True)])
def test_safetensors_opens_here_again(tmp_path: Path, settings: ArchitectureSettings) -> None:
    folder, done = written(tmp_path, "safetensors", settings)
    assert done.checked is not None
    assert done.checked.difference == 0
    assert load(folder).config == load(tmp_path / "letters").config


def test_a_name_with_the_ending_makes_one_file(tmp_path: Path) -> None:
    make_model(tmp_path / "letters")
    path = tmp_path / "new" / "one.safetensors"
    done = export(tmp_path / "letters", FORMS["safetensors"], path)
    assert list(done.files) == ["one.safetensors"]
    assert [entry.name for entry in path.parent.iterdir()] == ["one.safetensors"]
    with pytest.raises(UsageError, match="is there already"):
        export(tmp_path / "letters", FORMS["safetensors"], path)
    export(tmp_path / "letters", FORMS["safetensors"], path, force=True)


def test_nothing_is_overwritten_unasked_and_no_stranger_ever(tmp_path: Path) -> None:
    out, _ = written(tmp_path, "nanogpt", tiny_gpt(), checking=False)
    before = (out / "ckpt.pt").read_bytes()
    with pytest.raises(UsageError, match="there is an export in") as refused:
        written(tmp_path, "nanogpt", tiny_gpt(n_head=4), checking=False)
    assert "--force" in refused.value.hint
    assert (out / "ckpt.pt").read_bytes() == before
    written(tmp_path, "nanogpt", tiny_gpt(n_head=4), checking=False, force=True)
    assert (out / "ckpt.pt").read_bytes() != before
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match=r"holds other things: thesis\.tex"):
        written(tmp_path, "nanogpt", tiny_gpt(), checking=False, force=True)
    assert (out / "thesis.tex").read_text() == "years of work"


def test_an_export_that_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = written(tmp_path, "nanogpt", tiny_gpt(), checking=False)
    before = {entry.name: entry.read_bytes() for entry in out.iterdir()}

    def breaks(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tinygpt_tui.exports.export.write_card", breaks)
    with pytest.raises(KeyboardInterrupt):
        written(tmp_path, "nanogpt", tiny_gpt(n_head=4), checking=False, force=True)
    assert {entry.name: entry.read_bytes() for entry in out.iterdir()} == before
    with pytest.raises(KeyboardInterrupt):
        export(tmp_path / "letters", FORMS["safetensors"], tmp_path / "one.safetensors")
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.name != "home") == ["letters", "out"]


def test_the_card_is_read_by_the_hub(tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    folder, _ = written(tmp_path, "safetensors", tiny_gpt())
    card = hub.ModelCard.load(folder / "README.md")
    assert card.data.pipeline_tag == "text-generation"
    assert "tinygpt-tui" in card.data.tags
    (result,) = card.data.eval_results
    assert (result.dataset_name, result.metric_value) == ("letters", 1.5)
    assert "| n_head | 2 |" in card.text


def test_the_command_says_where_and_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_model(tmp_path / "letters")
    assert run(["export", str(tmp_path / "letters"), "--to", "nanogpt", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'out'}\n"
    assert "ckpt.pt" in said.err
    assert "Verified with torch: logits differ by at most" in said.err
    assert run(["export", str(tmp_path / "letters"), "--to", "lecture", str(tmp_path / "other")]) == 2
    assert "the activation gelu" in capsys.readouterr().err
    assert (
        run(["export", str(tmp_path / "letters"), "--to", "nanogpt", "--json", "--force", str(tmp_path / "out")]) == 0
    )
    assert json.loads(capsys.readouterr().out)["files"]["meta.pkl"] > 0


def test_without_the_package_it_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingPackageError, match="needs the package onnx") as refused:
        written(tmp_path, "onnx", tiny_gpt())
    assert "[onnx]" in command_in(refused.value.hint)
