"""Invalid combinations of settings, each rule once; forms, command line, files, engines and models use them."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.architecture import EncoderDecoderSettings
from tinygpt_tui.settings.base import BaseArchitecture
from tinygpt_tui.settings.gpt import GPTSettings
from tinygpt_tui.settings.tokenizer import tokenizer_choice
from tinygpt_tui.settings.training import BY_DOCUMENT, TrainingSettings


class Problem(NamedTuple):
    """A setting that does not fit the others: why, and what to do about it."""

    field: str
    message: str
    hint: str


def problems(settings: BaseArchitecture | TrainingSettings, processes: int | None = None) -> list[Problem]:
    """Return the problems of a model's settings, or of a run's including its model's; empty if all is valid.

    `processes` is how many share the batch; by default as many as the settings say.
    """
    if isinstance(settings, TrainingSettings):
        return [*_of_model(settings.architecture), *_of_run(settings, processes or settings.processes)]
    return list(_of_model(settings))


def check(settings: BaseArchitecture | TrainingSettings, processes: int | None = None) -> None:
    """Raise UsageError for the first of the `problems`."""
    for problem in problems(settings, processes):
        raise UsageError(problem.message, problem.hint, setting=problem.field)


def _of_model(s: BaseArchitecture) -> Iterator[Problem]:
    if isinstance(s, EncoderDecoderSettings) and s.separator >= s.vocab_size:
        yield Problem("separator", f"is not one of {s.vocab_size} tokens", "choose a smaller one")
    divisors = {"n_head": s.n_head, "n_sense": s.n_sense}
    if isinstance(s, GPTSettings):
        if s.head_width:
            del divisors["n_head"]
        if s.n_head % s.kv_heads:
            choices = [str(count) for count in range(1, s.n_head + 1) if s.n_head % count == 0]
            yield Problem("n_kv_head", f"must divide n head ({s.n_head})", f"choose {_either(choices)}")
        if not s.projection and s.head_size * s.n_head != s.n_embd and s.head_width:
            yield Problem(
                "head_width", f"without a projection the heads together must be n embd ({s.n_embd}) wide", "choose 0"
            )
        yield from _of_attention(s)
        if s.start == "look_back" and not s.is_rotary:
            yield Problem(
                "start", "look_back needs rotary positions", "set positions to rotary, or choose another start"
            )
        if s.sliding and not s.is_rotary:
            yield Problem("sliding", "needs rotary positions", "set positions to rotary, or sliding to no")
    for name, count in divisors.items():
        if count and s.n_embd % count:
            below = s.n_embd // count * count
            choices = [str(width) for width in (below, below + count) if width >= 2]
            title = name.replace("_", " ")
            yield Problem("n_embd", f"must be divisible by {title} ({count})", f"choose {_either(choices)}")
            return
    if s.is_rotary and s.head_size % 2:
        field = "head_width" if isinstance(s, GPTSettings) and s.head_width else "n_embd"
        message = f"gives heads of {s.head_size} numbers, and rotary positions rotate pairs"
        yield Problem(field, message, "choose one that gives an even number")


def _of_attention(s: GPTSettings) -> Iterator[Problem]:
    pairs = (s.rotary_width or s.head_size) // 2
    if s.qk_norm_weight and not s.qk_norm:
        yield Problem("qk_norm_weight", "needs normalised queries and keys", "set qk norm to yes")
    if s.rotary_width > s.head_size or s.rotary_width % 2:
        yield Problem("rotary_width", f"must be an even part of a head of {s.head_size}", "choose 0 for the whole head")
    elif s.rotary_factors and (len(s.rotary_factors) != pairs or not all(0 < one < inf for one in s.rotary_factors)):
        yield Problem("rotary_factors", f"must be {pairs} numbers above zero, one for each pair", "choose none")
    if any(window < 0 for window in s.local_windows):
        yield Problem("local_windows", "must not be negative", "choose 0 for the whole window")
    if s.local_windows and s.sliding:
        yield Problem("local_windows", "cannot be combined with sliding", "set sliding to no, or choose none")
    if s.parallel and (s.residual != "stream" or s.feed_forward == "none"):
        yield Problem("parallel", "needs an MLP and a residual of the stream", "set parallel to no")


def _of_run(settings: TrainingSettings, processes: int) -> Iterator[Problem]:
    try:
        tokenizer_choice(settings.tokenizer)
    except UsageError as error:
        yield Problem("tokenizer", error.problem, error.hint)
    stateful = settings.architecture.is_stateful
    if stateful and settings.precision == "bf16":
        yield Problem("precision", "a recurrent model trains in fp32", "choose auto or fp32")
    if processes > settings.batch_size:
        yield Problem(
            "batch_size",
            f"{settings.batch_size} cannot be split among {processes} processes",
            f"choose {processes} or more",
        )
    if stateful and settings.mix_old and settings.batch_size < 2:
        yield Problem("batch_size", "a recurrent model reads each of two texts in a row of its own", "choose 2 or more")
    if settings.windows in BY_DOCUMENT and settings.mix_old:
        yield Problem("mix_old", "the starting model's own text has windows that begin anywhere", "choose 0")
    if stateful and settings.windows not in BY_DOCUMENT and processes > 1:
        yield Problem("processes", "a recurrent model passes its memory from step to step in one process", "choose 1")


def _either(choices: list[str]) -> str:
    """Join choices: "1, 2 or 4"."""
    return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
