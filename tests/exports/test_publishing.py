"""A model goes to a small Hub on this machine, by the Hub's own library, and comes back as it was."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hub_server import Handler, Hub
from makers import VARIANTS, make_model, make_run

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.native import load
from tinygpt_tui.cli.main import run
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.training.run import run_training

hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
constants = pytest.importorskip("huggingface_hub.constants", reason="huggingface_hub is not installed")
TOKEN = "hf_of_nobody"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """An empty Hub, an empty cache, and no token."""
    server = Hub(("127.0.0.1", 0), Handler)
    server.repository, server.files, server.token = "me/cat", tmp_path / "hub", TOKEN
    server.files.mkdir()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(tmp_path / "no-tokens"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def cat() -> RunFolder:
    """A trained model, of the kind that all formats store."""
    made = make_run("cat", activation="gelu_tanh", calibration_share=0.3)
    list(run_training(made.model))
    return made


def test_what_is_published_comes_back(
    server: Hub, cat: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("onnx", "gguf"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    assert run(["publish", "cat", "--to", "me/cat"]) == ExitCode.USAGE
    assert "hf auth login" in capsys.readouterr().err
    assert run(["publish", "cat", "--to", "me/cat", "--dry-run"]) == ExitCode.OK
    shown = capsys.readouterr().out
    for words in ("model.gguf", "model.onnx", "tinygpt-tui/weights.safetensors", "curve.svg", "## Samples",
                  'from_pretrained("me/cat")', "generate hf:me/cat"):  # fmt: skip
        assert words in shown
    assert not server.made
    monkeypatch.setenv("HF_TOKEN", "another")
    with pytest.MonkeyPatch.context() as patch:  # the library reads HF_ENDPOINT once, when it is imported
        patch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        assert run(["publish", "cat", "--to", "me/cat", "--formats", "safetensors"]) == ExitCode.USAGE
    assert "does not let this token write" in capsys.readouterr().err
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert run(["publish", "cat", "--to", "me/cat", "--private"]) == ExitCode.OK
    said = capsys.readouterr()
    assert said.out == f"http://127.0.0.1:{server.server_port}/me/cat\n"
    assert TOKEN not in said.out + said.err
    assert "private" in (server.made[0].get("visibility"), *server.made[0])
    assert (server.files / "curve.svg").read_text(encoding="utf-8").startswith("<svg")
    assert json.loads((server.files / "config.json").read_text(encoding="utf-8"))["model_type"] == "gpt2"
    card = hub.ModelCard.load(server.files / "README.md")
    assert {"tinygpt-tui", "gguf", "onnx"} <= set(card.data.tags)
    assert card.data.library_name == "transformers"

    assert run(["get", "me/cat", "--name", "back"]) == ExitCode.OK
    assert capsys.readouterr().out == "back\n"
    ids = torch.tensor([[1, 2, 3, 4]])
    theirs, ours = load(paths.models_folder() / "back"), load(cat.model)
    assert torch.equal(theirs.model(ids), ours.model(ids))
    assert theirs.config == ours.config
    assert run(["get", "me/cat"]) == ExitCode.OK
    assert capsys.readouterr().out == "cat-2\n"


def test_what_a_form_cannot_hold_is_left_out_or_refused(
    server: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_model(paths.models_folder() / "states", VARIANTS["lstm"])
    publish = ["publish", "states", "--to", "me/states", "--dry-run"]
    assert run([*publish, "--formats", "safetensors", "gguf"]) == ExitCode.USAGE
    assert "has no place for architecture lstm" in capsys.readouterr().err
    assert run([*publish, "--formats", "nanogpt"]) == ExitCode.USAGE
    assert run(["publish", "states", "--to", "states", "--dry-run"]) == ExitCode.USAGE
    assert run([*publish, "--folder", str(tmp_path / "kept")]) == ExitCode.OK
    assert "left out: gguf" in capsys.readouterr().err
    assert not (tmp_path / "kept" / "model.gguf").exists()
    assert (tmp_path / "kept" / "modeling_tinygpt.py").exists()
    assert not (tmp_path / "kept" / "curve.svg").exists()


def test_more_than_the_hub_has_announced_is_not_taken(server: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    (server.files / "model.safetensors").write_bytes(bytes(1 << 20))
    server.claimed["model.safetensors"] = 10
    assert run(["get", "me/cat"]) == ExitCode.DOWNLOAD
    assert "larger than the Hub says" in capsys.readouterr().err
    server.claimed["model.safetensors"] = 1 << 40
    assert run(["get", "me/cat"]) == ExitCode.DOWNLOAD
    assert "too large" in capsys.readouterr().err
