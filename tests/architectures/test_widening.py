"""A net that is given more tokens makes of the old ones what it did before."""

from __future__ import annotations

import msgspec
import pytest
import torch
from makers import VARIANTS, random_ids, random_model

from tinygpt_tui.architectures.table import build
from tinygpt_tui.architectures.widening import widened

# A table of pairs that share rows is laid out anew with other sharers.
EXACT = {
    name: settings
    for name, settings in VARIANTS.items()
    if not 0 < getattr(settings, "ngram_rows", 0) < (settings.vocab_size + 6) ** 2
}


@pytest.mark.parametrize("name", VARIANTS)
def test_old_tokens_mean_what_they_did(name: str) -> None:
    old = VARIANTS[name]
    model = random_model(old)
    size = old.vocab_size + 5
    wider = build(msgspec.structs.replace(old, vocab_size=size)).eval()
    wider.load_state_dict(widened(model.state_dict(), old, size, seed=1))
    ids = torch.tensor([random_ids(min(8, old.block_size), old.vocab_size)])
    with torch.no_grad():
        before, after = model(ids), wider(ids)
    assert after.shape[-1] == size
    assert after.isfinite().all()
    if name in EXACT:
        torch.testing.assert_close(after[..., : old.vocab_size], before)
    again = widened(model.state_dict(), old, size, seed=1)
    assert all(torch.equal(tensor, again[key]) for key, tensor in wider.state_dict().items())


def test_pairs_keep_their_rows_where_there_is_one_for_each() -> None:
    assert any("n-gram" in name or getattr(settings, "ngram_rows", 0) for name, settings in EXACT.items())


def test_no_more_tokens_is_no_change() -> None:
    weights = random_model(VARIANTS["classic"]).state_dict()
    assert widened(weights, VARIANTS["classic"], 13, seed=1) is weights
