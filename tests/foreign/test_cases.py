"""Every file of the collection of cases gives its right value: a text, logits, a tokenizer, or a refusal in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tinygpt_tui.checkpoints.engines import forward_of
from tinygpt_tui.checkpoints.stored import StoredModel, read_model
from tinygpt_tui.corpora.read import read_text
from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.facts import doubts
from tinygpt_tui.foreign.opening import Overrides, inspect_checkpoint

COMPILED, NANOGPT = "nanogpt-compiled", "nanogpt"
# The fixture whose text each writes.
TEXTS = {
    **{f"hand-named-gpts/x-{name}": COMPILED for name in ("notransformer", "qkv-separate", "rasbt", "rasbt-cfg")},
    "hand-named-gpts/x-slm4096": COMPILED,
    **{
        f"misdiagnosed/{name}": NANOGPT
        for name in ("c-subclass", "c-xla-numpy/ckpt.pt", "n-numpy-dict", "s-sharded",
                     "s-sharded/model-00001-of-00002.safetensors")
    },
    "nanogpt-own-tree/out": NANOGPT,
    "nanogpt-own-tree/out/ckpt.pt": NANOGPT,
    **{
        f"vocabulary-forms/p-{name}": NANOGPT
        for name in ("file-both-str", "file-char_to_idx", "side-vocab.json-c2i", "side-vocab.pkl")
    },
    **{f"post-norm-fcc/{name}": "" for name in ("model.pth", "whole.pth", "model-01.pkl")},  # beside it
}  # fmt: skip
# Files of the same weights, and by how much of their spread they may differ.
SAME = {
    **dict.fromkeys(
        (f"legacy-whole-module/{name}" for name in ("whole-legacy.pth", "model-01.pkl", "model-01.pth")),
        ("legacy-whole-module/whole-new.pth", 0.0),
    ),
    **dict.fromkeys(
        (
            *(f"legacy-whole-module/{name}" for name in ("state-legacy.pth", "state.pkl")),
            *(f"pickle-dump/{name}" for name in ("model-01.pkl", "state.pkl")),
        ),
        ("legacy-whole-module/whole-new.pth", 0.0),
    ),
    "llama2c-v1-v2/v0": ("llama2c-v1-v2/ckpt", 0.0),
    "llama2c-v1-v2/v1": ("llama2c-v1-v2/ckpt", 0.0),
    "llama2c-v1-v2/v2": ("llama2c-v1-v2/ckpt", 0.01),
    "misdiagnosed/n-quant-int8": ("misdiagnosed/c-subclass", 0.03),
}
REFUSED = {
    "misdiagnosed/n-html": r"is a web page \(HTML\)",
    "misdiagnosed/n-lfs/ckpt.pt": r"is a Git LFS pointer: the file itself of 12,345 bytes",
    "misdiagnosed/n-npz/ckpt.npz": r"is a file of numpy's arrays",
}
OTHERS = {  # tested below, or in the folder of tests that they are about
    "hand-named-gpts/x-litgpt", "hand-named-gpts/x-nanochat",
    "makemore-heads", "hf-families", "utf8-with-bad-bytes", "api-echo-logprobs", "vocabulary-forms/p-none",
}  # fmt: skip


def logits(model: StoredModel, ids: list[int]) -> NDArray[np.float32]:
    window = model.config.architecture.context_length
    found: NDArray[np.float32] = forward_of(model.config.architecture, model.weights, "it")(np.array([ids[-window:]]))
    return found[0, -1]


def test_every_case_is_tried(cases: Path) -> None:
    tried = [cases / name for name in (*TEXTS, *SAME, *REFUSED, *OTHERS, *(other for other, _ in SAME.values()))]
    files = [path for path in cases.rglob("*") if path.suffix in (".pt", ".pth", ".pkl", ".bin", ".safetensors")]
    missed = [path for path in files if not any(one in (path, *path.parents) for one in tried)]
    assert [path for path in missed if path.name != "meta.pkl"] == []


@pytest.mark.parametrize("case", TEXTS)
def test_it_writes_the_text_of_its_program(case: str, cases: Path, fixtures: Path) -> None:
    place = fixtures / TEXTS[case] if TEXTS[case] else cases / case.partition("/")[0]
    expected: dict[str, Any] = json.loads((place / "expected.json").read_text(encoding="utf-8"))
    model = read_model(cases / case)
    ids = model.tokenizer.encode(expected["prompt"])
    if ids == expected.get("prompt_ids", ids):  # some have the characters in another order
        np.testing.assert_allclose(logits(model, ids), expected["last_logits"], atol=1e-3)
    while len(ids) < 45:
        ids.append(int(logits(model, ids).argmax()))
    text = b"".join(map(model.tokenizer.bytes_of, ids)).decode()
    assert text == expected["greedy_text"][: len(text)]
    guessed = {fact.name: fact.value for fact in model.facts if fact.assumed}
    assert set(guessed) <= {"n_head", "activation", "epsilon", "attention_scale"}
    assert guessed.get("n_head", "6") == "6"  # a page does not tell 6 heads from 12


@pytest.mark.parametrize("case", SAME)
def test_files_of_the_same_weights_are_the_same_model(case: str, cases: Path) -> None:
    other, near = SAME[case]
    found, wanted = (inspect_checkpoint(cases / name).weights() for name in (case, other))
    assert found.keys() == wanted.keys()
    for name, numbers in wanted.items():
        assert np.abs(found[name] - numbers).max() <= near * np.ptp(numbers)


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_opened_is_named(case: str, cases: Path) -> None:
    with pytest.raises(CheckpointError, match=REFUSED[case]) as refused:
        inspect_checkpoint(cases / case)
    assert refused.value.hint


@pytest.mark.parametrize("family", ["llama", "neo"])
def test_a_hugging_face_folder_has_the_logits_of_transformers(family: str, cases: Path) -> None:
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    folder = cases / "hf-families" / family
    ids = json.loads((folder.parent / "index.json").read_text(encoding="utf-8"))[family]["ids"]
    with torch.no_grad():
        wanted = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()(torch.tensor([ids])).logits[0, -1]
    np.testing.assert_allclose(logits(read_model(folder), ids), wanted, atol=1e-4)


def test_names_that_begin_where_the_window_begins_tell_the_heads(cases: Path) -> None:
    folder = cases / "makemore-heads"
    for vocabulary, said in ((None, "each of its documents from its start"), ("v27.txt", "without \\n, which")):
        typed = Overrides(corpus=str(folder / "names.txt"), vocabulary=folder / vocabulary if vocabulary else None)
        facts = {fact.name: fact for fact in read_model(folder / "model.pt", typed).facts}
        assert (facts["n_head"].value, facts["n_head"].source) == ("4", "calibrated")
        assert said in facts["loss"].detail
    assert doubts(inspect_checkpoint(folder / "model.pt").facts).endswith("not known: assumed 4 heads")


@pytest.mark.parametrize(("case", "layout"), [("x-litgpt", "litgpt"), ("x-nanochat", "nanochat")])
def test_other_programs_are_read_by_what_lies_beside_the_weights(case: str, layout: str, cases: Path) -> None:
    model = read_model(cases / "hand-named-gpts" / case)
    assert model.layout == layout
    assert "not known" not in doubts(model.facts)


def test_65_ids_are_not_taken_for_shakespeares(cases: Path) -> None:
    stored = read_model(cases / "vocabulary-forms" / "p-none")
    assert stored.tokenizer.name == "numbers"
    assert "they are not its letters" in next(fact for fact in stored.facts if fact.name == "loss").value
    assert "shown as numbers" in doubts(stored.facts)


def test_utf8_with_bad_bytes_is_utf8(cases: Path) -> None:
    files = sorted((cases / "utf8-with-bad-bytes").glob("*.txt"))
    assert files
    for file in files:
        text = read_text(file)
        assert "is UTF-8 except for" in " ".join(text.notes)
        assert "\ufffd" not in text.text
