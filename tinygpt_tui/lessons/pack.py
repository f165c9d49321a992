"""A folder of lessons, one TOML file each in the order of their names, and a folder for each translation in it."""

from __future__ import annotations

import difflib
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tinygpt_tui.errors import UsageError
from tinygpt_tui.files import is_folder
from tinygpt_tui.lessons.answers import HEADS, NUMBERS
from tinygpt_tui.lessons.checks import CHECKS
from tinygpt_tui.lessons.lesson import Lesson, LessonFile, Texts
from tinygpt_tui.reading import Damage, convert, decode_toml, read_bytes

SHIPPED = Path(__file__).resolve().parent / "pack"
ENGLISH = "en"
LARGEST, MOST = 64 << 10, 200  # bytes of a lesson, lessons of a pack
LANGUAGE = re.compile(r"[a-z]{2,3}")
HELP = "docs/lessons.md explains each field"

T = TypeVar("T", bound=msgspec.Struct)


def read_pack(folder: Path = SHIPPED, language: str = ENGLISH) -> tuple[Lesson, ...]:
    """Return the lessons of a folder, in a language. Raises UsageError that names the file and the field."""
    if not is_folder(folder):
        raise UsageError(f"{folder} is not a folder", "give a folder of lessons, one TOML file each")
    files = sorted(folder.glob("*.toml"))
    if not 0 < len(files) <= MOST:
        problem = f"has more than {MOST} lessons" if files else "has no lessons"
        raise UsageError(f"{folder} {problem}", "a lesson is a file such as 01-tokens.toml; " + HELP)
    known = languages_of(folder)
    if language not in known:
        raise UsageError(f"{folder} has no language {language!r}", f"it has {', '.join(known)}")
    lessons = []
    for number, path in enumerate(files, start=1):
        read = _read(path, LessonFile)
        _check_calls(path, read)
        texts: Texts = read if language == ENGLISH else _read(folder / language / path.name, Texts)
        if _counts(texts) != _counts(read):
            raise UsageError(f"{folder / language / path.name}: as many hints, steps and predictions as {path}", HELP)
        done = tuple(read.done)
        lessons.append(
            Lesson(
                path.stem,
                number,
                texts,
                read.place,
                read.minutes,
                done,
                read.answer,
                read.predicted,
                read.restore_sampling,
            )
        )
    return tuple(lessons)


def pack_name(folder: Path) -> str:
    """Return the name of a pack in the file of the progress; the shipped one has none."""
    return "" if folder.resolve() == SHIPPED else folder.resolve().name


def languages_of(folder: Path = SHIPPED) -> list[str]:
    """Return the languages of a pack: English, and one for each folder in it."""
    try:
        names = sorted(path.name for path in folder.iterdir() if path.is_dir() and LANGUAGE.fullmatch(path.name))
    except OSError:
        names = []
    return [ENGLISH, *(name for name in names if name != ENGLISH)]


def language_for(environment: Mapping[str, str], folder: Path = SHIPPED) -> str:
    """Return the pack's language for a locale as the environment has it: `LANG=de_AT.UTF-8` is German.

    >>> language_for({"LANG": "de_AT.UTF-8"}), language_for({"LANG": "fr_FR"}), language_for({})
    ('de', 'en', 'en')
    """
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if found := LANGUAGE.match(environment.get(variable, "")):
            return found[0] if found[0] in languages_of(folder) else ENGLISH
    return ENGLISH


def _read(path: Path, kind: type[T]) -> T:
    try:
        values = decode_toml(read_bytes(path, LARGEST))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", "every lesson needs this file") from None
    except Damage as error:
        raise UsageError(f"{path} is not TOML: {error}", "texts are in quotes, one `name = value` a line") from None
    try:
        return convert(values, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {str(error).replace('`$.', '`')}{_near(values, kind)}", HELP) from None


def _near(values: Any, kind: type[T]) -> str:
    """Return a suggestion for a field that does not exist."""
    known = kind.__struct_fields__
    for name in values if isinstance(values, dict) else ():
        if name not in known and (near := difflib.get_close_matches(name, known, n=1)):
            return f": did you mean {near[0]}?"
    return ""


def _counts(texts: Texts) -> tuple[object, ...]:
    return len(texts.hints), len(texts.steps), bool(texts.predict), bool(texts.right_words), bool(texts.wrong_words)


def _check_calls(path: Path, read: LessonFile) -> None:
    if read.steps and len(read.steps) != len(read.done):
        raise UsageError(f"{path}: steps: one for each thing to do, {len(read.done)}", HELP)
    if read.predicted is not None:
        _check_call(f"{path}: predicted", "of", read.predicted.of, read.predicted.arguments, NUMBERS)
    for at, done in enumerate(read.done):
        _check_call(f"{path}: done[{at}]", "check", done.check, done.arguments, CHECKS)
    _check_call(f"{path}: answer", "of", read.answer.of, read.answer.arguments, {**NUMBERS, **HEADS})


def _check_call(
    place: str, field: str, name: str, arguments: dict[str, Any], table: Mapping[str, Callable[..., Any]]
) -> None:
    """Raise UsageError unless the table has the function and it takes these arguments."""
    if name not in table:
        raise UsageError(f"{place}.{field}: there is no {name!r}", _suggested(name, table))
    signature = inspect.signature(table[name])
    known = [parameter for parameter in signature.parameters if parameter != "facts"]
    kinds = typing.get_type_hints(table[name])
    for given, value in arguments.items():
        if given not in known:
            raise UsageError(f"{place}.arguments: {name} has no {given!r}", _suggested(given, known))
        try:
            convert(value, kinds[given])
        except msgspec.ValidationError as error:
            raise UsageError(f"{place}.arguments.{given}: {error}", HELP) from None
    empty = inspect.Parameter.empty
    for needed in known:
        if signature.parameters[needed].default is empty and needed not in arguments:
            raise UsageError(f"{place}.arguments: {name} needs {needed!r}", HELP)


def _suggested(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
