"""The texts by which a checkpoint is judged, each with the tokenizer by which it is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from tinygpt_tui.foreign.calibration_texts import (
    LEAST_KNOWN,
    LEAST_KNOWN_OF_GIVEN,
    CalibrationText,
    calibration_texts,
    character_sets,
    known_share,
    text_at,
)
from tinygpt_tui.foreign.opening import Inspection
from tinygpt_tui.foreign.vocabulary_places import texts_beside
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer


def candidates(inspection: Inspection, corpus: str = "") -> Iterator[tuple[CalibrationText, Tokenizer, str]]:
    """Yield texts that a model may know, a tokenizer for each, and whose characters those are if nothing tells them.

    The texts are `corpus` alone (a name or a path) where one is given, else those near the weights and on this machine.
    """
    common = calibration_texts(corpus)
    if inspection.tokenizer.name != "numbers":
        near = [] if corpus else [text_at(path) for path in texts_beside(inspection.source)]
        yield from _known(inspection.tokenizer, "", [*near, *common])
        return
    for one in inspection.possible:
        if one.text is None or corpus:
            yield from _known(one.tokenizer, one.named, common)
            continue
        text = text_at(one.text)
        text = dataclasses.replace(text, text=text.text.lower()) if one.lower else text
        if len(one.tokenizer.encode(text.text)) > 1:
            yield text, one.tokenizer, one.named
    for name, characters in character_sets(inspection.tokenizer.size, corpus):
        yield from _known(CharTokenizer(characters), name, common)


def _known(
    tokenizer: Tokenizer, named: str, texts: Iterable[CalibrationText]
) -> Iterator[tuple[CalibrationText, Tokenizer, str]]:
    """Yield the texts of which a vocabulary has nearly all characters."""
    for text in texts:
        least = LEAST_KNOWN_OF_GIVEN if text.given else LEAST_KNOWN
        if known_share(tokenizer, text.text) >= least and len(tokenizer.encode(text.text)) > 1:
            yield text, tokenizer, named
