"""A tokenizer.json: our own, or that of Hugging Face's library, with what the files beside it say of a text's end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinygpt_tui.foreign.sidecars import read_json, sidecar
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.tokenizers.hugging_face import HuggingFaceTokenizer
from tinygpt_tui.tokenizers.table import tokenizer_from

_GPT2S_SPLIT = {"type": "ByteLevel", "add_prefix_space": False}
_OTHERS_PARTS = ("ignore_merges", "byte_fallback", "dropout", "continuing_subword_prefix", "end_of_word_suffix")


def read_tokenizer_json(path: Path, size: int) -> Tokenizer | None:
    """Read a tokenizer.json; None where it holds no vocabulary. Raises CheckpointError, StorageError."""
    stored = read_json(path)
    if "name" in stored and "model" not in stored:
        return tokenizer_from(stored)
    if not isinstance(stored.get("model"), dict):
        return None
    added = stored.get("added_tokens")
    added = [token for token in added if isinstance(token, dict)] if isinstance(added, list) else []
    if _is_gpt2s(stored, added):
        return _as_gpt2s(stored["model"], added)
    return HuggingFaceTokenizer(
        stored, _end_of_text(path.parent, {token.get("content"): token.get("id") for token in added})
    )


def _is_gpt2s(stored: Mapping[str, Any], added: list[dict[str, Any]]) -> bool:
    """Whether it does what GPT-2's does, which is written by its vocabulary and merges alone."""
    model, split, behind = stored["model"], stored.get("pre_tokenizer"), stored.get("post_processor")
    if not isinstance(split, dict) or {name: split.get(name) for name in _GPT2S_SPLIT} != _GPT2S_SPLIT:
        return False
    return (
        split.get("use_regex", True) is True
        and model.get("type", "BPE") in ("BPE", None)
        and not any(model.get(name) for name in _OTHERS_PARTS)
        and stored.get("normalizer") is None
        and (behind is None or (isinstance(behind, dict) and behind.get("type") == "ByteLevel"))
        and all(token.get("special") is True and not token.get("lstrip") and not token.get("rstrip") for token in added)
    )


def _as_gpt2s(model: Mapping[str, Any], added: list[dict[str, Any]]) -> BPETokenizer:
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict):
        vocabulary = dict(vocabulary)
        for token in added:
            if isinstance(token.get("content"), str):
                vocabulary.setdefault(token["content"], token.get("id"))
    special = [str(token.get("content")) for token in added]
    return BPETokenizer.from_dict({"vocabulary": vocabulary, "merges": model.get("merges"), "special": special})


def _end_of_text(folder: Path, ids: Mapping[Any, Any]) -> int | None:
    """Return the id that ends a text, as tokenizer_config.json or config.json name it."""
    told = _entry(folder, "tokenizer_config.json", "eos_token")
    name = told.get("content") if isinstance(told, dict) else told
    if isinstance(name, str) and type(ids.get(name)) is int:
        return int(ids[name])
    told = _entry(folder, "config.json", "eos_token_id")
    first = told[0] if isinstance(told, list) and told else told
    return first if type(first) is int else None


def _entry(folder: Path, name: str, entry: str) -> Any:
    path = sidecar(folder, name)
    return read_json(path).get(entry) if path else None
