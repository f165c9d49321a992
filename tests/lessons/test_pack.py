"""The lessons as data: the shipped pack is complete in every language; a wrong pack is refused where it is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tinygpt_tui.errors import UsageError
from tinygpt_tui.lessons.answers import HEADS, NUMBERS
from tinygpt_tui.lessons.checks import CHECKS
from tinygpt_tui.lessons.pack import SHIPPED, language_for, languages_of, pack_name, read_pack
from tinygpt_tui.ui.learn.key_names import KEY
from tinygpt_tui.ui.shell.keymap import default_bindings

sys.path.append(str(Path(__file__).resolve().parents[1]))
from test_words import in_prose

GOOD = """
title = "One"
place = "generate"
idea = "An idea."
task = "Write a text."
question = "How many?"
hints = ["Look."]
solved = "So it is."
[[done]]
check = "wrote_with"
arguments = { tokens = 10 }
[answer]
of = "number"
arguments = { value = 2 }
"""


@pytest.mark.parametrize("language", languages_of())
def test_the_shipped_lessons_can_be_read_and_fit_the_pane(language: str) -> None:
    lessons = read_pack(language=language)
    assert [lesson.number for lesson in lessons] == list(range(1, len(lessons) + 1))
    assert len({lesson.texts.title for lesson in lessons}) == len(lessons)
    assert all(1 <= lesson.minutes <= 5 for lesson in lessons)
    for lesson in lessons:
        texts = lesson.texts
        for text in (texts.idea, texts.predict, texts.task, texts.question, texts.solved, *texts.hints, *texts.steps):
            assert text == text.strip(), lesson.id
            assert "\n" not in text, lesson.id


def test_the_shipped_lessons_are_in_plain_words() -> None:
    hits = [hit for path in SHIPPED.glob("*.toml") for hit in in_prose("docs/x", 1, path.read_text(encoding="utf-8"))]
    assert not hits, "\n".join(map(str, hits))


def test_a_pack_of_ones_own_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name in ("02-b", "01-a"):
        (tmp_path / f"{name}.toml").write_text(GOOD.replace("One", name))
    lessons = read_pack(tmp_path)
    assert [(lesson.id, lesson.number, lesson.texts.title) for lesson in lessons] == [
        ("01-a", 1, "01-a"),
        ("02-b", 2, "02-b"),
    ]
    assert pack_name(tmp_path) == tmp_path.name
    assert pack_name(SHIPPED) == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title =", "titel =", "did you mean title?"),
        ('"generate"', '"garden"', "`place`"),
        ('"An idea."', "[", "line"),
        ('"An idea."', f'"{"x" * 500}"', "`idea`"),
        ("wrote_with", "wrote_wiht", "done[0].check: there is no 'wrote_wiht'"),
        ("tokens = 10", "token = 10", "done[0].arguments: wrote_with has no 'token'"),
        ("tokens = 10", 'tokens = "ten"', "done[0].arguments.tokens"),
        ("{ value = 2 }", "{}", "answer.arguments: number needs 'value'"),
        ('of = "number"', 'of = "nummer"', "answer.of: there is no 'nummer'"),
        ('hints = ["Look."]', "hints = []", "`hints`"),
        ("[[done]]", 'steps = ["one", "two"]\n[[done]]', "steps: one for each thing to do, 1"),
        ("[[done]]", '[predicted]\nof = "head_looks_back"\n[[done]]', "predicted.of: there is no 'head_looks_back'"),
    ],
)
def test_a_bad_lesson_is_refused_with_its_file_and_field(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    (tmp_path / "01-a.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(UsageError) as refused:
        read_pack(tmp_path)
    assert "01-a.toml" in refused.value.message
    assert said in refused.value.message
    assert refused.value.hint


def test_a_folder_without_lessons_or_without_the_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        read_pack(tmp_path / "nothing")
    with pytest.raises(UsageError, match="no lessons"):
        read_pack(tmp_path)
    (tmp_path / "01-a.toml").write_text(GOOD)
    with pytest.raises(UsageError, match="no language 'fr'"):
        read_pack(tmp_path, "fr")
    (tmp_path / "fr").mkdir()
    with pytest.raises(UsageError, match=r"fr.01-a\.toml"):
        read_pack(tmp_path, "fr")
    assert language_for({"LANG": "fr_FR.UTF-8"}, tmp_path) == "fr"


def test_the_page_for_teachers_has_a_lesson_that_works_and_names_all_that_can_be_checked(tmp_path: Path) -> None:
    page = (SHIPPED.parents[2] / "docs" / "lessons.md").read_text(encoding="utf-8")
    (tmp_path / "01-gamble.toml").write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    assert read_pack(tmp_path)[0].texts.title == "A wild text"
    assert not [name for name in [*CHECKS, *NUMBERS, *HEADS] if f"`{name}`" not in page]


def test_the_keys_in_the_lessons_are_bindings() -> None:
    """What a page would print as a key, the prediction and the question, names none: the report has no keys."""
    known = default_bindings()
    for language in languages_of():
        for lesson in read_pack(language=language):
            texts = lesson.texts
            named = KEY.findall(" ".join([texts.idea, texts.task, texts.solved, *texts.hints, *texts.steps]))
            assert not set(named) - set(known), lesson.id
            assert not KEY.search(texts.predict + texts.question), lesson.id
