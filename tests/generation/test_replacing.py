"""A text with one token replaced has the logits of that text read alone: by torch and by gpt.c, under each policy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from makers import VARIANTS, random_ids, random_model

from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.generation.replacing import AT_ONCE, BatchReplacer, Replacement
from tinygpt_tui.generation.slots import SlotBatchEngine
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.windows import Policy

CASES: list[Any] = [
    pytest.param(settings, policy, id=f"{name}, {policy}")
    for name, settings in VARIANTS.items()
    for policy in (("exact", "rolling") if settings.supports_sliding else ("exact",))
]


def replacements_of(ids: list[int], block_size: int, size: int) -> list[Replacement]:
    """Return two replacements for each place of the last window: another id, and the one that is there."""
    return [
        Replacement(place, id)
        for place in range(max(0, len(ids) - block_size), len(ids))
        for id in ((ids[place] + 1) % size, ids[place])
    ]


@pytest.mark.parametrize(("settings", "policy"), CASES)
def test_a_changed_text_is_read_as_if_it_were_alone(settings: ArchitectureSettings, policy: Policy) -> None:
    model, size = random_model(settings), settings.vocab_size
    engine, replacer = TorchEngine(model, policy), BatchReplacer(SlotBatchEngine(model, AT_ONCE, policy))
    for length in (1, 21 if policy == "rolling" else settings.block_size):
        ids = random_ids(length, size)
        replacements = replacements_of(ids, settings.block_size, size)
        found = replacer.logits(ids, replacements)
        for logits, (place, id) in zip(found, replacements, strict=True):
            wanted = engine.prefill([*ids[:place], id, *ids[place + 1 :]])
            np.testing.assert_allclose(logits, wanted, rtol=0, atol=1e-4 * max(float(wanted.std()), 0.1))
