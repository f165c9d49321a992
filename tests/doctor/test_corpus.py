"""What the doctor says of a text: damage with its place, an odd split, passages that stand in both parts."""

from __future__ import annotations

import numpy as np
import pytest
from makers import split

from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.corpora.read import read_text
from tinygpt_tui.doctor import corpus as doctor
from tinygpt_tui.doctor.corpus import damage_findings, repeated, repetition_findings, split_findings
from tinygpt_tui.events.training import Finding
from tinygpt_tui.paths import shipped_data

PLAIN = "Es war einmal ein Müller, der hatte drei Söhne. „Café“, naïve façade – Ångström’s Â and Ã.\n"


def damage(text: str) -> dict[str, Finding]:
    return {finding.check: finding for finding in damage_findings([text])}


def random_corpus(train: int, validation: int, size: int = 50) -> Corpus:
    letters = "".join(map(chr, range(33, 33 + size)))
    drawn = np.random.default_rng(0).integers(size, size=train + validation)
    return split("".join(letters[id] for id in drawn), 8, validation / (train + validation))


def only(findings: object) -> Finding:
    (finding,) = findings  # type: ignore[misc]
    assert isinstance(finding, Finding)
    return finding


def test_good_text_is_fine() -> None:
    assert [finding.level for finding in damage_findings([PLAIN])] == ["fine"]


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_mojibake_is_found_and_explained(encoding: str) -> None:
    broken = PLAIN + "Le caf" + "é à côté".encode().decode(encoding)
    found = damage(broken)["mojibake"]
    assert found.level == "warning"
    assert found.place == broken.index("Ã©")
    assert "'Ã©' for 'é'" in found.text
    assert "in line 2" in found.text


def test_curly_quotes_and_dashes_gone_wrong() -> None:
    broken = "don’t – wait…".encode().decode("cp1252")
    assert "3 places" in damage(broken)["mojibake"].text


@pytest.mark.parametrize(
    ("text", "check", "place"),
    [("ab�c", "replacement", 2), ("a &amp; b", "entities", 2), ("a\x07b", "controls", 1)],
)
def test_other_damage(text: str, check: str, place: int) -> None:
    found = damage(text)[check]
    assert found.level in ("hint", "warning")
    assert found.place == place
    assert found.why


def test_an_ampersand_alone_is_no_entity() -> None:
    assert set(damage("R&D; Q&A &c;")) == {"encoding"}


def test_what_is_said_of_an_ordinary_split() -> None:
    found = only(split_findings(random_corpus(900, 100)))
    assert found.level == "fine"
    assert "900 of 1,000 tokens (90%) with 50 of 50 different ones" in found.text


@pytest.mark.parametrize(
    ("end", "said"), [("xyz", "3 different tokens are only in the validation split ('x'"), ("xxx", "1 token is only")]
)
def test_tokens_that_only_judge(end: str, said: str) -> None:
    found = only(split_findings(split("abc" * 300 + end * 33, 8, 0.1)))
    assert found.level == "warning"
    assert found.text.startswith(said)
    assert found.place == 900


def test_more_that_judges_than_is_learnt() -> None:
    found = only(split_findings(split("abc" * 300, 8, 0.7)))
    assert found.level == "warning"
    assert found.remedy == {"validation_share": "0.1"}


def test_passages_in_both_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = random_corpus(9000, 1000)
    assert only(repetition_findings(corpus)).level == "fine"
    train = corpus.train.copy()
    for start, piece in ((17, 3), (5003, 8)):  # at no particular phase
        train[start : start + 64] = corpus.validation[piece * 64 : piece * 64 + 64]
    for at_once in (1 << 22, 100):
        monkeypatch.setattr(doctor, "TOKENS_AT_ONCE", at_once)
        found = only(repetition_findings(Corpus(corpus.tokenizer, train, corpus.validation)))
        assert found.level == "warning"  # 2 of 15 pieces
        assert "13%" in found.text
        assert found.place == 9000 + 3 * 64


def test_equal_pieces_are_all_found() -> None:
    pieces = np.array([[1, 2, 3, 4], [4, 3, 2, 1], [1, 2, 3, 4]])
    np.testing.assert_array_equal(repeated(np.array([0, 1, 2, 3, 4, 0]), pieces, 5), [True, False, True])


def test_the_shipped_tales_have_no_damage() -> None:
    assert set(damage(read_text(shipped_data() / "tales.txt").text)) == {"encoding"}
