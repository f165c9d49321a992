"""A model folder opens as it was written, or says what is wrong and what to do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from makers import CLASSIC, LECTURE, MODERN, make_model, random_ids, random_model, tiny_gpt

from tinygpt_tui.checkpoints.card import CONFIG, TOKENIZER, WEIGHTS, card_of, read_config
from tinygpt_tui.checkpoints.native import load, write_beginning, write_weights
from tinygpt_tui.errors import CheckpointError, StorageError
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.model_config import TrainedOn
from tinygpt_tui.tokenizers.char import CharTokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole model folder."""
    make_model(tmp_path / "net")
    return tmp_path / "net"


@pytest.mark.parametrize("settings", [CLASSIC, LECTURE, MODERN], ids=["tied", "untied", "modern"])
@torch.no_grad()
def test_a_round_trip(tmp_path: Path, settings: GPTSettings) -> None:
    model = make_model(tmp_path / "net", settings)
    ids = torch.tensor([random_ids(8)])
    opened = load(tmp_path / "net")
    assert torch.equal(opened.model(ids), model(ids))
    assert opened.config.trained == TrainedOn(corpus="letters", step=7, validation_loss=1.5)
    assert opened.config.parameters == model.count_parameters()
    assert opened.tokenizer.encode("abc") == [2, 3, 4]
    kept = safetensors.torch.load_file(tmp_path / "net" / WEIGHTS)
    assert ("lm_head.weight" in kept) is not settings.tied_head
    assert sum(tensor.numel() for tensor in kept.values()) == model.count_parameters()
    assert sorted(path.name for path in (tmp_path / "net").iterdir()) == sorted((CONFIG, TOKENIZER, WEIGHTS))


def test_a_tied_model_stays_tied(folder: Path) -> None:
    model = load(folder).model
    assert model.lm_head.weight is model.transformer["wte"].weight


def test_opening_uses_nobody_elses_random_numbers(folder: Path) -> None:
    before = torch.get_rng_state()
    load(folder)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_in_half_precision_are_read(folder: Path) -> None:
    kept = safetensors.torch.load_file(folder / WEIGHTS)
    safetensors.torch.save_file({name: tensor.half() for name, tensor in kept.items()}, folder / WEIGHTS)
    assert load(folder).model.lm_head.weight.dtype == torch.float32


def edit(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def edit_config(**changes: object) -> Callable[[Path], object]:
    return edit(CONFIG, lambda content: json.dumps({**json.loads(content), **changes}).encode())


def edit_net(**changes: object) -> Callable[[Path], object]:
    def change(content: bytes) -> bytes:
        config = json.loads(content)
        config["architecture"] |= changes
        return json.dumps(config).encode()

    return edit(CONFIG, change)


def rename_tensor(folder: Path) -> None:
    kept = safetensors.torch.load_file(folder / WEIGHTS)
    kept["transformer.h.0.gate.weight"] = kept.pop("transformer.h.0.mlp.c_fc.weight")
    safetensors.torch.save_file(kept, folder / WEIGHTS)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights cut off": (edit(WEIGHTS, lambda content: content[: len(content) // 2]), "damaged"),
    "weights empty": (edit(WEIGHTS, lambda content: b""), "damaged"),
    "weights of zeros": (edit(WEIGHTS, lambda content: bytes(len(content))), "damaged"),
    "weights missing": (lambda folder: (folder / WEIGHTS).unlink(), "no weights yet"),
    "weights renamed": (rename_tensor, r"missing: transformer.h.0.mlp.c_fc.weight; unknown: transformer.h.0.gate"),
    "tokenizer missing": (lambda folder: (folder / TOKENIZER).unlink(), TOKENIZER),
    "tokenizer garbage": (edit(TOKENIZER, lambda content: b"\xff{"), "damaged"),
    "tokenizer a list": (edit(TOKENIZER, lambda content: b"[]"), "damaged"),
    "tokenizer unknown": (edit(TOKENIZER, lambda content: b'{"name": "runes"}'), "no tokenizer is called 'runes'"),
    "tokenizer of another": (
        edit(TOKENIZER, lambda content: json.dumps(CharTokenizer("abc").to_dict()).encode()),
        "knows 3 tokens, the model 13",
    ),
    "config missing": (lambda folder: (folder / CONFIG).unlink(), "is not a model"),
    "config empty": (edit(CONFIG, lambda content: b""), "cannot be read"),
    "config garbage": (edit(CONFIG, lambda content: b"\x80\x02}q\x00."), "cannot be read"),
    "config broken text": (edit(CONFIG, lambda content: b'{"format": 1, "architecture": "\xff"}'), "cannot be read"),
    "config cut off": (edit(CONFIG, lambda content: content[:-20]), "cannot be read"),
    "config of the future": (edit_config(format=2), "newer version"),
    "unknown architecture": (edit_net(name="mamba"), "cannot be read"),
    "unknown setting": (edit_net(gate=True), "cannot be read"),
    "setting out of range": (edit_net(n_layer=-1), "cannot be read"),
    "heads that do not divide": (edit_net(n_head=3), "must be divisible by n head"),
    "other width": (edit_net(n_embd=32), "other shape"),
    "more layers": (edit_net(n_layer=3), "missing"),
    "fewer layers": (edit_net(n_layer=1), "unknown"),
    "more than there is memory": (edit_net(n_layer=48, n_embd=4096, block_size=8192), "do not fit"),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_said_with_a_way_out(folder: Path, damage: Callable[[Path], object], said: str) -> None:
    damage(folder)
    with pytest.raises(CheckpointError, match=said) as caught:
        load(folder)
    assert caught.value.hint
    assert "net" in caught.value.message or "no tokenizer" in caught.value.message


@pytest.mark.parametrize("damage", [damage for damage, _ in DAMAGES.values()], ids=DAMAGES.keys())
def test_a_damaged_folder_has_a_card_all_the_same(folder: Path, damage: Callable[[Path], object]) -> None:
    damage(folder)
    card = card_of(folder, "yours")
    assert (card.name, card.path) == ("net", str(folder))


def test_a_model_without_weights_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    write_beginning(folder, CLASSIC, 1, CharTokenizer("\nabcdefghijkl"))
    assert card_of(folder, "yours").problem == "no weights yet"
    assert read_config(folder).trained is None


def test_a_file_is_no_model(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a model"):
        load(folder / WEIGHTS)


def test_a_config_that_may_not_be_read_has_a_card(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert "permission" in card_of(folder, "yours").problem


def test_new_weights_that_cannot_be_written_leave_the_old_ones(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    def refuse(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    before = (folder / WEIGHTS).read_bytes()
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError):
        write_weights(folder, random_model(CLASSIC, 9), TrainedOn(corpus="c", step=9, validation_loss=1.0))
    monkeypatch.undo()
    assert (folder / WEIGHTS).read_bytes() == before
    assert load(folder).config.trained == TrainedOn(corpus="letters", step=7, validation_loss=1.5)


def test_the_card_says_what_the_folder_holds(folder: Path) -> None:
    card = card_of(folder, "shipped")
    assert (card.architecture, card.block_size, card.vocab_size, card.problem) == ("gpt", 8, 13, "")
    assert card.size_bytes == (folder / WEIGHTS).stat().st_size
    assert card.parameters == random_model(tiny_gpt()).count_parameters()
