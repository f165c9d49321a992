"""Models of the Hub by their name, from a small Hub on this machine; the model in it was written by transformers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hub_server import Handler, Hub

from tinygpt_tui import load
from tinygpt_tui.cli.main import run
from tinygpt_tui.errors import DownloadError, MissingPackageError, NotFoundError, StorageError, UsageError
from tinygpt_tui.foreign.hub import Fetched, fetch, find_on_hub

hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")
tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")

TEXT = "the old cat sat on the wet mat. Así, naïve café — déjà vu! " * 20


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 of a few thousand parameters with a byte-level BPE, as Hugging Face's own code writes it."""
    folder = tmp_path_factory.mktemp("original")
    bpe = tokenizers.ByteLevelBPETokenizer()
    bpe.train_from_iterator([TEXT], vocab_size=300, special_tokens=["<|endoftext|>"], show_progress=False)
    bpe.save_model(str(folder))
    torch.manual_seed(0)
    end = bpe.token_to_id("<|endoftext|>")
    config = transformers.GPT2Config(
        vocab_size=bpe.get_vocab_size(),
        n_positions=32,
        n_embd=32,
        n_layer=2,
        n_head=4,
        bos_token_id=end,
        eos_token_id=end,
    )
    model = transformers.GPT2LMHeadModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    model.save_pretrained(folder)
    (folder / "README.md").write_text("not needed")
    (folder / "flax_model.msgpack").write_bytes(b"not needed either")
    return folder


@pytest.fixture
def server(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub of this test's own, and an empty cache."""
    server = Hub(("127.0.0.1", 0), Handler)
    server.repository, server.files = "tiny/gpt2", original
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_it_comes_with_what_is_needed_and_is_the_original(server: Hub, original: Path) -> None:
    states = list(fetch("hf:tiny/gpt2"))
    total = sum((original / name).stat().st_size for name in ("model.safetensors", "config.json", "vocab.json",
                "merges.txt", "generation_config.json"))  # fmt: skip
    assert all(isinstance(state, Fetched) and state.done <= state.total == total for state in states)
    assert states[-1].done == total
    assert not {"README.md", "flax_model.msgpack"} & set(server.gets)
    model = load("hf:tiny/gpt2")
    assert model.name == "gpt2"
    theirs: Any = transformers.GPT2LMHeadModel.from_pretrained(str(original)).eval()
    ids = model.tokenizer.encode("the café sat")
    with torch.inference_mode():
        wanted = theirs(torch.tensor([ids])).logits[0]
    assert torch.allclose(model.logits("the café sat"), wanted, atol=1e-3)
    assert ids == transformers.GPT2TokenizerFast.from_pretrained(str(original))("the café sat").input_ids


def test_no_half_character_is_ever_shown_and_the_end_of_text_ends(server: Hub) -> None:
    model = load("hf:tiny/gpt2")
    pieces = list(model.stream("Así", max_new_tokens=200, temperature=5.0, seed=3, stop_at_end_of_text=False))
    assert "".join(pieces) == model.generate(
        "Así", max_new_tokens=200, temperature=5.0, seed=3, stop_at_end_of_text=False
    )
    end = model.tokenizer.end_of_text
    assert end is not None
    with torch.no_grad():
        model.module.lm_head.weight.zero_()
        model.module.transformer.ln_f.bias.fill_(1.0)
        model.module.lm_head.weight[end].fill_(1.0)
    events = list(model.events("Así", max_new_tokens=20, temperature=0.0))
    assert events[-1].reason == "end of text"
    assert all("endoftext" not in getattr(event, "text", "") for event in events)


def test_what_broke_off_is_gone_on_with(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.constants, "DOWNLOAD_CHUNK_SIZE", 1024)
    server.breaks = 1
    folder = find_on_hub("hf:tiny/gpt2")
    assert (folder / "model.safetensors").read_bytes() == (server.files / "model.safetensors").read_bytes()
    assert server.ranges


def test_what_is_here_needs_no_network(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = find_on_hub("hf:tiny/gpt2")
    before = len(server.gets)
    assert find_on_hub("hf:tiny/gpt2") == folder
    assert len(server.gets) == before
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")  # nobody is there
    assert find_on_hub("hf:tiny/gpt2") == folder
    with pytest.raises(DownloadError, match="could not be fetched") as refused:
        find_on_hub("hf:tiny/other")
    assert "what has come is kept" in refused.value.hint
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    assert find_on_hub("hf:tiny/gpt2") == folder
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
        find_on_hub("hf:tiny/other")


def test_refusals_are_in_words(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError, match="the Hub has no model 'tiny/nothing'"):
        find_on_hub("hf:tiny/nothing")
    for name in ("hf:", "hf:../x", "hf:a/b/c"):
        with pytest.raises(UsageError, match="is not the name of a model"):
            find_on_hub(name)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(StorageError, match=r"has 0\.0 GB free"):
        find_on_hub("hf:tiny/gpt2")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingPackageError, match="needs the package huggingface_hub"):
        find_on_hub("hf:tiny/gpt2")


def test_the_command_writes_with_it(server: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", "hf:tiny/gpt2", "--prompt", "the old", "--max-new-tokens", "5", "--seed", "1"]) == 0
    assert capsys.readouterr().out.startswith("the old")
