"""Every architecture can be walked through, and what the walk shows is what the net computed."""

from __future__ import annotations

import pytest
import torch
from makers import VARIANTS, random_ids, random_model

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.events.tracing import TraceStep
from tinygpt_tui.insight.lens import blocks_of, logits_after_layers
from tinygpt_tui.insight.recorder import Recorder
from tinygpt_tui.settings.architecture import ArchitectureSettings, EncoderDecoderSettings

every_variant = pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS.keys())


def walked(settings: ArchitectureSettings) -> tuple[LanguageModel, torch.Tensor, Recorder, torch.Tensor]:
    model = random_model(settings)
    ids = torch.tensor([random_ids(min(7, settings.block_size), settings.vocab_size)])
    if isinstance(settings, EncoderDecoderSettings):
        ids[0, 2] = settings.separator
    recorder = Recorder(model, 64, keep=True)
    return model, ids, recorder, recorder.record(ids)


def named(steps: list[TraceStep], name: str) -> list[TraceStep]:
    return [step for step in steps if step.name == name]


@every_variant
@torch.no_grad()
def test_it_ends_with_the_real_logits_and_listening_changes_nothing(settings: ArchitectureSettings) -> None:
    model, ids, recorder, logits = walked(settings)
    plain = model(ids)
    torch.testing.assert_close(logits, plain)
    last = recorder.steps[-1]
    assert (last.kind, last.symbols, last.place) == ("logits", "B, T, V", ())
    assert torch.equal(recorder.tensors[last.number], logits)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    torch.testing.assert_close(model(ids), plain)


@every_variant
def test_steps_have_names_shapes_and_come_from_steps_before_them(settings: ArchitectureSettings) -> None:
    _, ids, recorder, _ = walked(settings)
    steps = recorder.steps
    sizes: dict[str, int] = {}
    assert steps[0].shape == tuple(ids.shape)
    for number, step in enumerate(steps):
        assert step.number == number
        assert step.name
        assert step.title
        assert "{" not in step.formula
        assert step.shape == tuple(recorder.tensors[number].shape)
        assert all(source < number for source in step.inputs)
        letters = step.symbols.split(", ")
        assert len(letters) == len(step.shape), step
        for letter, size in zip(letters, step.shape, strict=True):
            if len(letter) == 1 and letter != "n":  # the same letter is the same number in a whole walk
                assert sizes.setdefault(letter, size) == size, (step, sizes)
        if number and step.title != "position embedding":
            assert step.inputs, step
            assert step.source.endswith(tuple("0123456789"))
            assert step.code
    read = {source for step in steps for source in step.inputs}
    assert read >= {step.number for step in steps[:-1]}, "what nobody uses is no step on the way to the logits"


@every_variant
def test_every_layer_is_a_part_of_its_own(settings: ArchitectureSettings) -> None:
    model, _, recorder, _ = walked(settings)
    blocks = list(dict.fromkeys(step.place[0] for step in recorder.steps if step.place))
    numbered = [block for block in blocks if block.startswith("block")]
    assert numbered == [f"block {number + 1}" for number in range(len(blocks_of(model)))]
    assert len(numbered) == settings.n_layer


@every_variant
def test_attention_sums_to_one_sees_no_future_and_mixes_the_real_values(settings: ArchitectureSettings) -> None:
    _, ids, recorder, _ = walked(settings)
    maps = [step for step in recorder.steps if step.kind == "weights"]
    assert bool(maps) == (settings.__struct_config__.tag in ("gpt", "backpack", "encoder_decoder"))
    T = ids.shape[1]
    for step in maps:
        weights = recorder.tensors[step.number]
        assert weights.shape[-2:] == (T, T)
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
        if step.place[:1] == ("encoder",) or step.title == "cross-attention":  # the whole question, and no answer
            end = ids[0].tolist().index(settings.separator)  # type: ignore[union-attr]
            assert weights[..., : end + 1].all()
            assert not weights[..., end + 1 :].any()
        else:
            assert not weights.triu(1).any()
        assert len(step.pictures) == step.shape[1]
        mixed = recorder.steps[step.number + 1]
        values = recorder.tensors[next(source for source in mixed.inputs if source != step.number)]
        torch.testing.assert_close(weights @ values, recorder.tensors[mixed.number], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
def test_the_states_reckoned_from_the_gates_are_the_kernels_own(kind: str) -> None:
    model, _, recorder, _ = walked(VARIANTS[kind])
    projections = [step for step in recorder.steps if step.title == "projection"]
    for layer, state in enumerate(named(recorder.steps, "s")):
        # What the kernel gave went into the next product: the same product of ours must give the same.
        made = model.h[layer].c_proj(recorder.tensors[state.number])  # type: ignore[index,operator,union-attr]
        torch.testing.assert_close(made, recorder.tensors[projections[layer].number], rtol=1e-4, atol=1e-5)


@every_variant
@torch.no_grad()
def test_the_lens_ends_with_the_nets_own_answer(settings: ArchitectureSettings) -> None:
    model, ids, _, logits = walked(settings)
    rows = list(logits_after_layers(model, ids, ids.shape[1]))
    assert len(rows) == settings.n_layer + 1
    for whole, last in zip(rows, logits_after_layers(model, ids, 1), strict=True):
        if whole is None or last is None:  # the head reads another width
            assert whole is last
            continue
        torch.testing.assert_close(last, whole[:, -1:], rtol=1e-4, atol=1e-4)
        assert whole.shape == logits.shape
    assert rows[-1] is not None
    torch.testing.assert_close(rows[-1], logits)
    torch.testing.assert_close(model(ids), logits)  # nothing of it stays
    if rows[0] is not None and settings.n_layer > 1 and settings.vocab_size > 1:
        assert (rows[0] - rows[-1]).abs().max() > 1e-3
