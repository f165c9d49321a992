"""What a user types for a tokenizer."""

from __future__ import annotations

import msgspec
import pytest

from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings import rules
from tinygpt_tui.settings.tokenizer import TokenizerChoice, tokenizer_choice
from tinygpt_tui.settings.training import TrainingSettings


@pytest.mark.parametrize(
    ("typed", "choice", "name"),
    [
        ("characters", TokenizerChoice("characters"), "characters"),
        ("", TokenizerChoice("characters"), "characters"),
        ("Bytes", TokenizerChoice("bytes"), "bytes"),
        ("bpe:512", TokenizerChoice("bpe", 512), "bpe:512"),
        ("bpe 4,096", TokenizerChoice("bpe", 4096), "bpe:4096"),
        ("BPE65_536", TokenizerChoice("bpe", 65_536), "bpe:65536"),
        ("characters:100", TokenizerChoice("fallback", fewest=100), "characters:100"),
        ("chars 1,000", TokenizerChoice("fallback", fewest=1000), "characters:1000"),
        ("charts/bpe.json", TokenizerChoice("file", path="charts/bpe.json"), "charts/bpe.json"),
        ("~/bpe.json", TokenizerChoice("file", path="~/bpe.json"), "~/bpe.json"),
    ],
)
def test_each_kind_has_one_form(typed: str, choice: TokenizerChoice, name: str) -> None:
    assert tokenizer_choice(typed) == choice
    assert tokenizer_choice(typed).name == name
    assert tokenizer_choice(name) == choice


@pytest.mark.parametrize("typed", ["characters:", "char:0", "characters:12345678901"])
def test_how_often_a_character_must_occur(typed: str) -> None:
    with pytest.raises(UsageError, match="how often must a character occur"):
        tokenizer_choice(typed)


@pytest.mark.parametrize("typed", ["bpe", "bpe:255", "bpe:65537", "bpe:"])
def test_a_size_that_cannot_be_is_refused_with_those_that_can(typed: str) -> None:
    with pytest.raises(UsageError, match=r"256 to 65,536 tokens"):
        tokenizer_choice(typed)
    settings = msgspec.structs.replace(TrainingSettings(), tokenizer=typed)
    assert [problem.field for problem in rules.problems(settings)] == ["tokenizer"]
