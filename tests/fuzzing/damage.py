"""What the fuzzer does to a file: bytes, and values in JSON, are changed, cut out, repeated."""

from __future__ import annotations

import copy
import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

EDGES = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff" * 4,
    b"\x00\x00\x00\x80",
    b"\xff" * 8,
    *map(bytes, (b".", b"R", b"c")),
)
STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**63, 10**30, 1e308, "", "x", "../../etc/passwd", "\ud800", [], {}, [[]], [-1, 2],
    [2**40, 2**40],
)  # fmt: skip


def damage_bytes(content: bytes, chance: random.Random) -> bytes:
    """Return `content` with one to four things wrong."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(data)) if data else 0
        match chance.randrange(6):
            case 0 if data:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at : at + 1] = chance.choice(EDGES)
            case 2:
                del data[at : at + chance.choice((1, 2, 8, 64))]
            case 3:
                piece = data[at : at + chance.choice((1, 4, 16, 256))]
                data[at:at] = piece * chance.choice((1, 2, 50))
            case 4:
                del data[at:]
            case _:
                data[at:at] = bytes(chance.randrange(256) for _ in range(chance.choice((1, 3, 9))))
    return bytes(data)


def damage_json(content: bytes, chance: random.Random) -> bytes:
    """Return JSON with a value, a key or a byte changed."""
    if chance.random() < 0.3:
        return damage_bytes(content, chance)
    value = json.loads(content)
    for _ in range(chance.choice((1, 1, 2))):
        holder = chance.choice(list(_holders(value)))
        if isinstance(holder, dict) and holder:
            key = chance.choice(list(holder))
            if chance.random() < 0.2:
                holder[chance.choice(("", "a", key + "x"))] = holder.pop(key)
            else:
                holder[key] = copy.deepcopy(chance.choice(STRANGE))
        elif isinstance(holder, list) and holder:
            holder[chance.randrange(len(holder))] = copy.deepcopy(chance.choice(STRANGE))
    if chance.random() < 0.02:
        return b"[" * 100_000
    return json.dumps(value).encode("utf-8", "replace")


def _holders(value: Any) -> Iterator[Any]:
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(inner, dict | list):
            yield from _holders(inner)


def damage_zip(name: str) -> Callable[[dict[str, bytes], random.Random], None]:
    def damage(files: dict[str, bytes], chance: random.Random) -> None:
        if chance.random() < 0.4:
            files[name] = damage_bytes(files[name], chance)
            return
        # The pickle inside, in a zip that is whole: this is what reaches the reader of pickles.
        whole = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(files[name])) as old, zipfile.ZipFile(whole, "w") as new:
            for entry in old.infolist():
                content = old.read(entry)
                if entry.filename.endswith("data.pkl"):
                    content = damage_bytes(content, chance)
                new.writestr(entry.filename, content)
        files[name] = whole.getvalue()

    return damage


def damage_plain(*names: str) -> Callable[[dict[str, bytes], random.Random], None]:
    def damage(files: dict[str, bytes], chance: random.Random) -> None:
        name = chance.choice([name for name in names if name in files])
        files[name] = (damage_json if name.endswith(".json") else damage_bytes)(files[name], chance)

    return damage


def damage_safetensors(files: dict[str, bytes], chance: random.Random) -> None:
    content = files["model.safetensors"]
    if chance.random() < 0.3:
        files["model.safetensors"] = damage_bytes(content, chance)
        return
    length = int.from_bytes(content[:8], "little")
    header = damage_json(content[8 : 8 + length], chance)
    files["model.safetensors"] = len(header).to_bytes(8, "little") + header + content[8 + length :]
