"""What must hold for every architecture in the table, with every option."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import torch
from makers import VARIANTS, make_model, random_ids, random_model, tiny_gpt

from tinygpt_tui.architectures.base import Role
from tinygpt_tui.architectures.table import ARCHITECTURES, build
from tinygpt_tui.checkpoints.native import load
from tinygpt_tui.settings.architecture import ArchitectureSettings, EncoderDecoderSettings
from tinygpt_tui.settings.base import count_parameters
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training.muon import Muon
from tinygpt_tui.training.optimizer import make_optimizers

PRESET_NETS = {f"preset {name}": preset.training.architecture for name, preset in ALL_PRESETS.items()}
every_variant = pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS.keys())
every_net = pytest.mark.parametrize("settings", (VARIANTS | PRESET_NETS).values(), ids=(VARIANTS | PRESET_NETS).keys())


def ids_for(settings: ArchitectureSettings, rows: int = 2) -> torch.Tensor:
    """Return ids (rows, block_size); the second is the separator where only answers are predicted."""
    count = rows * settings.block_size
    ids = torch.tensor(random_ids(count, settings.vocab_size)).view(rows, settings.block_size)
    if isinstance(settings, EncoderDecoderSettings):
        ids[:, 1] = settings.separator
    return ids


def test_every_row_of_the_table_is_tested() -> None:
    assert {settings.__struct_config__.tag for settings in VARIANTS.values()} == ARCHITECTURES.keys()


@every_variant
def test_ids_become_finite_logits_of_the_vocabulary(settings: ArchitectureSettings) -> None:
    model = random_model(settings)
    assert model.block_size in (settings.block_size, None)
    assert model.vocab_size == settings.vocab_size
    with torch.no_grad():
        for length in {1, settings.block_size}:
            logits = model(ids_for(settings)[:, :length])
            assert logits.shape == (2, length, settings.vocab_size)
            assert logits.dtype == torch.float32
            assert logits.isfinite().all()


@every_variant
@torch.no_grad()
def test_a_later_id_never_changes_earlier_logits(settings: ArchitectureSettings) -> None:
    model = random_model(settings)
    ids = ids_for(settings)
    before = model(ids)
    for place in range(settings.block_size):
        changed = ids.clone()
        changed[:, place] = (changed[:, place] + 1) % settings.vocab_size
        after = model(changed)
        torch.testing.assert_close(after[:, :place], before[:, :place], rtol=0, atol=1e-5)
        if settings.vocab_size > 1 and not (settings.answers_only and not place):  # of a question nothing is predicted
            assert (after[:, place] - before[:, place]).abs().max() > 1e-3  # and its own ones do


@every_variant
@torch.no_grad()
def test_rows_of_a_batch_know_nothing_of_one_another(settings: ArchitectureSettings) -> None:
    model = random_model(settings)
    ids = ids_for(settings, rows=3)
    alone = torch.cat([model(row[None]) for row in ids])
    torch.testing.assert_close(model(ids), alone, rtol=1e-4, atol=1e-4)


@every_variant
@pytest.mark.parametrize("pieces", [(1,) * 8, (8,), (3, 1, 2, 2), (1, 7), (7, 1)], ids=str)
@torch.no_grad()
def test_with_memory_the_answer_is_the_same_as_without(settings: ArchitectureSettings, pieces: tuple[int, ...]) -> None:
    model = random_model(settings)
    ids = ids_for(settings)
    memory = model.new_memory(2)
    found = []
    for piece in ids.split(list(pieces) if settings.block_size == sum(pieces) else 1, dim=1):
        found.append(model(piece, memory))
        assert memory.length == sum(part.shape[1] for part in found)
    torch.testing.assert_close(torch.cat(found, dim=1), model(ids), rtol=1e-4, atol=1e-4)


@every_variant
@torch.no_grad()
def test_two_memories_do_not_mix(settings: ArchitectureSettings) -> None:
    model = random_model(settings)
    ids = ids_for(settings)
    memories = model.new_memory(1), model.new_memory(1)
    found = [
        [model(ids[row : row + 1, t : t + 1], memories[row]) for row in (0, 1)] for t in range(settings.block_size)
    ]
    for row in (0, 1):
        joined = torch.cat([pair[row] for pair in found], dim=1)
        torch.testing.assert_close(joined, model(ids[row : row + 1]), rtol=1e-4, atol=1e-4)


@every_variant
@torch.no_grad()
def test_a_memory_brings_texts_of_different_lengths_together(settings: ArchitectureSettings) -> None:
    if settings.block_size == 1:
        pytest.skip("all texts in a window of one are equally long")
    model = random_model(settings)
    ids = ids_for(settings)
    lengths = (settings.block_size - 2, 1)
    memory = model.new_memory(3)
    for row, length in enumerate(lengths):
        alone = model.new_memory(1)
        model(ids[row : row + 1, :length], alone)
        memory.put(row, alone, 0)
    for step in (0, 1):
        found = model(torch.stack([ids[row, [length + step]] for row, length in enumerate(lengths)]), memory)
        for row, length in enumerate(lengths):
            wanted = model(ids[row : row + 1, : length + step + 1])[0, -1]
            torch.testing.assert_close(found[row, 0], wanted, rtol=1e-4, atol=1e-4)
    assert memory.lengths == [settings.block_size, 3, 0]


@every_variant
@torch.inference_mode()
def test_what_is_remembered_lies_where_the_weights_are(settings: ArchitectureSettings) -> None:
    if settings.block_size == 1:
        pytest.skip("all texts in a window of one are equally long")
    model = random_model(settings).to("meta")  # the one other device that is everywhere
    memory = model.new_memory(2)
    for row, length in enumerate((1, 3)):
        alone = model.new_memory(1)
        model(ids_for(settings)[:1, :length].to("meta"), alone)
        memory.put(row, alone, 0)
    assert model(ids_for(settings)[:, :1].to("meta"), memory).device.type == "meta"


@every_variant
def test_every_weight_learns(settings: ArchitectureSettings) -> None:
    model = random_model(settings).train()
    model(ids_for(settings)).square().sum().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


@every_variant
@torch.no_grad()
def test_saved_and_loaded_it_is_the_same(settings: ArchitectureSettings, tmp_path: Path) -> None:
    model = make_model(tmp_path / "net", settings)
    opened = load(tmp_path / "net")
    assert opened.config.architecture == settings
    assert torch.equal(opened.model(ids_for(settings)), model(ids_for(settings)))
    assert not opened.model.training


@every_net
def test_parameters_are_counted_without_building_the_net(settings: ArchitectureSettings) -> None:
    with torch.device("meta"):
        model = build(settings)
    assert count_parameters(settings) == model.count_parameters()
    assert all(count >= 0 for count in settings.parameter_budget().values())


@every_variant
def test_building_draws_from_the_seed_alone(settings: ArchitectureSettings) -> None:
    states = []
    for _ in range(2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            states.append(build(settings).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@every_net
@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_every_weight_has_one_role_and_no_embedding_is_orthogonalised(
    settings: ArchitectureSettings, optimizer: Literal["muon", "adamw"]
) -> None:
    with torch.device("meta"):
        model = build(settings)
    weights, roles = dict(model.named_parameters()), model.roles()
    assert roles.keys() == weights.keys()
    assert Role.HEAD in roles.values() or settings.tied_head or not settings.n_layer
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    assert {id(weights[name]) for name, role in roles.items() if role is Role.EMBEDDING} >= embeddings
    optimizers = make_optimizers(model, TrainingSettings(architecture=settings, optimizer=optimizer))
    placed = [id(weight) for one in optimizers for group in one.param_groups for weight in group["params"]]
    assert sorted(placed) == sorted(map(id, weights.values()))
    matrices = {id(weights[name]) for name, role in roles.items() if role is Role.MATRIX}
    for one in optimizers:
        for group in one.param_groups:
            inside = {id(weight) for weight in group["params"]}
            assert inside <= matrices if isinstance(one, Muon) or group["weight_decay"] else not inside & matrices


SLIDING = {name: settings for name, settings in VARIANTS.items() if settings.supports_sliding}
every_sliding = pytest.mark.parametrize("settings", SLIDING.values(), ids=SLIDING.keys())


@every_sliding
@pytest.mark.parametrize("pieces", [(1,), (8,), (11, 1, 5), (40,)], ids=str)
@torch.no_grad()
def test_sliding_attention_reads_a_text_of_any_length_in_any_pieces(
    settings: ArchitectureSettings, pieces: tuple[int, ...]
) -> None:
    model = random_model(settings)
    ids = torch.tensor([random_ids(5 * settings.block_size, settings.vocab_size)])
    memory, found, place = model.new_memory(1), [], 0
    while place < ids.shape[1]:
        piece = ids[:, place : place + pieces[len(found) % len(pieces)]]
        found.append(model(piece, memory))
        place += piece.shape[1]
    torch.testing.assert_close(torch.cat(found, dim=1), model(ids), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_sliding_attention_reaches_back_a_block_in_each_layer_and_no_further() -> None:
    settings = tiny_gpt(positions="rotary", sliding=True)
    model, length = random_model(settings), 40
    ids = torch.tensor([random_ids(length, settings.vocab_size)])
    before = model(ids)[0, -1]
    reach = settings.n_layer * (settings.block_size - 1)  # each layer looks block_size - 1 back from what the last saw
    for place in range(length):
        changed = ids.clone()
        changed[:, place] = (changed[:, place] + 1) % settings.vocab_size
        felt = bool((model(changed)[0, -1] - before).abs().max() > 1e-6)
        assert felt == (place >= length - 1 - reach), place
