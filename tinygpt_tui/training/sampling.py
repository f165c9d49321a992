"""What a model in training writes: the same random numbers every time, so that samples can be compared."""

from __future__ import annotations

from collections.abc import Callable

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.events.generation import GenerationEnded, Token
from tinygpt_tui.generation.engine import open_torch_engine
from tinygpt_tui.generation.text import GenerationJob
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.settings.windows import policy_for
from tinygpt_tui.tokenizers.base import Tokenizer


def sample_text(
    model: LanguageModel, tokenizer: Tokenizer, settings: TrainingSettings, stop: Callable[[], bool]
) -> str:
    """Return `settings.sample_tokens` of text from an empty prompt; shorter where `stop` says so meanwhile."""
    training = model.training
    sampling = SamplingSettings(max_new_tokens=settings.sample_tokens, seed=settings.seed)
    block_size = settings.architecture.block_size
    engine = open_torch_engine(model, policy_for("auto", settings.architecture))
    job = GenerationJob(engine, tokenizer, block_size, "", sampling)
    pieces = []
    for event in job:
        if isinstance(event, Token | GenerationEnded):
            pieces.append(event.text)
        if stop():
            job.stop()
    model.train(training)
    return "".join(pieces)
