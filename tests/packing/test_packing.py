"""pack and unpack: byte by byte the same, by any engine, and refused in words where it could not be."""

from __future__ import annotations

import json
import lzma
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import tinygpt
from makers import VARIANTS, make_model

from tinygpt_tui import paths
from tinygpt_tui.errors import CorpusError, EngineError, ExitCode, TinyGPTError
from tinygpt_tui.native.library import load_exact
from tinygpt_tui.packing import predictor as predicting
from tinygpt_tui.packing.packed_file import Packed, read_packed
from tinygpt_tui.packing.packing import packing, unpacking
from tinygpt_tui.packing.predictor import ADAPTING, Predictor, open_predictor
from tinygpt_tui.progress import exhausted

STRANGE = "abba — ünknown\r\n".encode() + b"\xff\xfe\x80" + "日本".encode() + b"\xe6\x97 cab\0"


def packed_by(model: Path, data: bytes, *, adapt: bool = False) -> Packed:
    return exhausted(packing(data, open_predictor(model, adapt=adapt))).packed


def unpacked(packed: Packed, predictor: Predictor) -> bytes:
    parts: list[bytes] = []
    exhausted(unpacking(Path("x.tgp"), packed, predictor, parts.append))
    return b"".join(parts)


@pytest.mark.parametrize("variant", ["sliding", "classic", "lstm"])  # without an end, re-read by halves, by torch alone
def test_a_text_comes_back_byte_by_byte(variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "m"
    make_model(model, VARIANTS[variant])
    texts = [b"", b"a", STRANGE, b"a cab " * 9 + STRANGE * 3, np.random.default_rng(0).bytes(200)]
    native = [packed_by(model, text) for text in texts]
    assert bool(native[0].engine) == (variant == "lstm" or load_exact() is None)
    assert [unpacked(packed, open_predictor(model)) for packed in native] == texts
    if variant == "sliding":
        import torch

        monkeypatch.setattr(predicting, "load_exact", lambda: None)
        before = torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            by_torch = packed_by(model, texts[3])
            torch.set_num_threads(1)
            assert unpacked(by_torch, open_predictor(model)) == texts[3]
        finally:
            torch.set_num_threads(before)
        for error in (refusal(native[3], model), refusal(replace(by_torch, engine="torch 1.0 NEON"), model)):
            assert error.exit_code == ExitCode.ENGINE
            assert "computes other probabilities" in error.message


def test_a_copy_of_the_model_learns_on_both_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, text = tmp_path / "m", b"a cab, a bad cab, " * 20 + STRANGE
    make_model(model, VARIANTS["modern"])
    before = (model / "weights.safetensors").read_bytes()
    packed = packed_by(model, text, adapt=True)
    assert len(packed.code) < len(packed_by(model, text).code) / 2
    assert packed.engine.startswith(ADAPTING)
    assert unpacked(packed, open_predictor(model, adapt=True)) == text
    assert (model / "weights.safetensors").read_bytes() == before
    monkeypatch.setattr(predicting.np, "__version__", "1.0")
    with pytest.raises(EngineError, match="computes other probabilities"):
        unpacked(packed, open_predictor(model, adapt=True))


def refusal(packed: Packed, model: Path) -> TinyGPTError:
    with pytest.raises(TinyGPTError) as caught:
        unpacked(packed, open_predictor(model))
    return caught.value


def test_other_models_and_other_files_are_refused(tmp_path: Path) -> None:
    model, path = tmp_path / "m", tmp_path / "x.tgp"
    make_model(model, VARIANTS["sliding"])
    packed = packed_by(model, STRANGE)
    content = packed.to_bytes()
    path.write_bytes(content)
    assert read_packed(path) == packed
    make_model(model, VARIANTS["sliding"], seed=1)
    other = refusal(packed, model)
    assert other.exit_code == ExitCode.NOT_FOUND
    assert f"the model m with the mark {packed.model_mark.hex()}" in other.message
    damages = [content[:end] for end in range(len(content))] + [
        content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]
        for place in range(len(content))
        for bit in (0, 7)
    ]
    for damage in [*damages, content + b"x", b"", b"a text"]:
        path.write_bytes(damage)
        with pytest.raises(CorpusError, match=r"not a packed text|damaged|has the format"):
            read_packed(path)


def test_what_was_made_to_do_harm_ends_in_words(tmp_path: Path) -> None:
    model, path = tmp_path / "m", tmp_path / "x.tgp"
    make_model(model, VARIANTS["sliding"])
    predictor = open_predictor(model)
    packed = packed_by(model, STRANGE)
    for change in ({"size": 1 << 29}, {"size": len(STRANGE) + 1}, {"size": 3}, {"code": packed.code[:4]}):
        error = refusal(replace(packed, **change), model)
        assert error.exit_code in (ExitCode.CORPUS, ExitCode.ENGINE)
    for rest in (b"", b"\xff" * 40, b"0" * 12 + b"\xff", b"0" * 12 + b"\0\0" + b"\xff" * 20 + b"\0"):
        path.write_bytes(struct.pack("<3sBI", b"tgp", 1, zlib.crc32(rest)) + rest)
        with pytest.raises(CorpusError, match="damaged"):
            read_packed(path)
    chance = np.random.default_rng(0)
    for _ in range(20):
        parts: list[bytes] = []
        noise = replace(packed, code=chance.bytes(30), size=1 << 20)
        with pytest.raises(TinyGPTError):
            exhausted(unpacking(path, noise, predictor, parts.append))
        assert sum(map(len, parts)) < 10_000


def test_the_commands_pack_smaller_than_xz_and_leave_nothing_half(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tales = (paths.shipped_data() / "tales.txt").read_bytes()[-1500:]
    text, out, back = tmp_path / "t.txt", tmp_path / "t.tgp", tmp_path / "back.txt"
    text.write_bytes(tales)
    done = tinygpt("pack", text, "--model", "tales", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    sizes = json.loads(done.stdout)
    assert sizes["packed_bytes"] == out.stat().st_size < len(lzma.compress(tales, preset=9 | lzma.PRESET_EXTREME)) / 3
    assert sizes["bits_per_character"] == pytest.approx(out.stat().st_size * 8 / sizes["characters"])
    header = len(replace(read_packed(out), code=b"").to_bytes())
    assert sizes["nats"] / np.log(2) / 8 == pytest.approx(out.stat().st_size - header, abs=4)
    assert tinygpt("pack", text, "--model", "tales", "--out", out).returncode == ExitCode.USAGE  # is there already
    with monkeypatch.context() as patch:

        def interrupted(_: object) -> bool:
            assert any(path.name.endswith(".part") for path in tmp_path.iterdir())
            raise KeyboardInterrupt

        patch.setattr("tinygpt_tui.cli.reading.can_draw", interrupted)
        patch.setattr("tinygpt_tui.cli.reading.FIRST_S", 0)
        with pytest.raises(KeyboardInterrupt):
            tinygpt("unpack", out, "--out", back)
    assert {path.name for path in tmp_path.iterdir()} == {"t.txt", "t.tgp"}
    learned = tmp_path / "learned.tgp"
    text.write_bytes(tales[:200])
    assert tinygpt("pack", text, "--model", "tales", "--adapt", "--out", learned).returncode == 0
    assert tinygpt("unpack", learned).stdout == tales[:200].decode()  # the file says that it was learned from
    shown = tinygpt("unpack", out)
    assert shown.stdout.encode() == tales
    missing = replace(read_packed(out), model="../tales")
    out.write_bytes(missing.to_bytes())
    assert tinygpt("unpack", out, "--out", back).returncode == ExitCode.NOT_FOUND
    named = tinygpt("unpack", out, "--out", back, "--model", "tales")
    assert back.read_bytes() == tales, named.stderr
