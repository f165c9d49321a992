"""What a learner did, as an HTML page to hand in: which lessons, when, the predictions and the answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from html import escape

from tinygpt_tui.lessons.course import Course
from tinygpt_tui.lessons.labels import labels_of, prediction_words
from tinygpt_tui.lessons.lesson import Lesson
from tinygpt_tui.lessons.progress import LessonProgress

PAGE = """\
<!doctype html>
<html lang="{language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 52rem; padding: 0 1rem; }}
article {{ border-top: 1px solid #999; padding: .5rem 0; break-inside: avoid; }}
h2 {{ font-size: 1.1rem; margin: .3rem 0; }}
p {{ margin: .3rem 0; }}
.quiet {{ opacity: .7; }}
</style>
<h1>{title}</h1>
<p class="quiet">{summary}</p>
{lessons}
</html>
"""
WHEN = "%Y-%m-%d %H:%M"


def report(course: Course, language: str, now: float) -> str:
    """Return the page; nothing that was typed becomes markup."""
    words = labels_of(language)
    done = sum(course.is_done(lesson) for lesson in course.lessons)
    parts = (_article(course, lesson, words) for lesson in course.lessons)
    summary = words["report_summary"].format(done=done, count=len(course.lessons), when=_when(now))
    return PAGE.format(
        language=escape(language),
        title=escape(words["report_title"]),
        summary=escape(summary),
        lessons="\n".join(parts),
    )


def _article(course: Course, lesson: Lesson, words: dict[str, str]) -> str:
    state = course.progress.lessons.get(course.key(lesson), LessonProgress())
    return f"<article>\n{''.join(_lines(lesson, state, words))}</article>"


def _lines(lesson: Lesson, state: LessonProgress, words: dict[str, str]) -> Iterator[str]:
    mark = "☑" if state.done else "☐"
    yield f"<h2>{mark} {lesson.number}. {escape(lesson.texts.title)}</h2>\n"
    notes = [words["done_at"].format(when=_when(state.done)) if state.done else words["open"]]
    if state.hints:
        notes.append(words["hints_read"].format(hints=state.hints))
    yield f'<p class="quiet">{escape(" · ".join(notes))}</p>\n'
    if state.predicted:
        predicted = prediction_words(state.predicted, state.outcome, words)
        yield f"<p>{escape(lesson.texts.predict)}<br>{words['predict']}: <b>{escape(predicted)}</b></p>\n"
    if state.attempts:
        yield f"<p>{escape(lesson.texts.question)}</p>\n"
    for attempt in state.attempts:
        mark = "✓" if attempt.right else "✗"
        yield f"<p>{words['answer']}: {mark} <b>{escape(attempt.text)}</b> ({_when(attempt.time)})</p>\n"


def _when(seconds: float) -> str:
    return time.strftime(WHEN, time.localtime(seconds))
