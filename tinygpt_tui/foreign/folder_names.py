"""What a folder's name tells: TinyGPT writes a model's sizes and its training there, and nowhere else.

    model-shakespear-128-ctx-6-lyr-4-head-6000-iters-64-batch

Tensors and files beside them are surer: of what they tell, the name is only asked whether it says the same.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tinygpt_tui.foreign.facts import Fact, in_words
from tinygpt_tui.foreign.layouts.base import LayoutMatch

SETTINGS = {"ctx": "block_size", "lyr": "n_layer", "head": "n_head"}
TRAINING = {"iters": "steps", "batch": "batch_size"}
_NUMBER = re.compile(r"(?<![^\W_])(\d{1,9})-(ctx|lyr|head|iters|batch)(?![^\W_])")
_CORPUS = re.compile(r"model-(.{1,60}?)-\d+-ctx")


def numbers_in(name: str) -> dict[str, int]:
    """Return what a name says, by the names of our settings; nothing where it is not one of TinyGPT's.

    >>> numbers_in("model-tales-128-ctx-6-lyr-4-head-6000-iters-64-batch")
    {'block_size': 128, 'n_layer': 6, 'n_head': 4, 'steps': 6000, 'batch_size': 64}
    >>> numbers_in("4-head")
    {}
    """
    found = {(SETTINGS | TRAINING)[word]: int(number) for number, word in _NUMBER.findall(name)}
    return found if {"block_size", "n_layer", "n_head"} <= found.keys() and all(found.values()) else {}


def with_name(match: LayoutMatch, name: str, overrides: Mapping[str, Any]) -> LayoutMatch:
    """Return what was examined with what the folder's name tells besides; what is `typed` needs no telling."""
    told = numbers_in(name)
    if not told:
        return match
    settings, questions, facts = match.settings, list(match.questions), list(match.facts)
    for question in match.questions:
        answer = told.get(question.setting)
        if answer in question.candidates and question.setting not in overrides:
            settings = msgspec.structs.replace(settings, **{question.setting: answer})
            questions.remove(question)
            fact = Fact(name=question.setting, value=in_words(answer), source="folder name")
            facts = [fact if one.name == question.setting else one for one in facts]
    facts += _of_training(name, told)
    facts += _contradictions(told, settings, overrides)
    return dataclasses.replace(match, settings=settings, questions=tuple(questions), facts=tuple(facts))


def _of_training(name: str, told: Mapping[str, int]) -> Iterator[Fact]:
    corpus = _CORPUS.match(name)
    if corpus and corpus[1].isprintable():
        yield Fact(name="corpus", value=corpus[1], source="folder name")
    for setting in TRAINING.values():
        if setting in told:
            yield Fact(name=setting, value=in_words(told[setting]), source="folder name")


def _contradictions(told: Mapping[str, int], settings: Any, overrides: Mapping[str, Any]) -> Iterator[Fact]:
    """Say where the name says something else than what is surer; it may have been copied or renamed."""
    for setting in SETTINGS.values():
        ours = getattr(settings, setting, told[setting])
        if ours != told[setting] and setting not in overrides:
            words = f"{setting.replace('_', ' ')} {in_words(told[setting])}"
            yield Fact(name="name_says", value=words, source="folder name", detail=f"it is {in_words(ours)}")
