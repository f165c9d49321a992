"""`learn` on the command line: the list, a reset, the report, and what is wrong with a pack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinygpt_tui.cli.main import run
from tinygpt_tui.lessons.course import Course
from tinygpt_tui.lessons.pack import read_pack
from tinygpt_tui.lessons.progress import Attempt, Progress, load_progress, progress_file, save_progress

MARKUP = "<script>alert('x')</script>"


@pytest.fixture
def begun() -> Course:
    """A course in which lesson 2 is done and lesson 3 was answered wrong, with markup in the answers."""
    course = Course(read_pack(), Progress(), now=lambda: 1_796_000_000.0)
    for lesson in course.lessons[1:3]:
        course.open(lesson)
        course.read()
        course.predict(MARKUP)
        course.state.stage = "question"
    course.state.attempts.append(Attempt(1_796_000_000.0, MARKUP, right=False))
    course.open(course.lessons[1])
    course.state.done, course.state.stage = 1_796_000_000.0, "solved"
    assert save_progress(course.encoded()) is None
    return course


def test_the_list_marks_what_is_done(begun: Course, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["learn", "--list", "--language", "en"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert len(lines) == 20
    assert [line.split()[0] == "✓" for line in lines] == [at == 1 for at in range(20)]
    assert run(["learn", "--list", "--language", "de"]) == 0
    assert "Was ist ein Token?" in capsys.readouterr().out


def test_a_reset_forgets_that_lesson_alone(begun: Course, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["learn", "--reset", "2"]) == 0
    lessons = load_progress()[0].lessons
    assert (lessons["02-guessing"].stage, lessons["02-guessing"].done) == ("idea", 0)
    assert lessons["03-temperature"] == begun.progress.lessons["03-temperature"]
    assert run(["learn", "--reset", "21"]) == 2
    assert "1 to 20" in capsys.readouterr().err


def test_the_report_says_what_was_done_and_escapes_what_was_typed(
    begun: Course, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    assert run(["learn", "--language", "en", "--report", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "1 of 20 lessons done" in text
    assert text.count("<article>") == 20
    assert text.count("☑") == 1
    assert text.count("&lt;script&gt;") == 3  # two predictions, one answer
    assert "<script" not in text
    assert "{" not in text.split("</style>")[1]  # no binding without its key
    assert run(["learn", "--report", str(page)]) == 2
    assert "--force" in capsys.readouterr().err
    assert run(["learn", "--language", "de", "--report", str(page), "--force"]) == 0
    assert "1 von 20 Lektionen erledigt" in page.read_text(encoding="utf-8")


def test_a_damaged_progress_is_set_aside(capsys: pytest.CaptureFixture[str]) -> None:
    path = progress_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"lessons": 3}')
    assert run(["learn", "--list"]) == 0
    assert "damaged" in capsys.readouterr().err
    assert path.with_name("lessons.json.damaged").read_text() == '{"lessons": 3}'
    assert load_progress() == (Progress(), "")


def test_a_wrong_pack_is_refused_before_the_app_opens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "01-a.toml").write_text('title = "A"\nidee = "x"\n')
    assert run(["learn", "--pack", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "01-a.toml" in said
    assert "did you mean idea?" in said
    assert run(["learn", "--language", "xx"]) == 2
    assert "en, de" in capsys.readouterr().err
