"""An adapter is trained and its base stays; with it, it is a model like any other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from makers import CLASSIC, GPT_VARIANTS, LECTURE, MODERN, TEXT, VARIANTS, make_model, make_run, tiny_gpt
from safetensors.numpy import load_file

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.card import WEIGHTS, card_of, read_config
from tinygpt_tui.checkpoints.library import find_model, list_models
from tinygpt_tui.checkpoints.mixes import weighed
from tinygpt_tui.checkpoints.native import load
from tinygpt_tui.checkpoints.stored import read_folder
from tinygpt_tui.cli.main import run as tinygpt
from tinygpt_tui.errors import CheckpointError, ExitCode, UsageError
from tinygpt_tui.events.training import Evaluation, RunEnded, Step
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.training.fine_tuning import origin_of
from tinygpt_tui.training.run import run_training
from tinygpt_tui.workers.models import open_model

BASES = {
    "gpt with biases": LECTURE,
    "gpt with tables": MODERN,
    "rnn": VARIANTS["rnn"],
    "backpack": VARIANTS["backpack"],
}
LETTERS = "".join(f"bad cafe {a} jig\nhide {b}\n" for a in ("bead", "face", "cage") for b in ("dig", "kid")) * 40


def make_adapter(settings: ArchitectureSettings, name: str = "diary", text: str = TEXT, **changes: object) -> RunFolder:
    """Make a run of an adapter of a random model `base`, with another dropout."""
    base = paths.models_folder() / "base"
    if not base.is_dir():
        make_model(base, settings)
    chosen = {"lora": 2, "steps": 24, "evaluate_every": 12, "calibration_share": 0.4, **changes}
    run = make_run(name, text, **chosen)
    origin, written = origin_of("base"), run.read_settings()
    free = {"dropout": 0.01} if "dropout" in origin.architecture.__struct_fields__ else {}
    architecture = msgspec.structs.replace(origin.architecture, vocab_size=origin.vocabulary_for(text).size, **free)
    training = msgspec.structs.replace(written.training, architecture=architecture)
    run.write_settings(msgspec.structs.replace(written, training=training, start=origin.model))
    return run


@pytest.mark.parametrize("name", BASES)
def test_it_is_small_and_its_base_stays(name: str) -> None:
    run = make_adapter(BASES[name])
    weights = paths.models_folder() / "base" / WEIGHTS
    before = weights.read_bytes()
    events = list(run_training(run.model))
    assert isinstance(events[-1], RunEnded)
    assert events[-1].reason == "finished", events[-1].message
    first, *_, last = (event for event in events if isinstance(event, Evaluation))
    assert last.best_loss < first.validation_loss
    assert weights.read_bytes() == before
    stored = load_file(run.model / WEIGHTS)
    assert {name.rpartition(".")[2] for name in stored} == {"lora_A", "lora_B", "new_rows"}
    # What is opened is what was measured, by whichever engine; merged it is the same model without its base.
    model = load(run.model)
    assert read_config(run.model).calibration is not None
    uncalibrated = read_folder(run.model, calibrated=False)
    state = torch.load(run.resume, weights_only=True)
    if last.best_step == last.step:
        for key, tensor in state["model"].items():
            torch.testing.assert_close(torch.from_numpy(uncalibrated.weights[key]), tensor)
    ids = [model.tokenizer.encode("the old cat")[:8]]
    with torch.inference_mode():
        wanted = model.model(torch.tensor(ids))[0, -1].numpy()
    assert tinygpt(["open", "diary", "--keep", "merged"]) == ExitCode.OK
    (paths.models_folder() / "base").rename(paths.models_folder() / "renamed")
    with torch.inference_mode():
        np.testing.assert_array_equal(load(run.model).model(torch.tensor(ids))[0, -1].numpy(), wanted)
    shutil.rmtree(paths.models_folder() / "renamed")
    opened = open_model(paths.models_folder() / "merged").new_engine()
    np.testing.assert_allclose(opened.prefill(ids[0]), wanted, rtol=1e-4, atol=1e-4)
    with pytest.raises(CheckpointError, match="adapter of base, which is not here"):
        load(run.model)


@pytest.mark.parametrize("lora_matrices", ["attention", "mlp"])
def test_resumed_it_is_what_it_would_have_been(lora_matrices: str) -> None:
    text = TEXT.replace("cat", "quiz")  # q and z are new to the base
    straight = make_adapter(MODERN, "straight", text, lora_matrices=lora_matrices)
    list(run_training(straight.model))
    chosen = {"attention": ".attn.", "mlp": ".mlp."}[lora_matrices]
    tables = {"transformer.wte.weight.new_rows", "lm_head.weight.new_rows"}
    assert all(chosen in name or name in tables for name in load_file(straight.model / WEIGHTS))
    stopped = make_adapter(MODERN, "stopped", text, lora_matrices=lora_matrices)
    for event in run_training(stopped.model):
        if isinstance(event, Step) and event.step == 15:
            Control(stopped.control).send("stop")
    # A run needs its base no more once it has started: the state to resume from has all of it.
    shutil.move(paths.models_folder() / "base", paths.models_folder() / "elsewhere")
    assert isinstance(list(run_training(stopped.model))[-1], RunEnded)
    shutil.move(paths.models_folder() / "elsewhere", paths.models_folder() / "base")
    one, other = (torch.load(run.resume, weights_only=True) for run in (straight, stopped))
    for part in ("model", "adapter", "base"):
        assert one[part].keys() == other[part].keys()
        assert all(torch.equal(tensor, other[part][name]) for name, tensor in one[part].items())
    assert (straight.model / WEIGHTS).read_bytes() == (stopped.model / WEIGHTS).read_bytes()
    assert [card.name for card in list_models()][:3] == ["base", "stopped", "straight"]


def test_only_to_the_weights_that_it_was_trained_on_can_it_be_added() -> None:
    run = make_adapter(LECTURE, steps=2, evaluate_every=2)
    list(run_training(run.model))
    base = paths.models_folder() / "base"
    make_model(base, LECTURE, seed=1)
    with pytest.raises(CheckpointError, match=r"diary is an adapter of base, and that model's weights have changed"):
        load(run.model)
    later = make_adapter(LECTURE, "later", steps=2, evaluate_every=2)
    list(run_training(later.model))
    with pytest.raises(UsageError, match="later was trained on other weights of base than diary"):
        find_model("base+diary+later")
    config = read_config(run.model)
    assert config.adapter is not None
    (run.model / "config.json").write_bytes(
        msgspec.json.encode(
            msgspec.structs.replace(config, adapter=msgspec.structs.replace(config.adapter, path=str(run.model)))
        )
    )
    with pytest.raises(CheckpointError, match="and so on without end"):
        load(run.model)


def test_adapters_are_weighted_and_mixed(capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (("old", LETTERS), ("new", TEXT), ("other", TEXT)):
        list(run_training(make_adapter(LECTURE, name, text, steps=6, evaluate_every=6, learning_rate=0.1).model))
    base, old, new = (read_folder(find_model(name), calibrated=False).weights for name in ("base", "old", "new"))
    path = find_model("base+old:0.5+new:2")
    mixed = read_folder(path)
    for name, numbers in base.items():
        changed = 0.5 * (old[name] - numbers) + 2 * (new[name][: len(numbers)] - numbers)
        np.testing.assert_allclose(mixed.weights[name][: len(numbers)], numbers + changed, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(mixed.weights[name][len(numbers) :], new[name][len(numbers) :])
    assert mixed.tokenizer.encode("the cat") == read_folder(find_model("new")).tokenizer.encode("the cat")
    assert open_model(path).new_engine().prefill([1, 2]).shape == (mixed.tokenizer.size,)
    assert not card_of(path, "yours").problem
    written = path.joinpath("config.json").stat().st_mtime_ns
    assert find_model("old:0.5+new:2") == path  # the base goes without saying, and nothing is written again
    assert path.joinpath("config.json").stat().st_mtime_ns == written
    assert weighed("base+old", -0.1) == "base+old:0.9"
    assert find_model(weighed(path.name, 0.5)).name == "base+old×0.5+new×2.5"
    assert tinygpt(["generate", "base+old:0.3", "--prompt", "bad", "--max-new-tokens", "3"]) == ExitCode.OK
    for name, problem in {
        "base+new+other": "new and other have characters of their own",
        "base+tales": "tales is no adapter",
        "old:much": "'much' is not a number",
        "old:11": "must be at most 10",
        "base+old+shakespeare": "shakespeare is no adapter of base",
    }.items():
        capsys.readouterr()
        assert tinygpt(["generate", name]) == ExitCode.USAGE
        assert problem in capsys.readouterr().err


@pytest.mark.parametrize(
    "base", [tiny_gpt(attention_scale="n_embd", tied_head=True), GPT_VARIANTS["llama"]], ids=["gpt2", "llama"]
)
def test_peft_makes_the_same_of_it(base: ArchitectureSettings, tmp_path: Path) -> None:
    list(
        run_training(
            make_adapter(
                base, text=LETTERS, steps=6, evaluate_every=6, lora=3, learning_rate=0.1, calibration_share=0.0
            ).model
        )
    )
    for model, name, *flags in (("base", "base"), ("diary", "merged"), ("diary", "adapter", "--adapter")):
        arguments = ["export", model, str(tmp_path / name), "--to", "hf", "--no-check", *flags]
        assert tinygpt(arguments) == ExitCode.OK
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_bytes())
    adapter = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    found = load_file(tmp_path / "base" / "model.safetensors")
    for module in config["target_modules"]:  # as peft's LoraLayer.get_delta_weight computes it
        down, up = (adapter.pop(f"base_model.model.{module}.lora_{part}.weight") for part in "AB")
        delta = config["lora_alpha"] / config["r"] * (up @ down)
        found[f"{module}.weight"] = found[f"{module}.weight"] + (delta.T if config["fan_in_fan_out"] else delta)
    assert not adapter
    for name, numbers in load_file(tmp_path / "merged" / "model.safetensors").items():
        np.testing.assert_allclose(found[name], numbers, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "form", "problem"),
    [
        ("base", "hf", "base is not an adapter"),
        ("diary", "nanogpt", "nanogpt has no adapters"),
        ("diary", "hf", "diary has characters that base does not know"),
    ],
)
def test_what_peft_has_no_place_for_is_refused(
    model: str, form: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    list(run_training(make_adapter(CLASSIC, steps=1, evaluate_every=1).model))
    assert tinygpt(["export", model, str(tmp_path / "x"), "--to", form, "--adapter"]) == ExitCode.USAGE
    assert problem in capsys.readouterr().err


def test_a_run_says_why_it_can_have_no_adapter(capsys: pytest.CaptureFixture[str]) -> None:
    *_, ended = run_training(make_adapter(VARIANTS["bigram"]).model)
    assert isinstance(ended, RunEnded)
    assert "this bigram has no matrices for an adapter" in ended.message
    assert tinygpt(["train", "--corpus", "tales", "--lora", "--dry-run"]) == ExitCode.USAGE
    assert "needs a model to start from" in capsys.readouterr().err
    assert tinygpt(["train", "--from", "shakespeare", "--corpus", "tales", "--lora", "--dry-run"]) == ExitCode.OK
