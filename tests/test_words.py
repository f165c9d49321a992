"""The package speaks plain technical English: no private words in its names and sentences.

`python tests/test_words.py ROOM...` prints every private word of a room with file and line and what to write instead;
without a room it counts them for every room. A room is a folder of the package (`cli`, `ui/generate`), one of its
modules (`errors.py`) or a path of the repository (`README.md`, `docs`, `tests/cli`).
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tinygpt_tui"

# A room is a folder or a module of the package; `python tests/test_words.py ROOM` prints its private words.
ROOMS = sorted(path.name for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file())
CLEAN = [*ROOMS, "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs", "Makefile", "tools", "benchmarks"]

# (file, phrase as it is found, reason): old names that belong to a saved file, an event or a quoted text.
ALLOWED: list[tuple[str, str, str]] = [
    ("tinygpt_tui/sessions/document.py", "kept", "a field of saved sessions"),
    ("tinygpt_tui/architectures/extras.py", "shares", "the name of a parameter in every saved model"),
]

# A pattern of prose and what to write instead. Spaces match line breaks, too.
PROSE = {
    r"(somebody|nobody|anybody)": "the user, no one, anyone, or 'no ...'",
    r"whoever": "anyone who",
    r"anew": "again",
    r"once more": "again",
    r"wish(es|ed|ing)?": "request",
    r"likeli(est|er)": "most likely, more likely",
    r"by heart": "memorised",
    r"reckon(s|ed|ing)?": "compute, estimate",
    r"worked out": "computed",
    r"learnt": "learned, trained",
    r"begun": "started",
    r"(go|goes|going|gone|went) on": "continue, resume, happen",
    r"of yours": "your",
    r"so many": "N, that many",
    r"for so long": "for that long",
    r"but for": "except",
    r"(stands?(?! (for|in|out)\b)(?!-)|stood)": "is, appears",
    r"(lies?|lying|lain)(?! (between|within)\b)": "is, is stored",
    r"(is|are|was|were|be|been|being) told": "receives, is given",
    r"dear(er|est|ly)?": "slow, expensive",
    r"twins?": "untrained copy, counterpart",
    r"(keeps?|kept|keeping) house": "tidy up",
    r"called so": "with that name",
    r"without a word": "silently",
    r"(is|are) free of": "has no",
    r"(a|the|an old|a new) kept \w+": "saved, retained, cached",
    r"(trainings|a new training)": "runs, a new run",
    r"(for|to|of) who": "for those who, for users who",
}
# A relative clause without a noun ("Who wants more adds ...") is not a question.
WHO = re.compile(r"(?:^|[.;:]\s+)(Who\s+\w+)(?![^.]*\?)")
# In what users read a network is a model.
FOR_USERS = {r"nets?": "model"}
USER_ROOMS = ("tinygpt_tui/ui/", "tinygpt_tui/cli/", "tinygpt_tui/server/", "README.md", "docs/")

# Words that may not be part of any name, however it is composed: `_ask_anew`, `KeptModels`.
PARTS = {
    **dict.fromkeys(("somebody", "nobody", "whoever"), "user, no_one"),
    **dict.fromkeys(("wish", "wishes", "wished"), "command, request"),
    **dict.fromkeys(("twin", "twins"), "untrained, counterpart"),
    **dict.fromkeys(("mishap", "mishaps"), "unexpected"),
    **dict.fromkeys(("entrant", "entrants"), "contender"),
    **dict.fromkeys(("bend", "bent"), "activate, activated"),
    **dict.fromkeys(("astray", "forgive"), "is_stale, clear_error"),
    **dict.fromkeys(("shelf", "dossier"), "list, facts"),
    "anew": "again",
    "learnt": "trained",
    "begun": "started",
    "reckon": "compute",
    "likeliest": "top",
    "crowd": "batch",
    "barring": "token_mask",
    "kept": "saved, cached",
    "keeper": "editor",
    "felt": "receptive_field",
    "uneven": "ragged",
    "dear": "slow, expensive",
    "trainings": "runs",
}
# Old names that are private only as a whole; `class`, `function`, `module` or `any` says where.
NAMES = {
    "class": {
        **{
            "SideBySide": "SlotBatchEngine",
            "Writing": "TextGeneration, GenerationView",
            "Chance": "TokenProbabilities",
        },
        **{"Left": "Prefill", "Parts": "Kernels", "Team": "ProcessGroup", "LastUsed": "LRUCache", "Way": "Variant"},
        **{"Described": "Inspection", "Examined": "LayoutMatch", "Judged": "Score", "Typed": "Overrides"},
        **{"Looking": "SurpriseIndex", "Look": "CharInfo", "Stretch": "Span", "Subject": "Selection"},
        **{"Wanted": "CompletionPlan", "Order": "Job", "Wish": "Command"},
    },
    "function": {
        **dict.fromkeys(("take", "show", "look", "say", "keep", "use", "tell", "hear"), "a name that says what of"),
        **{"sit": "assign", "stand": "release", "give_up": "evict", "withdraw": "cancel", "fall_out": "invalidate"},
        **{"settle": "calibrate", "wanted": "plan_for", "wrong": "bad_request", "remember": "update_kv_cache"},
    },
    "module": {
        **{
            "choosing": "top_filters",
            "chances": "probabilities",
            "carrying": "truncated_bptt",
            "newest": "live_weights",
        },
        **{"pace": "time_budget", "checkup": "health", "opened": "models", "moments": "snapshots", "walks": "traces"},
        **{"team": "processes", "told": "known", "ways": "variants", "looking": "surprise", "garbage": "gc_policy"},
        **{"looking_glass": "inspectable_output", "remembered": "preferences", "typed_ahead": "key_queue"},
    },
    "any": {
        **{"seated": "active", "sight": "context_length", "rolls": "supports_sliding", "carries": "is_stateful"},
        **{"usual": "is_standard", "rotations": "rope", "shares": "mix_weights", "leads": "is_leader"},
    },
}


class Hit(NamedTuple):
    """A private word: where, what was found, what to write instead."""

    path: str
    line: int
    found: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.found!r}: write {self.instead}"


def _compiled(table: dict[str, str]) -> list[tuple[re.Pattern[str], str]]:
    gap = r"[\s#*]+"  # a phrase may go over a line break, in a comment, too
    return [
        (re.compile(r"\b" + pattern.replace(" ", gap) + r"\b", re.IGNORECASE), instead)
        for pattern, instead in table.items()
    ]


_PROSE = _compiled(PROSE)
_FOR_USERS = _compiled(FOR_USERS)


def in_prose(path: str, line: int, text: str) -> Iterator[Hit]:
    """Yield the private phrases of a text that starts at a line of a file."""
    patterns = [*_PROSE, *(_FOR_USERS if path.startswith(USER_ROOMS) else []), (WHO, "who: name the person")]
    for pattern, instead in patterns:
        for match in pattern.finditer(text):
            yield Hit(path, line + text.count("\n", 0, match.start()), " ".join(match[0].split()), instead)


def in_name(path: str, line: int, name: str, kind: str) -> Iterator[Hit]:
    """Yield what is private in an identifier of a kind (`class`, `function`, `module`, `other`)."""
    bare = name.strip("_")
    for instead in filter(None, (NAMES.get(kind, {}).get(bare), NAMES["any"].get(bare))):
        yield Hit(path, line, name, instead)
    for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name):
        if instead := PARTS.get(part.lower()):
            yield Hit(path, line, name, instead)


def _texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield every string of two words or more with its line; an f-string as one text."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, "".join(map(str, parts))
            pending += [part for part in node.values if not isinstance(part, ast.Constant)]
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value.split()) > 1:
            yield node.lineno, node.value
        pending += ast.iter_child_nodes(node)


def _names(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Yield the line, name and kind of everything that is given its name here."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.lineno, node.name, "class"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name, "function"
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg, "other"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id, "other"
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr, "other"
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname, "other"


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield the comments; those on consecutive lines as one text, for a phrase may continue on the next line."""
    block: list[str] = []
    start = last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if block and token.start[0] != last + 1:
                yield start, "\n".join(block)
                block = []
            start, last = (start if block else token.start[0]), token.start[0]
            block.append(token.string)
    if block:
        yield start, "\n".join(block)


def in_python(path: str, source: str) -> Iterator[Hit]:
    """Yield the private words of a module: its name, the names it defines, its strings and comments."""
    tree = ast.parse(source)
    yield from in_name(path, 1, Path(path).stem, "module")
    for line, name, kind in _names(tree):
        yield from in_name(path, line, name, kind)
    for line, text in [*_texts(tree), *_comments(source)]:
        yield from in_prose(path, line, text)


def in_source(path: str, source: str) -> Iterator[Hit]:
    """Yield the private words of a file by its kind."""
    suffix = Path(path).suffix
    if suffix == ".py":
        found = in_python(path, source)
    elif suffix in {".tcss", ".c", ".h"}:
        comments = re.finditer(r"/\*.*?\*/|(?<!:)//[^\n]*", source, re.DOTALL)
        found = (hit for at in comments for hit in in_prose(path, 1 + source.count("\n", 0, at.start()), at[0]))
    else:
        found = in_prose(path, 1, source)
    allowed = {phrase.lower() for file, phrase, _ in ALLOWED if file == path}
    yield from (hit for hit in sorted(set(found)) if hit.found.lower() not in allowed)


def files_of(room: str) -> list[Path]:
    """Return the text files of a room."""
    place = next((place for place in (PACKAGE / room, ROOT / room) if place.exists()), None)
    if place is None:
        raise FileNotFoundError(f"no room {room!r}: neither {PACKAGE / room} nor {ROOT / room} is there")
    if place.is_file():
        return [place]
    kinds = {".py", ".tcss", ".c", ".h", ".md", ".html"}
    return sorted(path for path in place.rglob("*") if path.suffix in kinds)


def hits_of(room: str) -> list[Hit]:
    """Return every private word of a room."""
    return [
        hit
        for path in files_of(room)
        for hit in in_source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("room", CLEAN)
def test_a_clean_room_has_no_private_word(room: str) -> None:
    assert not hits_of(room), "\n" + "\n".join(map(str, hits_of(room)))


def test_what_is_allowed_is_still_there() -> None:
    """An exception whose sentence is gone goes, too."""
    for path, phrase, reason in ALLOWED:
        assert reason
        assert phrase.lower() in " ".join((ROOT / path).read_text(encoding="utf-8").lower().split()), (path, phrase)


BAD = '''
"""Ask anew, as somebody
wishes: it goes
on."""
# Nobody knows; whoever asks is
# told so.
class Crowd:
    def take(self, kept_models):
        self.sight = f"the run stands at {kept_models!r}, but for one"
Who = "Who wants more adds --steps"
'''
GOOD = '''
"""NaN stands for nothing; the value lies between 0 and 1. A stand-in understands it. Who wrote this?"""
# What is kept on disk is cheap to take; upon the standard, wishbone.
class Standing:
    def take_step(self, moment, kind="wish"):
        self.used = control.ask(kind) + looking.take()
'''


def test_private_words_are_found_in_names_and_prose() -> None:
    """Also over line breaks and in f-strings."""
    found = {(hit.line, hit.found) for hit in in_source("tinygpt_tui/x.py", BAD)}
    assert {text for _, text in found} == {
        *("anew", "somebody", "wishes", "goes on", "Nobody", "whoever", "is # told"),
        *("Crowd", "take", "kept_models", "sight", "stands", "but for", "Who wants"),
    }
    assert {(3, "wishes"), (3, "goes on"), (5, "is # told"), (7, "Crowd"), (8, "take")} <= found


def test_plain_words_are_left_alone() -> None:
    assert not list(in_source("tinygpt_tui/x.py", GOOD))


def _report(rooms: list[str]) -> None:
    for room in rooms:
        for hit in hits_of(room):
            print(hit)
    if not rooms:
        folders = [path.name for path in sorted(PACKAGE.iterdir()) if path.is_dir() and path.name != "__pycache__"]
        modules = [path.name for path in sorted(PACKAGE.glob("*.py"))]
        others = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile", "docs", "tools", "tests", "benchmarks"]
        for room in [*folders, *modules, *others]:
            hits = hits_of(room)
            print(f"{len(hits):5}  {room}")
        words = Counter(hit.found.lower() for room in [*folders, *modules] for hit in hits_of(room))
        print("most frequent:", ", ".join(f"{word} {count}" for word, count in words.most_common(20)))


if __name__ == "__main__":
    _report(sys.argv[1:])
