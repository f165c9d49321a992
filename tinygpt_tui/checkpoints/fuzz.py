"""Damages checkpoints in thousands of ways and opens each: `python -m tinygpt_tui.checkpoints.fuzz --count 10000`.

Whatever a file holds, opening it must end in a model or in an error of ours, soon, within bounded memory, and without
running anything. An audit hook of the interpreter watches for what would be code.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import pickle
import random
import struct
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinygpt_tui.checkpoints.opening import describe
from tinygpt_tui.errors import TinyGPTError

LONGEST_S = 5.0  # of processor time for one file
MEMORY = 1 << 30  # bytes beyond what the process has at its start
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
CODE = frozenset(
    {"pickle.find_class", "exec", "compile", "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.remove",
     "os.rename", "os.putenv", "socket.connect", "ctypes.dlopen", "marshal.loads"}
)  # fmt: skip
IMPORTING = frozenset({"exec", "compile", "marshal.loads"})
OWN = sys.stdlib_module_names | {"tinygpt_tui", "tokenizers", "numpy"}
STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**63, 10**30, 1e308, "", "x", "../../etc/passwd", "\ud800", [], {}, [[]], [-1, 2],
    [2**40, 2**40],
)  # fmt: skip


class _Evil:
    """Would run a command when it is unpickled by a reader that believes it."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("echo this must never be seen >&2",)


@dataclass
class Outcome:
    """How many files were opened, how many refused, and what should not have happened."""

    opened: int = 0
    refused: int = 0
    crashed: int = 0
    slowest_s: float = 0.0
    wrong: list[str] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)

    @property
    def files(self) -> int:
        """How many there were."""
        return self.opened + self.refused + self.crashed


class _Watch:
    """Sees what the interpreter is asked to do while a file is opened.

    Where a part of Python itself is imported for the first time (a codec, say), its code is run: that is no sin.
    """

    def __init__(self) -> None:
        self.on, self.seen, self._importing = False, list[str](), False
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "import" and str(arguments[0]).partition(".")[0] in OWN:
            self._importing = True
        elif event in IMPORTING and self._importing:
            return
        elif event in CODE:
            self.seen.append(event)


_watch: list[_Watch] = []  # a hook cannot be taken away again: there is one


def fuzz(kind: str, count: int, seed: int, folder: Path) -> Outcome:
    """Open `count` damaged files of a kind in `folder`; those that go wrong are left there."""
    if not _watch:
        _watch.append(_Watch())
    make, damage = KINDS[kind]
    originals = make()
    chance = random.Random(f"{kind} {seed}")
    outcome = Outcome()
    place = folder / kind
    place.mkdir(parents=True, exist_ok=True)
    for original in originals:  # what is imported is imported now; and none of them is wrong
        _write(place, original)
        _open(place)
    for number in range(count):
        files = dict(chance.choice(originals))
        damage(files, chance)
        _judge(outcome, place, files, f"{kind} {seed} {number}")
    return outcome


def _judge(outcome: Outcome, place: Path, files: dict[str, bytes], name: str) -> None:
    watch = _watch[0]
    watch.seen.clear()
    began = time.process_time()
    _write(place, files)
    watch.on = True
    try:
        _open(place)
        outcome.opened += 1
    except TinyGPTError as error:
        outcome.refused += 1
        outcome.words[error.message.split(":")[-1][:40]] += 1
    except BaseException as error:
        watch.on = False
        if isinstance(error, KeyboardInterrupt):
            raise
        outcome.crashed += 1
        outcome.wrong.append(f"{name}: {type(error).__name__}: {traceback.format_exc(limit=-3)}")
    finally:
        watch.on = False
    took = time.process_time() - began
    outcome.slowest_s = max(outcome.slowest_s, took)
    if took > LONGEST_S:
        outcome.wrong.append(f"{name}: {took:.1f} s")
    if watch.seen:
        outcome.wrong.append(f"{name}: {', '.join(watch.seen)}")


def _write(place: Path, files: dict[str, bytes]) -> None:
    for old in place.iterdir():
        if old.name not in files:
            old.unlink()
    for name, content in files.items():
        (place / name).write_bytes(content)


def _open(place: Path) -> None:
    described = describe(place)
    described.weights()
    described.tokenizer.encode("ROMEO:")


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


def _damage_zip(name: str) -> Callable[[dict[str, bytes], random.Random], None]:
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


def _damage_plain(*names: str) -> Callable[[dict[str, bytes], random.Random], None]:
    def damage(files: dict[str, bytes], chance: random.Random) -> None:
        name = chance.choice([name for name in names if name in files])
        files[name] = (damage_json if name.endswith(".json") else damage_bytes)(files[name], chance)

    return damage


def _damage_safetensors(files: dict[str, bytes], chance: random.Random) -> None:
    content = files["model.safetensors"]
    if chance.random() < 0.3:
        files["model.safetensors"] = damage_bytes(content, chance)
        return
    length = int.from_bytes(content[:8], "little")
    header = damage_json(content[8 : 8 + length], chance)
    files["model.safetensors"] = len(header).to_bytes(8, "little") + header + content[8 + length :]


def _state() -> dict[str, Any]:
    import torch

    V, C, T, D = 5, 4, 3, 2
    at = "blocks.0"
    heads = {f"{at}.sa.heads.{h}.{part}.weight": (D, C) for h in (0, 1) for part in ("key", "query", "value")}
    shapes: dict[str, tuple[int, ...]] = {
        "token_embedding_table.weight": (V, C), "position_embedding_table.weight": (T, C), **heads,
        f"{at}.sa.proj.weight": (C, C), f"{at}.sa.proj.bias": (C,), f"{at}.ffwd.net.0.weight": (16, C),
        f"{at}.ffwd.net.0.bias": (16,), f"{at}.ffwd.net.2.weight": (C, 16), f"{at}.ffwd.net.2.bias": (C,),
        **{f"{norm}.{part}": (C,) for norm in (f"{at}.ln1", f"{at}.ln2", "ln_f") for part in ("weight", "bias")},
        "lm_head.weight": (V, C), "lm_head.bias": (V,),
    }  # fmt: skip
    return {name: torch.ones(shape) for name, shape in shapes.items()}


def _saved(content: Any, new: bool = True) -> bytes:
    import torch

    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=new)
    return file.getvalue()


def _module() -> Any:
    from torch import nn

    whole = nn.Module()
    for name, tensor in _state().items():
        *path, last = name.split(".")
        part = whole
        for step in path:
            if not hasattr(part, step):
                part.add_module(step, nn.Module())
            part = getattr(part, step)
        part.register_parameter(last, nn.Parameter(tensor))
    return whole


def _pt() -> list[dict[str, bytes]]:
    state = _state()
    evil = {"model": state, "config": _Evil()}
    return [{"model.pt": _saved(content)} for content in (state, {"model": state, "iter_num": 3}, evil)]


def _legacy() -> list[dict[str, bytes]]:
    state = _state()
    return [{"model.pt": _saved(content, new=False)} for content in (state, {"model": state, "evil": _Evil()})]


_STORAGES = {
    "torch.float64": "DoubleStorage", "torch.float32": "FloatStorage", "torch.float16": "HalfStorage",
    "torch.bfloat16": "BFloat16Storage",
}  # fmt: skip


def _tar() -> list[dict[str, bytes]]:
    return [{"model.pt": saved_as_tar({"model": _state(), "evil": _Evil()})}]


def saved_as_tar(content: Any) -> bytes:
    """Return what torch's form of 2017 would hold, which no torch of today writes; see torch_tar.py."""
    import torch

    tensors: list[torch.Tensor] = []

    class Pointing(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            if not isinstance(value, torch.Tensor):
                return None
            tensors.append(value.contiguous())
            return len(tensors) - 1

    pointing = io.BytesIO()
    Pointing(pointing, 2).dump(content)
    storages, described = [pickle.dumps(len(tensors), 2)], [pickle.dumps(len(tensors), 2)]
    for key, tensor in enumerate(tensors):
        kind = getattr(torch, _STORAGES[str(tensor.dtype)])
        numbers = bytes(tensor.reshape(-1).view(torch.uint8).tolist())
        storages.append(pickle.dumps((key, "cpu", kind), 2) + struct.pack("<q", tensor.numel()) + numbers)
        row = (*tensor.shape, *tensor.stride(), 0)
        described.append(pickle.dumps((key, key, torch.FloatTensor), 2))
        described.append(struct.pack(f"<ii{len(row)}q", tensor.dim(), 0, *row))
    members = {
        "sys_info": pickle.dumps({"protocol_version": 1000, "little_endian": True}, 2),
        "pickle": pointing.getvalue(),
        "tensors": b"".join(described),
        "storages": b"".join([*storages, pickle.dumps([], 2)]),
    }
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for name, held in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(held)
            archive.addfile(member, io.BytesIO(held))
    return whole.getvalue()


def _whole_module() -> list[dict[str, bytes]]:
    return [{"model.pth": _saved(_module()), "chars.txt": b"a\nb\nc\nd\n\n"}]


def _meta() -> list[dict[str, bytes]]:
    letters = "abcde"
    meta = {"vocab_size": 5, "itos": dict(enumerate(letters)), "stoi": {c: i for i, c in enumerate(letters)}}
    weights = _saved(_state())
    contents = [pickle.dumps(meta | extra, protocol) for protocol in range(5) for extra in ({}, {"evil": _Evil()})]
    return [{"model.pt": weights, "meta.pkl": content} for content in contents]


def _safetensors() -> list[dict[str, bytes]]:
    import safetensors.torch

    return [{"model.safetensors": safetensors.torch.save(_state(), {"format": "pt"})}]


def _hugging_face() -> list[dict[str, bytes]]:
    import safetensors.torch
    import torch

    V, C, T = 6, 4, 3
    shapes: dict[str, tuple[int, ...]] = {
        "wte.weight": (V, C), "wpe.weight": (T, C), "ln_f.weight": (C,), "ln_f.bias": (C,),
        **{f"h.0.{norm}.{part}": (C,) for norm in ("ln_1", "ln_2") for part in ("weight", "bias")},
        "h.0.attn.c_attn.weight": (C, 3 * C), "h.0.attn.c_attn.bias": (3 * C,), "h.0.attn.c_proj.weight": (C, C),
        "h.0.attn.c_proj.bias": (C,), "h.0.mlp.c_fc.weight": (C, 4 * C), "h.0.mlp.c_fc.bias": (4 * C,),
        "h.0.mlp.c_proj.weight": (4 * C, C), "h.0.mlp.c_proj.bias": (C,),
    }  # fmt: skip
    weights = safetensors.torch.save({f"transformer.{name}": torch.ones(shape) for name, shape in shapes.items()})
    config = {"model_type": "gpt2", "n_head": 2, "n_embd": C, "n_layer": 1, "n_positions": T, "vocab_size": V,
              "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "tie_word_embeddings": True}  # fmt: skip
    vocabulary = {"<|endoftext|>": 0, "R": 1, "O": 2, "M": 3, "E": 4, "RO": 5}
    fast = {
        "model": {"type": "BPE", "vocab": vocabulary, "merges": [["R", "O"]]},
        "pre_tokenizer": {"type": "ByteLevel"},
        "added_tokens": [{"id": 0, "content": "<|endoftext|>", "special": True}],
    }
    plain = {
        "config.json": json.dumps(config).encode(), "vocab.json": json.dumps(vocabulary).encode(),
        "merges.txt": b"#version: 0.2\nR O\n",
    }  # fmt: skip
    index = {"weight_map": {f"transformer.{name}": "part.safetensors" for name in shapes}}
    return [
        {**plain, "model.safetensors": weights},
        {
            "config.json": plain["config.json"],
            "tokenizer.json": json.dumps(fast).encode(),
            "model.safetensors": weights,
        },
        {**plain, "part.safetensors": weights, "model.safetensors.index.json": json.dumps(index).encode()},
    ]


def _pieces() -> list[dict[str, bytes]]:
    """A Llama of one layer with its vocabulary in each of the two forms."""
    import torch

    pieces = ["<unk>", "<s>", "</s>", " ", "R", "O", "M", "E", "RO", " ROM"]
    V, C = len(pieces), 4
    shapes: dict[str, tuple[int, ...]] = {
        "tok_embeddings.weight": (V, C), "norm.weight": (C,), "output.weight": (V, C),
        **{f"layers.0.attention.{name}.weight": (C, C) for name in ("wq", "wk", "wv", "wo")},
        "layers.0.feed_forward.w1.weight": (8, C), "layers.0.feed_forward.w3.weight": (8, C),
        "layers.0.feed_forward.w2.weight": (C, 8), "layers.0.attention_norm.weight": (C,),
        "layers.0.ffn_norm.weight": (C,),
    }  # fmt: skip
    arguments = {"dim": C, "n_layers": 1, "n_heads": 2, "vocab_size": V, "max_seq_len": 8, "norm_eps": 1e-5}
    weights = _saved({"model": {name: torch.ones(shape) for name, shape in shapes.items()}, "model_args": arguments})
    rows = [(piece.encode(), -float(id)) for id, piece in enumerate(pieces)]
    own = struct.pack("<i", 8) + b"".join(struct.pack("<fi", score, len(text)) + text for text, score in rows)

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    def piece(text: bytes, score: float, kind: int) -> bytes:
        return field(1, field(1, text) + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind]))

    kinds = [2, 3, 3, *[1] * (V - 3)]
    model = b"".join(piece(text, score, kind) for (text, score), kind in zip(rows, kinds, strict=True))
    model += field(2, b"\x18\x02") + field(3, field(1, b"identity") + b"\x18\x01")
    return [{"ckpt.pt": weights, "tokenizer.bin": own}, {"ckpt.pt": weights, "tokenizer.model": model}]


_JSONS = ("config.json", "vocab.json", "merges.txt", "tokenizer.json", "model.safetensors.index.json")


def _llama2c() -> list[dict[str, bytes]]:
    dim, hidden, layers, heads, kv_heads, vocabulary, window = 4, 8, 1, 2, 1, 5, 8
    numbers = vocabulary * dim + layers * (2 * dim + 2 * dim * dim + 2 * 2 * dim + 3 * hidden * dim) + dim + 2 * window
    header = struct.pack("<7i", dim, hidden, layers, heads, kv_heads, vocabulary, window)
    return [{"stories.bin": header + struct.pack("<f", 0.5) * numbers}]


KINDS: dict[str, tuple[Callable[[], list[dict[str, bytes]]], Callable[[dict[str, bytes], random.Random], None]]] = {
    "zip": (_pt, _damage_zip("model.pt")),
    "legacy": (_legacy, _damage_plain("model.pt")),
    "tar": (_tar, _damage_plain("model.pt")),
    "module": (_whole_module, _damage_zip("model.pth")),
    "meta": (_meta, _damage_plain("meta.pkl")),
    "safetensors": (_safetensors, _damage_safetensors),
    "hugging-face": (_hugging_face, _damage_plain(*_JSONS)),
    "llama2c": (_llama2c, _damage_plain("stories.bin")),
    "pieces": (_pieces, _damage_plain("tokenizer.bin", "tokenizer.model")),
}


def _bound_memory() -> None:
    """Let the process have no more than it has now and MEMORY beyond; where the system knows such a bound."""
    if sys.platform == "win32":
        return
    import resource

    with Path("/proc/self/statm").open(encoding="ascii") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))


def main() -> int:
    """Fuzz from the command line; returns 1 where anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tinygpt_tui.checkpoints.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="files of each kind (default: 1000)")
    parser.add_argument("--kind", action="append", choices=sorted(KINDS), help="one kind alone; once for each")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    import torch  # noqa: F401 - before memory is bounded

    if Path("/proc/self/statm").is_file():
        _bound_memory()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in chosen.kind or KINDS:
            found = fuzz(kind, chosen.count, chosen.seed, Path(folder))
            wrong += len(found.wrong)
            print(
                f"{kind:13} {found.files:,} files: {found.opened:,} opened, {found.refused:,} refused, "
                f"{len(found.wrong)} wrong; slowest {found.slowest_s:.2f} s",
                flush=True,
            )
            for line in found.wrong[:5]:
                print(line, flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
