"""What a text is made of: copies and near copies, both parts of the split, scripts, addresses and keys."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest

from tinygpt_tui.corpora import survey as module
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.corpora.near_copies import near_copies, signatures
from tinygpt_tui.corpora.personal import Kind, found_in, without
from tinygpt_tui.corpora.survey import Survey, surveying
from tinygpt_tui.doctor.survey import survey_findings
from tinygpt_tui.planning.estimate import advice, estimate
from tinygpt_tui.planning.machine import Machine
from tinygpt_tui.progress import exhausted
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.documents import BOUNDARY

WORDS = [f"{first}{second}" for first in ("ka", "lo", "mi", "nu", "re") for second in ("ton", "bel", "shi", "gor")]
KEY = "sk-" + "a1B2" * 8


def story(number: int, words: int = 60) -> str:
    return " ".join(random.Random(number).choices(WORDS, k=words))


def survey(*documents: str, share: float = 0.1) -> Survey:
    return exhausted(surveying(CorpusText.of("".join(one + BOUNDARY for one in documents), len(documents)), share))


def changed(text: str, count: int) -> str:
    places = random.Random(count).sample(range(len(text)), count)
    return "".join("#" if place in places else one for place, one in enumerate(text))


def test_texts_that_differ_by_little_are_near_and_others_are_not() -> None:
    texts = [story(number) for number in range(300)]
    found = near_copies(signatures([*texts, *(changed(text, 2) for text in texts)]))
    assert (found[:300] == np.arange(300)).all()
    assert (found[300:] == np.arange(300)).mean() > 0.97
    other = near_copies(signatures([*texts, *(changed(text, 60) for text in texts)]))
    assert (other == np.arange(600)).all()
    alone = signatures(texts[:1])
    assert (signatures(texts)[0] == alone[0]).all()  # whatever is beside it


def test_copies_and_what_is_in_both_parts() -> None:
    stories = [story(number) for number in range(40)]
    stories[20], stories[21] = stories[3], changed(stories[4], 1)
    stories[38], stories[39] = stories[5], changed(stories[6], 1)
    found = survey(*stories)
    assert (found.documents, found.validation_documents) == (40, 4)
    assert [found.copies.count, found.near_copies.count] == [2, 2]
    assert [found.in_both.count, found.near_in_both.count] == [1, 1]
    text = BOUNDARY.join(stories)
    assert text[found.in_both.place :].startswith(stories[38])
    assert text[found.near_in_both.place :].startswith(stories[39])
    checks = {finding.check: finding for finding in survey_findings(found, own=True)}
    assert checks["copies"].action == "leave-out-copies"
    assert "2 documents of the validation split" in checks["both-parts"].text
    assert {finding.action for finding in survey_findings(found, own=False)} == {""}


def test_a_text_without_documents_is_compared_by_its_long_paragraphs() -> None:
    paragraphs = [story(number) for number in range(30)]
    paragraphs[9] = paragraphs[2]
    text = "\n\n".join(["short", *paragraphs, "short", "short"])
    found = exhausted(surveying(CorpusText.of(text), 0.1))
    assert (found.documents, found.copies.count, found.near_copies.count) == (0, 1, 0)
    assert text[found.copies.place :].startswith(paragraphs[2])


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_it_does_not_matter_where_a_text_is_cut(piece: int) -> None:
    text = "\n\n".join([story(1), story(2), story(1)])
    parts = [text[start : start + piece] for start in range(0, len(text), piece)]
    whole = exhausted(surveying(CorpusText.of(text), 0.1))
    cut = exhausted(surveying(CorpusText(parts, counts=CorpusText.of(text).counts), 0.1))
    assert (cut.copies, cut.compared) == (whole.copies, whole.compared) == (whole.copies, 2)


def test_a_large_text_is_examined_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE", 20_000)
    monkeypatch.setattr(module, "MOST_HASHES", 100)
    stories = [story(number % 500, 20) for number in range(1000)]
    text = "".join(one + BOUNDARY for one in stories)
    parts = [text[start : start + 5000] for start in range(0, len(text), 5000)]
    found = exhausted(surveying(CorpusText(parts, counts=CorpusText.of(text).counts, documents=1000), 0.1))
    assert found.estimated
    assert found.examined < 0.3
    assert 300 < found.copies.count < 700
    assert any("examined closely" in finding.text for finding in survey_findings(found, own=True))


def test_what_is_hardly_meant_to_be_read() -> None:
    page = "<p class='x'>a</p> " * 30
    found = survey(story(1), page, "x" * 30_000, "write to bob@here.org, now", f"token {KEY}", "Привет, мир")
    assert (found.markup.count, found.longest_line.count) == (60, 30_000)
    assert (found.addresses.text, found.keys.text) == ("bob@here.org", KEY)
    assert list(found.scripts) == ["Latin", "Cyrillic"]
    findings = list(survey_findings(found, own=True))
    assert {"markup", "longest-line", "addresses", "keys"} <= {finding.check for finding in findings}
    assert all(KEY not in finding.text for finding in findings)
    records = survey(*('{"text": "one"}\n{"text": "two"}' for _ in range(9)))
    assert "json" in {finding.check for finding in survey_findings(records, own=True)}


def test_many_different_characters_get_another_tokenizer() -> None:
    found = exhausted(surveying(CorpusText.of("".join(map(chr, range(0x4E00, 0x4E00 + 10_000)))), 0.1))
    (finding,) = (one for one in survey_findings(found, own=True) if one.check == "characters")
    assert finding.text.startswith("10,000 different")
    assert finding.remedy == {"tokenizer": "characters:100"}
    settings = TrainingSettings(architecture=GPTSettings(vocab_size=10_000))
    assert finding in advice(settings, estimate(settings, 10_000, Machine()))
    pieces = msgspec.structs.replace(settings, tokenizer="bpe:9744")
    assert "characters" not in {one.check for one in advice(pieces, estimate(pieces, 10_000, Machine()))}


@pytest.mark.parametrize(
    ("kind", "text", "rest"),
    [
        ("addresses", "a b.c+d@mail.example.org!", "a !"),
        ("addresses", "no@ address @here and a@b", "no@ address @here and a@b"),
        ("keys", f"x {KEY}.", "x ."),
        ("keys", "x AKIA" + "A1" * 8 + " y", "x  y"),
        ("keys", "-----BEGIN RSA PRIVATE KEY-----\nab\n-----END RSA PRIVATE KEY-----", ""),
        ("keys", "sk-short, task-force, disk-full", "sk-short, task-force, disk-full"),
    ],
)
def test_addresses_and_keys(kind: Kind, text: str, rest: str) -> None:
    assert without(text, kind) == (rest, len(list(found_in(text, kind))))


def test_the_time_of_a_search_is_bounded() -> None:
    """A long run of letters is passed once, not once for each of its letters."""
    hostile = "a" * 2_000_000 + " @ " + "sk-" + "a-" * 100_000 + "-----BEGIN PRIVATE KEY-----" * 2_000
    assert not list(found_in(hostile, "addresses"))
    assert len(list(found_in(hostile, "keys"))) <= 1
