"""tinygpt-tui learn: guided lessons in the app; list them, reset one, or write a report to hand in."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from tinygpt_tui import files
from tinygpt_tui.cli.app import open_app
from tinygpt_tui.cli.output import notify, table, write
from tinygpt_tui.errors import UsageError
from tinygpt_tui.lessons.course import Course
from tinygpt_tui.lessons.pack import SHIPPED, language_for, pack_name, read_pack
from tinygpt_tui.lessons.progress import load_progress, save_progress
from tinygpt_tui.lessons.report import report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pack", type=Path, default=SHIPPED, metavar="FOLDER", help="lessons of your own")
    parser.add_argument("--language", metavar="CODE", help="en, de, … (default: as your locale)")
    does = parser.add_mutually_exclusive_group()
    does.add_argument("--list", action="store_true", help="list the lessons and which are done")
    does.add_argument("--reset", type=int, metavar="N", help="forget the progress of lesson N, and nothing else")
    does.add_argument("--report", type=Path, metavar="FILE.html", help="write what was done and answered as HTML")
    parser.add_argument("--force", action="store_true", help="replace the file of the report")


def run(arguments: argparse.Namespace) -> int:
    """Open the app with the lessons, or do what was requested instead. Raises UsageError, StorageError."""
    language = arguments.language or language_for(os.environ, arguments.pack)
    lessons = read_pack(arguments.pack, language)
    if not (arguments.list or arguments.report or arguments.reset is not None):
        return open_app(lessons_from=(arguments.pack, language))
    progress, problem = load_progress()
    if problem:
        notify(problem)
    course = Course(lessons, progress, pack_name(arguments.pack))
    if arguments.reset is not None:
        return _reset(course, arguments.reset)
    if arguments.report is not None:
        files.check_new(arguments.report, arguments.force)
        files.write_text(arguments.report, report(course, language, time.time()))
        notify(f"The report is in {arguments.report}")
        return 0
    rows = [
        ("✓" if course.is_done(lesson) else "", str(lesson.number), lesson.texts.title, f"{lesson.minutes} min")
        for lesson in course.lessons
    ]
    write(table(rows, ("DONE", "LESSON", "TITLE", "TIME"), right=frozenset({1, 3})))
    return 0


def _reset(course: Course, number: int) -> int:
    lesson = next((one for one in course.lessons if one.number == number), None)
    if lesson is None:
        raise UsageError(f"there is no lesson {number}", f"the lessons are 1 to {len(course.lessons)}")
    course.reset(lesson)
    error = save_progress(course.encoded())
    if error is not None:
        raise error
    notify(f"lesson {number} starts from the beginning; texts and runs are unchanged")
    return 0
