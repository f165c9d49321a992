"""`tinygpt-tui open` as people use it: what it prints, what it keeps, what it says where it cannot."""

from __future__ import annotations

import errno
import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from foreign_programs import Lecture, NanoGPT, made

from tinygpt_tui import load, paths
from tinygpt_tui.checkpoints.card import read_config
from tinygpt_tui.cli.main import run
from tinygpt_tui.errors import ExitCode

CHARACTERS = "\nabcdefghij"
FOLDER = "model-fables-12-ctx-2-lyr-3-head-600-iters-16-batch"


def tinygpt_folder(folder: Path, name: str = FOLDER, seed: int = 0) -> Path:
    """A model as TinyGPT leaves it: the whole module pickled, its characters, its sizes in the folder's name."""
    (folder / name).mkdir(parents=True)
    torch.save(made(Lecture(V=len(CHARACTERS), scale="n_embd"), seed), folder / name / "model.pth")
    (folder / name / "chars.txt").write_text("\n".join(CHARACTERS), encoding="utf-8")
    return folder / name


def nanogpt_file(folder: Path) -> Path:
    model = made(NanoGPT(V=len(CHARACTERS)))
    torch.save({"model": model.state_dict(), "model_args": model.arguments}, folder / "ckpt.pt")
    itos = dict(enumerate(CHARACTERS))
    (folder / "meta.pkl").write_bytes(pickle.dumps({"vocab_size": len(itos), "itos": itos}))
    return folder / "ckpt.pt"


def rows_of(printed: str) -> dict[str, list[str]]:
    """The table by its first column; columns are two spaces or more apart."""
    lines = [[cell for cell in line.split("  ") if cell] for line in printed.splitlines()]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines if len(cells) > 1}


def test_it_prints_layout_sizes_and_where_each_fact_comes_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = nanogpt_file(tmp_path)
    assert run(["open", str(path)]) == 0
    printed = capsys.readouterr()
    head, rows = printed.out.splitlines()[:2], rows_of(printed.out)
    numbers = sum(weight.numel() for weight in NanoGPT(V=len(CHARACTERS)).parameters())
    assert head == [str(path), f"{numbers:,} parameters, a window of 12"]
    assert rows["layout"][:2] == ["nanoGPT's", "from the tensors"]
    assert rows["n embd"] == ["24", "from the tensors", "transformer.wte.weight"]
    assert rows["n head"] == ["4", "from the file", "model_args"]
    assert rows["vocabulary"] == ["11 characters", "from a file beside it", "meta.pkl"]
    assert rows["qkv order"][:2] == ["qkv", "convention"]  # no text here has these characters alone
    assert "--keep NAME" in printed.err


def test_as_json_it_is_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["open", str(nanogpt_file(tmp_path)), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["layout"], found["architecture"]["n_head"], found["kept"]) == ("nanogpt", 4, None)
    fact = {
        "name": "n_head",
        "value": "4",
        "source": "file",
        "detail": "model_args",
        "doubt": "",
        "assumed": "",
        "nearly": False,
    }
    assert fact in found["facts"]


def test_what_the_user_knows_better_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["open", str(nanogpt_file(tmp_path)), "--n-head", "2", "--qkv-order", "kqv"]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert (rows["n head"], rows["qkv order"]) == (["2", "typed"], ["kqv", "typed"])


def test_a_folders_name_is_a_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["open", str(tinygpt_folder(tmp_path))]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert rows["corpus"] == ["fables", "from the folder's name"]
    assert rows["steps"] == ["600", "from the folder's name"]
    assert rows["n head"] == ["3", "from the tensors", "counted"]
    assert "name says" not in rows


def test_a_folders_name_that_lies_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tinygpt_folder(tmp_path, FOLDER.replace("2-lyr", "7-lyr"))
    assert run(["open", str(path)]) == 0
    assert rows_of(capsys.readouterr().out)["name says"] == ["n layer 7", "from the folder's name", "it is 2"]


def test_a_folders_name_tells_the_heads_that_shapes_do_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir()
    torch.save(made(NanoGPT(V=11, H=3)).state_dict(), folder / "model.pt")
    assert run(["open", str(folder)]) == 0
    assert rows_of(capsys.readouterr().out)["n head"] == ["3", "from the folder's name"]


def test_a_saved_one_is_a_native_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tinygpt_folder(tmp_path)
    assert run(["open", str(path), "--keep", "fables"]) == 0
    assert "saved as fables; to write with it: tinygpt-tui generate fables" in capsys.readouterr().err
    assert read_config(paths.models_folder() / "fables").architecture.block_size == 12
    ours, theirs = load("fables"), load(path)
    torch.testing.assert_close(ours.logits("abc"), theirs.logits("abc"))
    assert run(["open", str(path), "--keep", "fables"]) == ExitCode.USAGE
    assert "a model named fables already exists" in capsys.readouterr().err
    assert run(["open", "fables"]) == 0
    assert "a model in the native format" in capsys.readouterr().out


def test_saving_on_a_full_disk_leaves_its_name_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tinygpt_folder(tmp_path)
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        assert run(["open", str(path), "--keep", "fables"]) == ExitCode.STORAGE
    assert not list(paths.models_folder().iterdir())
    (paths.models_folder() / "ghost" / "run").mkdir(parents=True)
    assert run(["open", str(path), "--keep", "ghost"]) == ExitCode.USAGE  # a folder, and no model


def test_a_folder_of_models_is_saved_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "models"
    names = [FOLDER, FOLDER.replace("fables", "poems")]
    for seed, name in enumerate(names):
        tinygpt_folder(folder, name, seed)
    (folder / "broken").mkdir()
    (folder / "broken" / "model.pth").write_bytes(b"PK\x03\x04 nothing")
    assert run(["open", str(folder), "--keep"]) == ExitCode.CHECKPOINT
    printed = capsys.readouterr()
    assert printed.out.count("the lecture's (one Linear per head)") == 2
    assert "model.pth is damaged" in printed.err
    assert sorted(path.name for path in paths.models_folder().iterdir()) == sorted(names)
    assert run(["open", str(folder), "--keep", "one"]) == ExitCode.USAGE
    assert "use --keep without a name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (None, ExitCode.NOT_FOUND, "no model is called"),
        (b"", ExitCode.CHECKPOINT, "copy or download it again"),
        (b"just text", ExitCode.CHECKPOINT, "give the file with the weights"),
    ],
)
def test_what_cannot_be_opened_comes_with_a_way_out(
    content: bytes | None, code: ExitCode, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.pt"
    if content is not None:
        path.write_bytes(content)
    assert run(["open", str(path)]) == code
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""
    assert len(printed.err.splitlines()) >= 2  # what was found, and what to do


def test_a_vocabulary_with_a_name_that_is_too_long_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["open", str(nanogpt_file(tmp_path)), "--vocabulary", f"{'x' * 300}.json"]) == ExitCode.STORAGE
    assert "x.json" in capsys.readouterr().err


def test_a_vocabulary_that_does_not_fit_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "letters.txt").write_text("abcdefghijklmnop", encoding="utf-8")
    arguments = ["open", str(nanogpt_file(tmp_path)), "--vocabulary", str(tmp_path / "letters.txt")]
    assert run(arguments) == ExitCode.CHECKPOINT
    assert "letters.txt has 16 tokens, the model 11" in capsys.readouterr().err


def test_the_hub_offline_is_said_in_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    constants = pytest.importorskip("huggingface_hub.constants", reason="huggingface_hub is not installed")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert run(["open", "hf:nobody/nothing-of-that-name"]) == ExitCode.DOWNLOAD
    assert "HF_HUB_OFFLINE" in capsys.readouterr().err


def test_what_is_tried_is_printed_and_what_was_measured_is_not_measured_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYGPT_TUI_HOME", str(tmp_path / "home"))
    folder = tinygpt_folder(tmp_path)
    assert run(["open", str(folder), "--json", "--progress"]) == 0
    first = capsys.readouterr()
    assert "trying pre-norm, scale 1/√" in first.err or "trying its loss on texts" in first.err
    assert run(["open", str(folder), "--json", "--progress"]) == 0
    again = capsys.readouterr()
    assert again.out == first.out
    assert "trying" not in again.err
