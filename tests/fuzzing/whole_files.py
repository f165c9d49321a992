"""The whole files that the fuzzer damages: the smallest of each kind, some with code that a believer would run."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tarfile
import warnings
from typing import Any


class _Evil:
    """Would run a command when it is unpickled by a reader that believes it."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("echo this must never be seen >&2",)


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


def pt() -> list[dict[str, bytes]]:
    """Return a lecture's state dict in torch's form of today; the last with code in it."""
    state = _state()
    evil = {"model": state, "config": _Evil()}
    return [{"model.pt": _saved(content)} for content in (state, {"model": state, "iter_num": 3}, evil)]


def legacy() -> list[dict[str, bytes]]:
    """Return the same in torch's form until 2020, a row of pickles."""
    state = _state()
    return [{"model.pt": _saved(content, new=False)} for content in (state, {"model": state, "evil": _Evil()})]


def pickled() -> list[dict[str, bytes]]:
    """Return the same as Python's own pickle, and with tensors of other kinds."""
    import torch

    state = _state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of quantised tensors
        quantised = torch.quantize_per_tensor(state["lm_head.weight"], 0.1, 0, torch.qint8)
    numpy, sparse = state["ln_f.bias"].numpy(), state["ln_f.weight"].to_sparse()
    kinds = {"lm_head.weight": quantised, "ln_f.weight": sparse, "ln_f.bias": numpy}
    contents = [pickle.dumps(content, protocol) for protocol in (2, 4) for content in (state, state | kinds, _module())]
    return [*({"model.pkl": content} for content in contents), {"model.pkl": _saved(state | kinds)}]


_STORAGES = {
    "torch.float64": "DoubleStorage", "torch.float32": "FloatStorage", "torch.float16": "HalfStorage",
    "torch.bfloat16": "BFloat16Storage",
}  # fmt: skip


def tar() -> list[dict[str, bytes]]:
    """Return the same in torch's form of 2017."""
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
    storages, inspection = [pickle.dumps(len(tensors), 2)], [pickle.dumps(len(tensors), 2)]
    for key, tensor in enumerate(tensors):
        kind = getattr(torch, _STORAGES[str(tensor.dtype)])
        numbers = bytes(tensor.reshape(-1).view(torch.uint8).tolist())
        storages.append(pickle.dumps((key, "cpu", kind), 2) + struct.pack("<q", tensor.numel()) + numbers)
        row = (*tensor.shape, *tensor.stride(), 0)
        inspection.append(pickle.dumps((key, key, torch.FloatTensor), 2))
        inspection.append(struct.pack(f"<ii{len(row)}q", tensor.dim(), 0, *row))
    members = {
        "sys_info": pickle.dumps({"protocol_version": 1000, "little_endian": True}, 2),
        "pickle": pointing.getvalue(),
        "tensors": b"".join(inspection),
        "storages": b"".join([*storages, pickle.dumps([], 2)]),
    }
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for name, held in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(held)
            archive.addfile(member, io.BytesIO(held))
    return whole.getvalue()


def whole_module() -> list[dict[str, bytes]]:
    """Return a module that was pickled whole, with its characters."""
    return [{"model.pth": _saved(_module()), "chars.txt": b"a\nb\nc\nd\n\n"}]


def meta() -> list[dict[str, bytes]]:
    """Return weights and nanoGPT's file of characters, by each of pickle's protocols."""
    letters = "abcde"
    meta = {"vocab_size": 5, "itos": dict(enumerate(letters)), "stoi": {c: i for i, c in enumerate(letters)}}
    weights = _saved(_state())
    contents = [pickle.dumps(meta | extra, protocol) for protocol in range(5) for extra in ({}, {"evil": _Evil()})]
    return [{"model.pt": weights, "meta.pkl": content} for content in contents]


def safetensors() -> list[dict[str, bytes]]:
    """Return the same tensors in a safetensors file."""
    import safetensors.torch

    return [{"model.safetensors": safetensors.torch.save(_state(), {"format": "pt"})}]


def hugging_face() -> list[dict[str, bytes]]:
    """Return a GPT-2 in a folder, with its vocabulary and its weights in each of their forms."""
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
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
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


def pieces() -> list[dict[str, bytes]]:
    """Return a Llama of one layer with its vocabulary in each of the two forms."""
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


def llama2c() -> list[dict[str, bytes]]:
    """Return llama2.c's own file of weights."""
    dim, hidden, layers, heads, kv_heads, vocabulary, window = 4, 8, 1, 2, 1, 5, 8
    numbers = vocabulary * dim + layers * (2 * dim + 2 * dim * dim + 2 * 2 * dim + 3 * hidden * dim) + dim + 2 * window
    header = struct.pack("<7i", dim, hidden, layers, heads, kv_heads, vocabulary, window)
    return [{"stories.bin": header + struct.pack("<f", 0.5) * numbers}]


def gguf() -> list[dict[str, bytes]]:
    """Return a llama of one layer in a GGUF, with Llama's pieces and with characters."""
    V, C, hidden = 5, 4, 8
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd": (V, C), "output_norm": (C,), "output": (V, C), "blk.0.attn_norm": (C,), "blk.0.ffn_norm": (C,),
        **{f"blk.0.attn_{part}": (C, C) for part in ("q", "k", "v", "output")},
        "blk.0.ffn_gate": (hidden, C), "blk.0.ffn_up": (hidden, C), "blk.0.ffn_down": (C, hidden),
    }  # fmt: skip
    sizes = {"context_length": 8, "embedding_length": C, "block_count": 1, "feed_forward_length": hidden,
             "attention.head_count": 2}  # fmt: skip

    def text(content: str) -> bytes:
        return struct.pack("<Q", len(content.encode())) + content.encode()

    def texts(name: str, *row: str) -> bytes:
        return text(name) + struct.pack("<IIQ", 9, 8, len(row)) + b"".join(map(text, row))

    entries = [text("general.architecture") + struct.pack("<I", 8) + text("llama")]
    entries += [text(f"llama.{name}") + struct.pack("<II", 4, size) for name, size in sizes.items()]
    scores = text("tokenizer.ggml.scores") + struct.pack("<IIQ5f", 9, 6, 5, 0, 0, 0, -1, -2)
    pieces = [texts("tokenizer.ggml.tokens", "<unk>", "<s>", "</s>", "▁", "a"), scores]
    characters = [texts("tokenizer.ggml.tokens", "\\n", " ", "a", "b", "\\xc3\\xa9")]
    found = []
    for model, rows in (("llama", pieces), ("rwkv", characters)):
        told = [*entries, text("tokenizer.ggml.model") + struct.pack("<I", 8) + text(model), *rows]
        described, numbers = b"", b""
        for name, shape in shapes.items():
            described += text(f"{name}.weight") + struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
            described += struct.pack("<IQ", 0, len(numbers))
            count = shape[0] * (shape[1] if len(shape) == 2 else 1)
            numbers += struct.pack("<f", 0.5) * count + b"\0" * (-4 * count % 32)
        head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(told)) + b"".join(told) + described
        found.append({"model.gguf": head + b"\0" * (-len(head) % 32) + numbers})
    return found
