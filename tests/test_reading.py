"""What anyone may have written is read in one place: regular files, bounded, and damage is one kind of error."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

import tinygpt_tui
from tinygpt_tui import reading
from tinygpt_tui.checkpoints.library import find_model
from tinygpt_tui.corpora.catalog import find_corpus
from tinygpt_tui.errors import StorageError, storage_error
from tinygpt_tui.reading import Damage, decode, decode_halves, decode_toml, read_bytes, read_json

PACKAGE = Path(tinygpt_tui.__file__).parent
DEEP = b'{"a":' * 100_000
# Where msgspec, json or a plain open may be used: what only this program's own developers have written.
DECODERS = {"json.loads", "json.load", "tomllib.loads", "tomllib.load", "msgspec.convert"} | {
    f"msgspec.{form}.{name}" for form in ("json", "toml", "msgpack", "yaml") for name in ("decode", "Decoder")
}
OWN_FILES = {
    "server/page.py",  # page.html
    "native/library.py",  # gpt.c
    "exports/hugging_face.py",  # modeling_tinygpt.py
    "platforms.py",  # /proc
    "corpora/catalog.py",  # the shipped catalogue
    "corpora/notation.py",  # the grammar of its tales
    "foreign/calibration_texts.py",  # and its like
    "files.py",  # what it has just written
    "cli/publish.py",  # a card that it has just written
    "measuring/records.py",  # records.toml
}


class Leaf(msgspec.Struct, frozen=True):
    number: int = 0


class Branch(msgspec.Struct):
    leaf: Leaf = Leaf()
    more: list[Leaf] = []


def _calls() -> Iterator[tuple[str, str]]:
    """Every call in the package by its dotted name, with the file."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield file.relative_to(PACKAGE).as_posix(), ast.unparse(node.func)


def test_nothing_is_decoded_elsewhere() -> None:
    elsewhere = {(file, call) for file, call in _calls() if call in DECODERS and file != "reading.py"}
    assert not elsewhere


def test_no_file_is_read_whole_elsewhere() -> None:
    elsewhere = {
        file for file, call in _calls() if call.endswith((".read_bytes", ".read_text")) and "reading." not in call
    }
    assert elsewhere <= OWN_FILES


@contextmanager
def _pipe(folder: Path) -> Iterator[Path]:
    os.mkfifo(folder / "unfit")
    yield folder / "unfit"


@contextmanager
def _socket(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as made:  # a socket's path must be short
        made.bind(f"{short}/unfit")
        yield Path(short, "unfit")


@contextmanager
def _device(folder: Path) -> Iterator[Path]:
    yield Path("/dev/zero")


@contextmanager
def _circle(folder: Path) -> Iterator[Path]:
    (folder / "unfit").symlink_to("unfit")
    yield folder / "unfit"


@contextmanager
def _sparse(folder: Path) -> Iterator[Path]:
    with (folder / "unfit").open("wb") as file:
        file.truncate(200 << 30)
    yield folder / "unfit"


UNFIT: dict[str, tuple[Callable[[Path], Any], str]] = {
    "pipe": (_pipe, "is a pipe"),
    "socket": (_socket, "is a socket"),
    "device": (_device, "is a device"),
    "a link to itself": (_circle, "leads to itself"),
    "a file of 200 GB": (_sparse, "larger than 1 MB"),
}


@pytest.mark.skipif(os.name != "posix", reason="Windows has none of these")
@pytest.mark.parametrize(("made", "said"), UNFIT.values(), ids=UNFIT.keys())
def test_what_is_no_regular_file_is_refused_at_once(made: Callable[[Path], Any], said: str, tmp_path: Path) -> None:
    with made(tmp_path) as path, pytest.raises(OSError) as caught:  # noqa: PT011 - the words are looked at below
        read_bytes(path, 1 << 20)
    error = storage_error(caught.value, path)
    assert said in error.message
    assert error.hint


@pytest.mark.skipif(os.name != "posix", reason="Windows has none of these")
@pytest.mark.parametrize("find", [find_model, find_corpus])
@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "a link to itself"])
def test_what_is_no_file_is_named_where_a_model_or_a_text_is_expected(
    find: Callable[[str], Any], kind: str, tmp_path: Path
) -> None:
    made, said = UNFIT[kind]
    with made(tmp_path) as path, pytest.raises(StorageError, match=said):
        find(str(path))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", DEEP, b"[" * 100_000, b'{"number":"x"}', b"[]", b"1e999", b"9" * 5000, b'"\\ud800"', b"nan"],
)
@pytest.mark.parametrize("read", [decode, decode_halves, decode_toml])
def test_damage_is_one_kind_of_error(read: Callable[[bytes, Any], Any], content: bytes) -> None:
    with pytest.raises(Damage):
        read(content or b"[", Leaf)


def test_a_file_is_read_as_a_kind(tmp_path: Path) -> None:
    (tmp_path / "leaf.json").write_text('{"number": 3}', encoding="utf-8")
    assert read_json(tmp_path / "leaf.json", Leaf) == Leaf(3)
    with pytest.raises(OSError, match="larger than 5 bytes"):
        read_json(tmp_path / "leaf.json", Leaf, 5)
    assert decode_halves(b'"a\xed\xa0\x80b"', str) == "a\ud800b"


# Four threads use new types of structs for the first time, again and again. Without the lock this ends the process.
RACE = """
import json, sys, threading
import msgspec
from tinygpt_tui import reading
sys.setswitchinterval(1e-5)

def struct(name, fields):
    return type(name, (msgspec.Struct,), {"__annotations__": fields})

def read(kind):
    barrier.wait()
    reading.decode(content, kind)

content = json.dumps({f"f{n}": {f"f{i}": 1 for i in range(9)} for n in range(9)}).encode()
for turn in range(100):
    kind = struct("O", {f"f{n}": struct(f"I{n}", {f"f{i}": "int" for i in range(9)}) for n in range(9)})
    barrier = threading.Barrier(4)
    threads = [threading.Thread(target=read, args=(kind,)) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


def test_threads_that_use_a_struct_for_the_first_time_together() -> None:
    done = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_decoder_is_made_once() -> None:
    assert reading.decoder(Branch) is reading.decoder(Branch)
    assert decode(b'{"leaf":{"number":1}}', Branch).leaf.number == 1
