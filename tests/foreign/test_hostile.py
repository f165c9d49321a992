"""Files that mean harm, or are only broken: an error of ours, and nothing else happens."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_programs import Lecture, NanoGPT, made
from fuzz import KINDS, fuzz

from tinygpt_tui.errors import CheckpointError, TinyGPTError
from tinygpt_tui.foreign.opening import inspect_checkpoint
from tinygpt_tui.foreign.readers.pickled import PickledObject
from tinygpt_tui.foreign.readers.pickles import TimeLimit, read_pickle
from tinygpt_tui.foreign.source import models_in


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch harm-done",)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_in_many_ways_it_is_opened_or_refused(kind: str, tmp_path: Path) -> None:
    outcome = fuzz(kind, 60, seed=7, folder=tmp_path)
    assert outcome.wrong == []
    assert outcome.files == 60
    assert outcome.refused > 10


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_what_a_pickle_asks_for_is_not_done(new: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content = {"model": made(Lecture()).state_dict(), "config": Evil()}
    torch.save(content, tmp_path / "model.pt", _use_new_zipfile_serialization=new)
    inspection = inspect_checkpoint(tmp_path / "model.pt")
    assert inspection.layout.name == "lecture"
    record = inspection.source.extras["config"]
    assert isinstance(record, PickledObject)
    assert str(record.kind) in ("posix.system", "nt.system")
    assert not (tmp_path / "harm-done").exists()


def test_a_memo_of_billions_and_a_number_without_end_are_refused() -> None:
    value, _ = read_pickle(b"\x80\x02Kar\xff\xff\xff\x7f.")  # one entry, and no table of two thousand million
    assert value == 97
    with pytest.raises(CheckpointError, match="a number of 999 bytes"):
        read_pickle(b"\x80\x02\x8b" + struct.pack("<i", 999) + b"\x01" * 999 + b".")
    copies = b"\x80\x02]q\x00(" + b"K\x01" * 50_000 + b"e" + b"0" + b"c__builtin__\nlist\nh\x00\x85R0" * 200 + b"N."
    with pytest.raises(CheckpointError, match="copies more than it holds"):
        read_pickle(copies)


def test_what_is_nested_deep_is_no_crash(tmp_path: Path) -> None:
    value, _ = read_pickle(b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".")
    del value
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", 100_000) + b"[" * 100_000)
    with pytest.raises(CheckpointError):
        inspect_checkpoint(tmp_path)


def test_a_module_within_itself_has_no_end(tmp_path: Path) -> None:
    module = torch.nn.Module()
    module.weight = torch.nn.Parameter(torch.ones(2))
    module._modules["again"] = module
    with (tmp_path / "model.pth").open("wb") as file:
        torch.save(module, file)
    with pytest.raises(CheckpointError, match="has no end"):
        inspect_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ('{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}', "does not fit its place"),
        ('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}',
         "b overlaps a"),
        ('{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,8]}}', "is made of F4"),
        ('{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}', "is not described"),
    ],
)  # fmt: skip
def test_a_safetensors_header_that_cannot_be(header: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header.encode() + bytes(16))
    with pytest.raises(CheckpointError, match=said):
        inspect_checkpoint(tmp_path)


def test_a_header_of_terabytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 40) + b"{}")
    with pytest.raises(CheckpointError, match="its header would have"):
        inspect_checkpoint(tmp_path)


def test_one_number_that_is_spread_over_a_large_tensor_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1).expand(100_000, 100_000)}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="larger than what the file holds"):
        inspect_checkpoint(tmp_path)


def test_a_thousand_views_of_one_storage_are_refused(tmp_path: Path) -> None:
    row = torch.ones(1000)
    torch.save({f"a{place}": row[place:] for place in range(500)}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="tensors overlap"):
        inspect_checkpoint(tmp_path)


def test_a_packed_pickle_that_grows_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/data.pkl", bytes(200 << 20))
    with pytest.raises(CheckpointError, match="its pickle would have"):
        inspect_checkpoint(tmp_path)


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "model", tmp_path / "secret.pth"
    inside.mkdir()
    torch.save(made(Lecture()).state_dict(), outside)
    try:
        (inside / "model.pth").symlink_to(outside)
    except OSError:
        pytest.skip("this system makes no links")
    with pytest.raises(CheckpointError, match="a link that leads out of model"):
        inspect_checkpoint(inside)


def test_an_index_that_names_files_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../secret.safetensors"}}')
    with pytest.raises(CheckpointError, match="names a file elsewhere"):
        inspect_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02", b"hello", pickle.dumps([1]), b"\x00" * 100])
def test_what_is_no_checkpoint(content: bytes, tmp_path: Path) -> None:
    for suffix in (".pt", ".safetensors"):
        path = tmp_path / f"model{suffix}"
        path.write_bytes(content)
        with pytest.raises(TinyGPTError):
            inspect_checkpoint(path)


def _tar(*members: tuple[str, int, bytes]) -> bytes:
    """A tar archive whose headers say what they like about their members' sizes."""
    whole = b""
    for name, size, content in members:
        header = bytearray(512)
        header[: len(name)] = name.encode()
        header[124:136] = f"{size:011o}\0".encode()
        header[156:157], header[257:262] = b"0", b"ustar"
        whole += bytes(header) + content + bytes(-len(content) % 512)
    return whole + bytes(1024)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("notes.txt", 3, b"abc")], "not one of torch's"),
        ([("storages", 8**11 - 1, b"x")], "ends too soon"),
        ([(f"{place}", 0, b"") for place in range(100)], "holds more than 64 files"),
        ([("tensors", 0, b""), ("pickle", 1, b"."), ("storages", 15, b"\x80\x02J\xff\xff\xff\x7f." + bytes(7))],
         "is damaged: a count"),
        ([("tensors", 0, b""), ("pickle", 1, b"."), ("../storages", 1, b".")], "not one of torch's"),
    ],
    ids=["another tar", "a size of gigabytes", "many files", "two thousand million storages", "a way out"],
)  # fmt: skip
def test_a_tar_that_lies_is_refused(members: list[tuple[str, int, bytes]], said: str, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(_tar(*members))
    with pytest.raises(CheckpointError, match=said):
        inspect_checkpoint(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


def test_names_that_would_move_a_terminals_cursor_are_quoted(tmp_path: Path) -> None:
    torch.save({"\x1b[2Jgone": torch.ones(2)}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError) as refused:
        inspect_checkpoint(tmp_path)
    assert refused.value.message.isprintable()
    assert "\\x1b[2Jgone" in refused.value.message
    torch.save({"\x1b]0;title\x07": 1, "b": 2}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError) as refused:
        inspect_checkpoint(tmp_path)
    assert "\x1b" not in refused.value.message + refused.value.hint
    torch.save({"x" * 100_000: torch.ones(2), "y": torch.ones(2)}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError) as refused:
        inspect_checkpoint(tmp_path)
    assert len(refused.value.message) < 5000


def test_a_zip_with_a_list_of_millions_is_refused_at_once(tmp_path: Path) -> None:
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"x"
    listed = entry * 400_000
    end = b"PK\x05\x06" + bytes(6) + struct.pack("<HII", 0xFFFF, len(listed), 4) + bytes(2)
    (tmp_path / "model.pt").write_bytes(b"PK\x03\x04" + listed + end)
    with pytest.raises(CheckpointError, match="millions of entries"):
        inspect_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "name", ["config.json", "merges.txt", "vocab.json", "tokenizer.model", "meta.pkl", "chars.txt"]
)
def test_no_small_file_beside_it_may_be_a_link_elsewhere(name: str, tmp_path: Path) -> None:
    folder, secret = tmp_path / "model", tmp_path / "secret"
    folder.mkdir()
    secret.write_text("the secret", encoding="utf-8")
    torch.save(made(NanoGPT(V=11, mask=True, tied=False)).state_dict(), folder / "model.pt")
    if name == "merges.txt":
        (folder / "vocab.json").write_text("{}", encoding="utf-8")
    try:
        (folder / name).symlink_to(secret)
    except OSError:
        pytest.skip("this system makes no links")
    with pytest.raises(CheckpointError, match="a link that leads out of model") as refused:
        inspect_checkpoint(folder)
    assert "the secret" not in refused.value.message


def test_a_folder_of_models_passes_over_links(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    torch.save(made(Lecture()).state_dict(), tmp_path / "secret.pt")
    try:
        (folder / "one.pt").symlink_to(tmp_path / "secret.pt")
        (folder / "all").symlink_to(tmp_path)
    except OSError:
        pytest.skip("this system makes no links")
    assert models_in(folder) == []


def _flood(keys: int, form: str) -> bytes:
    """A pickle of a dict whose keys are multiples of 2^61 - 1: all have one hash."""
    step = (1 << 61) - 1
    start, end = {"numbers": (b"", b""), "pairs": (b"K\x01", b"\x86")}[form]
    numbers = ((step * place).to_bytes(12, "little") for place in range(1, keys))
    return b"\x80\x02}(" + b"".join(start + b"\x8a\x0c" + one + end + b"N" for one in numbers) + b"u."


@pytest.mark.parametrize("form", ["numbers", "pairs"])
def test_keys_that_all_have_one_hash_are_refused_at_the_first_large_one(form: str) -> None:
    with pytest.raises(CheckpointError, match="is damaged"):  # a dict of them would take minutes
        read_pickle(_flood(100_000, form))


def test_the_time_for_a_pickle_is_bounded_as_its_steps_are() -> None:
    many = pickle.dumps(dict.fromkeys(range(5000)), protocol=2)
    assert len(read_pickle(many, limit=TimeLimit(60.0))[0]) == 5000
    for content in (many, pickle.dumps(list(range(5000)), protocol=2)):
        with pytest.raises(CheckpointError, match="takes more than"):
            read_pickle(content, limit=TimeLimit(0.0))


def test_one_model_that_cannot_be_read_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from makers import make_model

    from tinygpt_tui.checkpoints.library import find_model, list_models

    monkeypatch.setenv("TINYGPT_TUI_HOME", str(tmp_path))
    place = tmp_path / "models"
    make_model(place / "good")
    bad: dict[str, bytes] = {
        "deep": b'{"architecture":' * 5000,
        "list": b"[]",
        "words": b"\xff",
        "number": b'{"architecture":1e999}',
        "huge": b"{" + b" " * (5 << 20) + b"}",
    }
    for name, content in bad.items():
        make_model(place / name)
        (place / name / "config.json").write_bytes(content)
    if os.name == "posix":
        (place / "circle").mkdir()
        torch.save(made(NanoGPT(V=11, mask=True, tied=False)).state_dict(), place / "circle" / "model.pt")
        (place / "circle" / "meta.pkl").symlink_to("meta.pkl")
        make_model(place / "pipe")
        (place / "pipe" / "weights.safetensors").unlink()
        os.mkfifo(place / "pipe" / "weights.safetensors")
    cards = {card.name: card for card in list_models()}
    assert not cards["good"].problem
    assert {"deep", "number"} <= cards.keys()
    assert all(cards[name].problem for name in bad if name in cards)
    assert find_model("good") == place / "good"


def test_whatever_goes_wrong_with_one_entry_its_card_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from makers import make_model

    from tinygpt_tui.checkpoints import card, library

    def unforeseen(folder: Path) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setenv("TINYGPT_TUI_HOME", str(tmp_path))
    make_model(tmp_path / "models" / "one")
    torch.save(made(NanoGPT(V=11, mask=True, tied=False)).state_dict(), tmp_path / "models" / "two.pt")
    monkeypatch.setattr(card, "read_config", unforeseen)
    monkeypatch.setattr("tinygpt_tui.foreign.calibration_cache.inspect_calibrated", unforeseen)
    cards = {one.name: one for one in library.list_models()}
    for name in ("one", "two.pt"):
        assert "nobody foresaw this" in cards[name].problem


@pytest.mark.parametrize("kind", ["shape", "names"])
def test_native_weights_are_bounded_as_others_are(kind: str, tmp_path: Path) -> None:
    from makers import make_model

    from tinygpt_tui.checkpoints.native import load
    from tinygpt_tui.checkpoints.weights import read_weights

    make_model(tmp_path / "model")
    one = '{"dtype":"F32","shape":%s,"data_offsets":[0,0]}'
    header = {"shape": '{"a":' + one % ("[" + ",".join(["0"] * 1001) + "]") + "}",
              "names": "{" + ",".join(f'"a{place}":{one % "[0]"}' for place in range(60_000)) + "}"}[kind]  # fmt: skip
    weights = tmp_path / "model" / "weights.safetensors"
    weights.write_bytes(struct.pack("<Q", len(header)) + header.encode())
    for reader in (load, read_weights):
        with pytest.raises(CheckpointError, match=r"is not described|more than 20,000 tensors"):
            reader(tmp_path / "model")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no pipes in folders")
def test_a_card_says_that_weights_are_a_pipe(tmp_path: Path) -> None:
    from makers import make_model

    from tinygpt_tui.checkpoints.card import card_of

    make_model(tmp_path / "model")
    (tmp_path / "model" / "weights.safetensors").unlink()
    os.mkfifo(tmp_path / "model" / "weights.safetensors")
    assert card_of(tmp_path / "model", "yours").problem == "weights.safetensors is not a file"
