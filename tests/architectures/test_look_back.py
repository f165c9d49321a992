"""The start with which heads see the last tokens."""

from __future__ import annotations

import pytest
import torch
from makers import tiny_gpt

from tinygpt_tui.architectures.gpt import GPT
from tinygpt_tui.architectures.transformer import rotate
from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.rules import check


@pytest.mark.parametrize("n_kv_head", [0, 2])
def test_its_heads_see_the_last_tokens_and_pass_them_on(n_kv_head: int) -> None:
    torch.manual_seed(0)
    settings = tiny_gpt(
        vocab_size=40, block_size=12, n_embd=128, n_head=4, n_kv_head=n_kv_head, positions="rotary", norm="rmsnorm",
        rotary_base=300.0, start="look_back",
    )  # fmt: skip
    net = GPT(settings)
    block, table = net.transformer["h"][0], net.rope
    h = block.ln_1(net.transformer["wte"](torch.randint(40, (1, 12))))
    made = block.attn.c_attn(h).view(1, 12, -1, settings.head_size).transpose(1, 2)
    queries, keys = rotate(made[:, :4], table), rotate(made[:, 4 : 4 + settings.kv_heads], table)
    keys = keys.repeat_interleave(4 // settings.kv_heads, dim=1)
    shares = (queries @ keys.mT * settings.score_scale).masked_fill(~torch.ones(12, 12).tril().bool(), -torch.inf)
    most = shares.argmax(-1)[0]
    for back, head in zip((1, 2, 3), range(0, 4, 4 // settings.kv_heads), strict=False):
        seen = (most[head, 3:] == torch.arange(3, 12) - back).sum()
        assert seen >= 7  # what tokens do not share is noise
    written = block.attn.c_proj.weight.view(128, 4, 32).abs().amax((0, 2)) > 0  # the others start by adding nothing
    assert written.tolist() == ([True, True, True, False] if not n_kv_head else [True, False, True, False])


def test_it_needs_rotary_positions() -> None:
    with pytest.raises(UsageError, match="look_back needs rotary positions"):
        check(tiny_gpt(start="look_back"))
