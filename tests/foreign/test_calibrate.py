"""What headers do not tell is measured, and the card keeps what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from foreign_programs import NanoGPT, made
from torch import Tensor

from tinygpt_tui import paths
from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.checkpoints.engines import forward_of
from tinygpt_tui.checkpoints.importing import import_model
from tinygpt_tui.checkpoints.native import load, open_checkpoint
from tinygpt_tui.checkpoints.stored import read_model
from tinygpt_tui.cli.main import run as main
from tinygpt_tui.foreign import calibrate
from tinygpt_tui.foreign.calibration_cache import cache_calibration, cached_calibration
from tinygpt_tui.foreign.calibration_texts import calibration_texts
from tinygpt_tui.foreign.characters import SHAKESPEARE
from tinygpt_tui.foreign.facts import Fact, doubts
from tinygpt_tui.foreign.losses import token_losses
from tinygpt_tui.foreign.opening import Overrides, inspect_checkpoint
from tinygpt_tui.foreign.readings import Fitting
from tinygpt_tui.settings.architecture import GPTSettings


@pytest.fixture(scope="module")
def trained() -> tuple[GPTSettings, dict[str, Tensor]]:
    """Weights of a trained model that is nearly nanoGPT's: the lecture's small one, as layout A keeps them."""
    checkpoint = load(paths.shipped_models() / "shakespeare-small")
    settings = checkpoint.config.architecture
    assert isinstance(settings, GPTSettings)
    return settings, _as_lecture(settings, checkpoint.model)


def _as_lecture(settings: GPTSettings, model: LanguageModel) -> dict[str, Tensor]:
    state, made = model.state_dict(), {}
    for kind in ("weight", "bias"):
        made[f"lm_head.{kind}"], made[f"ln_f.{kind}"] = state[f"lm_head.{kind}"], state[f"transformer.ln_f.{kind}"]
    made["token_embedding_table.weight"] = state["transformer.wte.weight"]
    made["position_embedding_table.weight"] = state["transformer.wpe.weight"]
    for layer in range(settings.n_layer):
        at, ours = f"blocks.{layer}", f"transformer.h.{layer}"
        for part, rows in zip(("query", "key", "value"), state[f"{ours}.attn.c_attn.weight"].chunk(3), strict=True):
            for head, piece in enumerate(rows.chunk(settings.n_head)):
                made[f"{at}.sa.heads.{head}.{part}.weight"] = piece.clone()
        names = {"ln_1": "ln1", "ln_2": "ln2", "attn.c_proj": "sa.proj"}
        names |= {"mlp.c_fc": "ffwd.net.0", "mlp.c_proj": "ffwd.net.2"}
        for mine, theirs in names.items():
            for kind in ("weight", "bias"):
                made[f"{at}.{theirs}.{kind}"] = state[f"{ours}.{mine}.{kind}"]
    return made


def test_pages_are_shipped_and_of_the_usual_characters() -> None:
    first = calibration_texts()[0]
    assert len(first.text) > 3000
    assert set(first.text) <= set(SHAKESPEARE)


def test_scale_and_activation_are_found(trained: tuple[GPTSettings, dict[str, Tensor]], tmp_path: Path) -> None:
    settings, state = trained
    torch.save(state, tmp_path / "model.pth")
    opened = open_checkpoint(tmp_path / "model.pth")
    found = opened.config.architecture
    assert isinstance(found, GPTSettings)
    assert (found.attention_scale, found.activation) == (settings.attention_scale, settings.activation)
    facts = {fact.name: fact for fact in opened.facts}
    assert facts["activation"].source == facts["residual"].source == "calibrated"
    assert "next best" in facts["activation"].detail
    # Within eight tokens the scale matters too little for a page to tell it.
    assert (facts["attention_scale"].source, "does not tell" in facts["attention_scale"].detail) == ("guess", True)
    assert "wrong vocabulary" not in facts["loss"].value
    assert doubts(opened.facts).startswith("not known: assumed scale 1/√n_embd")


def test_a_text_that_no_reading_knows_is_followed_by_the_next(
    trained: tuple[GPTSettings, dict[str, Tensor]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a wrong first reading were least surprised by what the model did not learn."""
    by_surprise, asked = calibrate._by_surprise, list[None]()

    def backwards_at_first(*given: Any) -> Iterator[Fitting]:
        asked.append(None)
        return iter([*by_surprise(*given)][:: -1 if len(asked) == 1 else 1])

    monkeypatch.setattr(calibrate, "_by_surprise", backwards_at_first)
    torch.save(trained[1], tmp_path / "model.pth")
    facts = {fact.name: fact for fact in read_model(tmp_path / "model.pth").facts}
    assert facts["activation"].source == "calibrated"
    assert "Pages of Shakespeare" in facts["loss"].detail


def test_the_user_knows_better(trained: tuple[GPTSettings, dict[str, Tensor]], tmp_path: Path) -> None:
    torch.save(trained[1], tmp_path / "model.pth")
    other = {"attention_scale": "head_size", "activation": "gelu"}
    opened = open_checkpoint(tmp_path / "model.pth", overrides=Overrides(other))
    facts = {fact.name: fact for fact in opened.facts}
    assert (facts["attention_scale"].source, facts["activation"].value) == ("typed", "gelu")


def test_a_wrong_vocabulary_is_said(
    trained: tuple[GPTSettings, dict[str, Tensor]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(trained[1], tmp_path / "model.pth")
    (tmp_path / "tokenizer.json").write_text(
        msgspec.json.encode({"name": "char", "characters": SHAKESPEARE[::-1]}).decode(), encoding="utf-8"
    )
    opened = open_checkpoint(tmp_path / "model.pth")
    facts = {fact.name: fact for fact in opened.facts}
    assert "wrong vocabulary" in facts["loss"].value
    assert "counting letters alone gives" in facts["loss"].detail
    import_model(read_model(tmp_path / "model.pth"), tmp_path / "imported", tmp_path / "model.pth")
    for name in ("model.pth", "imported"):  # one line on stderr; stdout has the text alone
        assert main(["generate", str(tmp_path / name), "--max-new-tokens", "1"]) == 0
        assert capsys.readouterr().err.count("worse than counting letters") == 1


def test_guessed_letters_are_doubted_until_the_loss_confirms_them() -> None:
    guess = Fact(name="vocabulary", value="65 characters", source="convention", detail="tiny Shakespeare's")
    good, bad = (
        Fact(name="loss", value="x", source="calibrated", doubt=doubt) for doubt in ("", "worse than counting")
    )
    assert doubts([guess, good]) == ""
    assert doubts([guess]) == "its letters are a guess (tiny Shakespeare's)"
    assert doubts([guess, bad]) == "its letters are a guess (tiny Shakespeare's); worse than counting"


def test_what_was_measured_is_remembered_until_the_file_changes(
    trained: tuple[GPTSettings, dict[str, Tensor]], tmp_path: Path
) -> None:
    torch.save(trained[1], tmp_path / "model.pth")
    inspection = inspect_checkpoint(tmp_path / "model.pth")
    assert cached_calibration(inspection) is None
    cache_calibration(inspection, inspection)
    again = cached_calibration(inspect_checkpoint(tmp_path / "model.pth"))
    assert again is not None
    assert (again.questions, again.facts) == ((), inspection.facts)
    torch.save({**trained[1]}, tmp_path / "other.pth")
    assert cached_calibration(inspect_checkpoint(tmp_path / "other.pth")) is None


def test_losses_are_those_of_each_token(trained: tuple[GPTSettings, dict[str, Tensor]]) -> None:
    checkpoint = load(paths.shipped_models() / "shakespeare-small")
    settings, state = checkpoint.config.architecture, checkpoint.model.state_dict()
    ids = torch.tensor(checkpoint.tokenizer.encode("To be, or not to be: that is"))
    forward = forward_of(settings, {name: tensor.numpy() for name, tensor in state.items()}, "it")
    losses = token_losses(forward, settings, ids.numpy(), 8)
    assert len(losses) == len(ids) - 1
    for at in (0, 24):  # a whole window, and the rest
        with torch.no_grad():
            logits = checkpoint.model(ids[None, at : at + 8][:, : len(ids) - 1 - at])[0]
            alone = torch.nn.functional.cross_entropy(logits, ids[at + 1 : at + 9], reduction="none")
        np.testing.assert_allclose(losses[at : at + 8], alone.numpy(), rtol=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_weights_that_know_nothing_are_left_as_their_program_has_them(seed: int, tmp_path: Path) -> None:
    """Random weights are by chance less surprised by one reading than by another; that is no evidence."""
    torch.manual_seed(seed)
    model = made(NanoGPT(H=2), seed)
    torch.save({"model": model.state_dict(), "model_args": model.arguments}, tmp_path / "ckpt.pt")
    opened = open_checkpoint(tmp_path / "ckpt.pt")
    facts = {fact.name: fact for fact in opened.facts}
    assert (facts["qkv_order"].value, facts["qkv_order"].source) == ("qkv", "convention")
    assert "counting tokens" in facts["activation"].detail
    assert "they are not its letters" in facts["loss"].value
