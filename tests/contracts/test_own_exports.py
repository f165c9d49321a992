"""An export that says it opens here again does: the same model, whatever its architecture."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from makers import GPT_VARIANTS, VARIANTS, make_model

from tinygpt_tui.checkpoints.card import is_native, read_config
from tinygpt_tui.events.generation import Token
from tinygpt_tui.exports.export import export
from tinygpt_tui.exports.forms import FORMS, Form, strangers
from tinygpt_tui.foreign.opening import inspect_checkpoint
from tinygpt_tui.generation.text import GenerationJob, TextGeneration
from tinygpt_tui.settings.architecture import ARCHITECTURE_SETTINGS
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers.models import open_model

GPTS = ("classic", "modern", "llama", "sliding, with all else")
TRIED = (*GPTS, "rnn", "gru", "lstm", "cnn", "mlp", "bigram", "backpack", "encoder-decoder")
OPENS_AGAIN = [form for form in FORMS.values() if "opens here again" in form.description]


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what only a power cut would show."""
    monkeypatch.setattr("os.fsync", lambda handle: None)


def greedy_ids(path: Path) -> list[int]:
    """Open the model at `path` as all commands do, and let it choose 200 ids."""
    model = open_model(path)
    sampling = SamplingSettings(temperature=0.0, max_new_tokens=200)
    job = GenerationJob(
        model.new_engine(), TextGeneration(model.tokenizer, model.config.architecture.context_length, "a", sampling)
    )
    ids = [event.id for event in job if isinstance(event, Token)]
    assert len(ids) == 200
    return ids


@pytest.mark.parametrize("variant", TRIED)
@pytest.mark.parametrize("form", OPENS_AGAIN, ids=lambda form: form.name)
def test_an_export_opens_again(form: Form, variant: str, tmp_path: Path) -> None:
    made, folder, file = tmp_path / "model", tmp_path / "folder", tmp_path / f"file{Path(form.file).suffix}"
    make_model(made, VARIANTS[variant])
    for place in (folder, file):
        export(made, form, place, checking=False)
    assert greedy_ids(file) == greedy_ids(made)
    assert is_native(folder)
    assert read_config(folder) == inspect_checkpoint(file).config == read_config(made)


def readable(form: str) -> list[str]:
    return [name for name, settings in GPT_VARIANTS.items() if not strangers(FORMS[form], settings, approximate=True)]


@pytest.mark.parametrize("variant", [name for name in readable("gguf") if GPT_VARIANTS[name].block_size > 1])
def test_a_gguf_opens_again(variant: str, tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="gguf is not installed")
    settings = msgspec.structs.replace(GPT_VARIANTS[variant], block_size=256)
    if settings.activation == "gelu":  # GGUF has the tanh form alone
        settings = msgspec.structs.replace(settings, activation="gelu_tanh")
    make_model(tmp_path / "model", settings)
    export(tmp_path / "model", FORMS["gguf"], tmp_path / "file.gguf", checking=False)
    assert greedy_ids(tmp_path / "file.gguf") == greedy_ids(tmp_path / "model")


def test_every_architecture_is_tried() -> None:
    assert {type(VARIANTS[name]) for name in TRIED} == set(ARCHITECTURE_SETTINGS)


def test_the_forms_that_open_again_are_known() -> None:
    assert [form.name for form in OPENS_AGAIN] == ["safetensors"]
