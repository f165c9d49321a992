"""The grammar's entropy is the text's entropy, and the shipped tales are what the grammar writes."""

import hashlib
import math
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path
from random import Random

import pytest

from tinygpt_tui.corpora.notation import Notation
from tinygpt_tui.corpora.synthetic import (
    Choice,
    Grammar,
    Let,
    Reference,
    Sequence,
    Text,
    entropy_per_character,
    readings,
    write_tale,
    write_tales,
)
from tinygpt_tui.corpora.tales import SEED, grammar, tales

DATA = Path(__file__).parents[2] / "data"


def test_a_fair_coin_has_log_two_nats_over_its_length() -> None:
    coin = Grammar(Choice((Text("heads"), Text("tails!"))))
    assert entropy_per_character(coin) == pytest.approx(math.log(2) / (5.5 + 2))


def test_weights_change_both_entropy_and_length() -> None:
    coin = Grammar(Choice((Text("a"), Text("bcd")), weights=(3, 1)), separator="\n")
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert entropy_per_character(coin) == pytest.approx(entropy / (0.75 * 1 + 0.25 * 3 + 1))


def test_a_slot_is_drawn_once_however_often_it_is_named() -> None:
    name = tuple({"word": Text(word)} for word in ("Al", "Beth"))
    twice = Sequence((Reference("name", "word"), Text(" "), Reference("name", "word")))
    assert entropy_per_character(Grammar(Let("name", name, twice))) == pytest.approx(math.log(2) / (3 + 1 + 3 + 2))


def test_a_choice_that_only_one_value_has_counts_only_with_that_value() -> None:
    notation = Notation({})
    table = notation.table("word pet", "Al ; a [cat|dog]\nBeth ; nothing")
    grammar = Grammar(Let("name", table, notation.node("{name} has {name.pet}")))
    entropy = math.log(2) + 0.5 * math.log(2)
    length = 0.5 * len("Al has a cat") + 0.5 * len("Beth has nothing")
    assert entropy_per_character(grammar) == pytest.approx(entropy / (length + 2))


def test_notation_joins_lines_with_a_space_and_keeps_paragraphs() -> None:
    node = Notation({"end": "the end"}).node("One\n    two[|\n    three].\n\n    <end>")
    assert {write_tale(Grammar(node), Random(seed))[0] for seed in range(20)} == {
        "One two.\nthe end",
        "One twothree.\nthe end",
    }


def test_readings_finds_every_derivation() -> None:
    ambiguous = Grammar(Sequence((Choice((Text("a"), Text("ab"))), Choice((Text("bc"), Text("c"))))))
    assert readings(ambiguous, "abc") == pytest.approx([math.log(1 / 4)] * 2)
    assert readings(ambiguous, "xyz") == []


def test_a_value_that_is_never_told_is_an_ambiguity() -> None:
    table = Notation({}).table("word", "Al\nBeth")
    assert len(readings(Grammar(Let("name", table, Text("hello"))), "hello")) == 2


def test_each_tale_has_one_derivation_and_it_is_the_one_that_wrote_it() -> None:
    random = Random(7)
    for _ in range(300):
        text, log_probability = write_tale(grammar(), random)
        assert readings(grammar(), text) == pytest.approx([log_probability])


def test_exact_entropy_agrees_with_a_sample() -> None:
    random = Random(11)
    sample = [write_tale(grammar(), random) for _ in range(3000)]
    floor = entropy_per_character(grammar())
    lengths = [len(text) + len(grammar().separator) for text, _ in sample]
    # The ratio's own standard error: that of (surprise - floor x length), over the mean length.
    residuals = [-log_p - floor * length for (_, log_p), length in zip(sample, lengths, strict=True)]
    error = statistics.stdev(residuals) / math.sqrt(len(sample)) / statistics.mean(lengths)
    assert statistics.mean(residuals) / statistics.mean(lengths) == pytest.approx(0, abs=3 * error)


def test_the_seed_decides_everything() -> None:
    assert tales(seed=3, size=5000) == write_tales(grammar(), 3, 5000)
    assert tales(seed=3, size=5000) != tales(seed=4, size=5000)
    assert tales(seed=3, size=20_000).startswith(tales(seed=3, size=5000).removesuffix("\n"))


def test_the_shipped_file_is_what_the_generator_writes_and_what_the_catalogue_says() -> None:
    shipped = (DATA / "tales.txt").read_bytes()
    row = tomllib.loads((DATA / "CATALOG.toml").read_text(encoding="utf-8"))["tales"]
    assert shipped == tales().encode("utf-8")
    assert row["sha256"] == hashlib.sha256(shipped).hexdigest()
    assert row["bytes"] == row["characters"] == len(shipped)
    assert row["entropy"] == round(entropy_per_character(grammar()), 4)
    assert f"seed {SEED}" in row["source"]


def test_the_command_writes_the_shipped_file(tmp_path: Path) -> None:
    out = tmp_path / "tales.txt"
    subprocess.run([sys.executable, "-m", "tinygpt_tui.corpora.tales", str(out)], check=True, timeout=240)
    assert out.read_bytes() == (DATA / "tales.txt").read_bytes()


def test_tales_are_plain_short_and_well_formed() -> None:
    text = tales()
    assert text.isascii()
    assert 1_000_000 < len(text) < 1_100_000
    assert not re.search(r"  | \n|\n\n\n|[{}<>|\[\]]", text)
    assert not re.search(r"\b[Aa] [aeiou]|\ban [^aeiou]", text), "a before a vowel"
    assert not re.search(r"(^|[.!?] )[a-z]", text, re.MULTILINE), "a sentence without a capital"
    each = text.removesuffix("\n").split(grammar().separator)
    assert all(300 <= len(tale) <= 900 for tale in each)
    assert all(tale.count('"') % 2 == 0 for tale in each)
    assert len(set(each)) == len(each)


def test_heroes_keep_their_pronoun_where_nobody_else_is() -> None:
    for tale in tales(size=200_000).split("\n\n"):
        opening = tale.split("\n")[1]
        if " boy " in opening:
            assert not re.search(r"\b[Ss]he (wore|kept|had|knew)", opening)
        if " girl " in opening:
            assert not re.search(r"\b[Hh]e (wore|kept|had|knew)", opening)
