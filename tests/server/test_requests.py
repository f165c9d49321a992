"""What a request comes to: its limits, and what it means where it says nothing."""

from __future__ import annotations

import msgspec
import pytest

from tinygpt_tui.server.problems import Problem
from tinygpt_tui.server.requests import DEFAULT_TOKENS, CompletionRequest, plan_for
from tinygpt_tui.settings.serving import ServingSettings

LIMITS = msgspec.structs.replace(ServingSettings(), texts=4)


@pytest.mark.parametrize(("prompts", "n", "fits"), [(2, 2, True), (2, 3, False), (5, 1, False), (1, 4, True)])
def test_every_prompt_counts_n_times(prompts: int, n: int, fits: bool) -> None:
    request = CompletionRequest(model="m", prompt=("a",) * prompts, n=n)
    if fits:
        assert len(plan_for(request, LIMITS).prompts) * n <= LIMITS.texts
        return
    with pytest.raises(Problem, match=f"not {prompts * n}") as caught:
        plan_for(request, LIMITS)
    assert caught.value.status == 400


@pytest.mark.parametrize("most", [3, DEFAULT_TOKENS + 1])
def test_without_a_number_of_tokens_the_servers_limit_holds(most: int) -> None:
    limits = msgspec.structs.replace(LIMITS, max_tokens=most)
    plan = plan_for(CompletionRequest(model="m", prompt="a"), limits)
    assert plan.sampling.max_new_tokens == min(most, DEFAULT_TOKENS)
