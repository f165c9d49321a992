"""What a model in training writes: the same random numbers every time, so that samples can be compared."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.gpt import GPT
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.events.generation import GenerationEnded, Token
from tinygpt_tui.generation.base import Engine
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.generation.text import GenerationJob, TextGeneration
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.native.library import load_library
from tinygpt_tui.native.weights import arrange, supports
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.settings.windows import Policy, policy_for
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.dialogues import DialogueTokenizer, shown
from tinygpt_tui.tokenizers.documents import SEPARATOR, DocumentTokenizer
from tinygpt_tui.tokenizers.ids import Ids

NATIVE_PARAMETERS = 20_000_000  # beyond that an accelerator writes faster than the native engine on one core
FIRST_TOKENS = 4096  # of the validation split, in which a conversation is looked for
QUESTIONS = 5  # that a sample answers …
QUESTION_IDS = 1000  # … of this many tokens
SHORT_WINDOW = 32  # tokens: reading this many again for every new one costs little


def sample_text(model: LanguageModel, corpus: Corpus, settings: TrainingSettings, stop: Callable[[], bool]) -> str:
    """Return `settings.sample_tokens` of text from an empty prompt; shorter if `stop` returns True meanwhile.

    A model of documents writes several, one below the other; one of dialogues continues one of the validation split;
    one of pairs answers its first questions.
    """
    training, tokenizer = model.training, corpus.tokenizer
    if settings.windows == "pairs":
        text = _answers(model, corpus, settings, stop)
        model.train(training)
        return text
    prompt = first_turns(corpus) if isinstance(tokenizer, DialogueTokenizer) else ""
    several = isinstance(tokenizer, DocumentTokenizer) and not prompt
    sampling = SamplingSettings(
        max_new_tokens=settings.sample_tokens, seed=settings.seed, stop_at_end_of_text=not several
    )
    block_size = settings.architecture.block_size
    engine = _open_engine(model, settings)
    job = GenerationJob(engine, TextGeneration(tokenizer, block_size, prompt, sampling))
    pieces = []
    for event in job:
        if isinstance(event, Token | GenerationEnded):
            pieces.append(event.text)
        if several and isinstance(event, Token) and event.id == tokenizer.end_of_text:
            pieces.append("\n")
        if stop():
            job.stop()
    model.train(training)
    text = prompt + "".join(pieces)
    return shown(tokenizer.turns_of(text)) if isinstance(tokenizer, DialogueTokenizer) else text


def first_turns(corpus: Corpus) -> str:
    """Return the beginning of the first conversation of the validation split, up to where a reply begins."""
    tokenizer, replies = corpus.tokenizer, corpus.replies
    assert replies is not None, "a corpus of conversations"
    ids = corpus.validation[:FIRST_TOKENS]
    start = int(np.argmax(ids == 0)) + 1 if (ids == 0).any() else 0
    begins = np.flatnonzero(np.isin(ids[start:], replies.roles))
    end = start + int(begins[0]) + 1 if len(begins) else len(ids)
    return b"".join(tokenizer.bytes_of(int(id)) for id in ids[start:end]).decode("utf-8", "replace")


def _answers(model: LanguageModel, corpus: Corpus, settings: TrainingSettings, stop: Callable[[], bool]) -> str:
    """Return questions with the model's most likely answers, one below the other; the right one behind a wrong one."""
    tokenizer, lines = corpus.tokenizer, []
    engine = _open_engine(model, settings)
    sampling = SamplingSettings(temperature=0.0, max_new_tokens=settings.architecture.block_size)
    for pair in _written(corpus.validation[:QUESTION_IDS], tokenizer)[:QUESTIONS]:
        question, _, answer = pair.partition(SEPARATOR)
        job = GenerationJob(
            engine, TextGeneration(tokenizer, settings.architecture.block_size, question + SEPARATOR, sampling)
        )
        found = "".join(event.text for event in job if isinstance(event, Token | GenerationEnded))
        lines.append(f"{question}{SEPARATOR}{found}" + ("" if found == answer else f"  (not {answer})"))
        if stop():
            break
    return "\n".join(lines)


def _written(ids: Ids, tokenizer: Tokenizer) -> list[str]:
    """Return the documents that end in `ids` (N,), which begin with one."""
    return b"".join(tokenizer.bytes_of(int(id)) if id else b"\n" for id in ids).decode().split("\n")[:-1]


def _open_engine(model: LanguageModel, settings: TrainingSettings) -> Engine:
    """Return the fastest engine for weights that the next step will change."""
    policy: Policy = policy_for("auto", settings.architecture)
    if policy == "exact" and settings.architecture.block_size > SHORT_WINDOW:
        policy = "reanchor"  # a sample must show what was learned, at a tenth of the time
    library, weights = load_library(), model.state_dict()
    plain = all(weight.dtype == torch.float32 for weight in weights.values())
    large = model.device.type != "cpu" and model.count_parameters() > NATIVE_PARAMETERS
    if library is None or not plain or large or not isinstance(model, GPT) or not supports(model.settings):
        return TorchEngine(model, policy)
    arrays = {name: weight.detach().cpu().numpy() for name, weight in weights.items()}
    return NativeEngine(arrange(model.settings, arrays), library, policy=policy)
