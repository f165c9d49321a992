"""A text of gpt.c with one token replaced has the logits of that text read alone, under each policy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from makers import STANDARD_VARIANTS, random_ids, random_model, tiny_gpt
from native_twins import Twins

from tinygpt_tui.native.library import Library
from tinygpt_tui.native.replacing import NativeReplacer
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.windows import Policy

SLIDING = tiny_gpt(positions="rotary", sliding=True, block_size=65, n_layer=3, token_shift=2, ngram_rows=40)
CASES: list[Any] = [
    *(pytest.param(settings, "exact", id=name) for name, settings in STANDARD_VARIANTS.items()),
    pytest.param(SLIDING, "rolling", id="rolling"),
]


@pytest.mark.parametrize(("settings", "policy"), CASES)
def test_a_changed_text_is_read_as_if_it_were_alone(
    settings: GPTSettings, policy: Policy, twins: Twins, library: Library
) -> None:
    model, T, size = random_model(settings), settings.block_size, settings.vocab_size
    engine = twins.one(model, policy)
    replacer = NativeReplacer(twins.weights(model), library, policy=policy)
    for length in (1, T, T if policy == "exact" else 300):
        ids = random_ids(length, size)
        places = sorted({max(0, length - T), length // 2 if length <= T else length - T // 2, length - 1})
        replacements = [(place, id) for place in places for id in ((ids[place] + 1) % size, ids[place])]
        for logits, (place, id) in zip(replacer.logits(ids, replacements), replacements, strict=True):
            wanted = engine.prefill([*ids[:place], id, *ids[place + 1 :]])
            np.testing.assert_allclose(logits, wanted, rtol=0, atol=1e-4)
