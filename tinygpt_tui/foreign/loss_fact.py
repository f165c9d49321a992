"""What the loss of a model on a text says of it: that its letters are right, or what may be wrong."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.foreign.calibration_texts import CalibrationText
from tinygpt_tui.foreign.facts import Fact
from tinygpt_tui.foreign.opening import Inspection
from tinygpt_tui.foreign.readings import Build, Fitting, Score
from tinygpt_tui.foreign.verdict import Verdict, untrained, verdict
from tinygpt_tui.tokenizers.base import Tokenizer

MOST_LETTERS = 5000  # a vocabulary of more is not one of characters
MOST_SHOWN = 8  # characters


def with_loss(inspection: Inspection, build: Build, found: Score, chosen: Fitting) -> Inspection:
    """Add the model's loss on the text, and where it is worse than counting letters, what may be the reason.

    A vocabulary that nothing tells is confirmed only by a loss that is better.
    """
    text, tokenizer = chosen.text, chosen.tokenizer
    counting = unigram(tokenizer.encode(text.text))
    measured, detail = f"{found.loss:.3f} nats per token", f"on {len(found.losses):,} tokens of {text.name}"
    detail += f"{chosen.way}{_without(tokenizer, text)}"
    reason: Verdict | None = None
    if not found.loss <= counting:
        forward, size = build(inspection), inspection.config.parameters
        reason = untrained(forward, inspection.settings)
        if reason is None and _is_of_letters(tokenizer):
            trusted = any(fact.name == "vocabulary" and fact.source == "file" for fact in inspection.facts)
            reason = verdict(forward, inspection.settings, size, text.name, trusted=trusted)
    if reason is None:
        fact = Fact(name="loss", value=measured, source="calibrated", detail=detail)
        return _with_fact(_with_vocabulary(inspection, chosen), fact)
    if chosen.named:
        measured = f"{measured} with the letters of {chosen.named}, which are not used"
        reason = reason if reason.sure else Verdict("they are not its letters")
    detail = "; ".join(filter(None, (f"{detail}; counting letters alone gives {counting:.3f}", reason.detail)))
    return _with_fact(inspection, _loss_fact(f"{measured}: {reason.words}", detail, reason))


def _with_vocabulary(inspection: Inspection, chosen: Fitting) -> Inspection:
    if not chosen.named:
        return inspection
    words = f"{chosen.tokenizer.size} characters"
    fact = Fact(name="vocabulary", value=words, source="calibrated", detail=f"those of {chosen.named}")
    facts = tuple(fact if one.name == "vocabulary" else one for one in inspection.facts)
    return dataclasses.replace(inspection, tokenizer=chosen.tokenizer, facts=facts)


def with_untrained(inspection: Inspection, build: Build) -> Inspection:
    """Say of a model that no text fits if it is untrained, which its predictions tell alone."""
    try:
        reason = untrained(build(inspection), inspection.settings)
    except TinyGPTError:  # nothing here can run it
        return inspection
    return inspection if reason is None else _with_fact(inspection, _loss_fact(reason.words, reason.detail, reason))


def _with_fact(inspection: Inspection, fact: Fact) -> Inspection:
    return dataclasses.replace(inspection, facts=(*inspection.facts, fact))


def _loss_fact(value: str, detail: str, reason: Verdict) -> Fact:
    return Fact(name="loss", value=value, source="calibrated", detail=detail, doubt=reason.doubt)


def _is_of_letters(tokenizer: Tokenizer) -> bool:
    """Whether no token is more than a character, so that counting tokens is counting letters."""
    ids = range(tokenizer.size)
    return tokenizer.size <= MOST_LETTERS and all(
        len(tokenizer.bytes_of(i).decode("utf-8", "replace")) < 2 for i in ids
    )


def _without(tokenizer: Tokenizer, text: CalibrationText) -> str:
    """Say which characters of a text that the user named are left out; empty where none is."""
    unknown = tokenizer.unknown_in(text.text) if text.given else ""
    if not unknown:
        return ""
    shown = " ".join(repr(character)[1:-1] for character in unknown[:MOST_SHOWN])
    return f", without {shown}{' …' if len(unknown) > MOST_SHOWN else ''}, which the vocabulary lacks"


def with_corpus_unused(inspection: Inspection, corpus: str) -> Inspection:
    """Say why the text that the user named was not used."""
    if inspection.tokenizer.name == "numbers":
        why = f"it has not exactly the {inspection.tokenizer.size} characters of the model"
    else:
        why = "the vocabulary lacks most of its characters"
    return _with_fact(inspection, Fact(name="corpus", value=f"{corpus}: not used", source="typed", detail=why))


def unigram(ids: Sequence[int]) -> float:
    """Return the entropy of the single tokens, nats."""
    counts = np.array(list(Counter(ids).values()), dtype=np.float64)
    frequencies = counts / counts.sum()
    return float(-(frequencies * np.log(frequencies)).sum())
