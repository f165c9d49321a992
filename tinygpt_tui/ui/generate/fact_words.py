"""What a check of a text found, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from tinygpt_tui.events.generation import SHORTEST_COPY, TextChecked
from tinygpt_tui.ui.shared.microscope import MARKS
from tinygpt_tui.ui.shared.wrapping import shown

QUOTED = 60  # characters of a copied passage, at most
LISTED = 6  # unknown words


def brief(found: TextChecked) -> str:
    """Return the facts in one short line; empty if there is nothing to say."""
    parts = []
    if found.loop_period:
        parts.append(f"repeats every {found.loop_period:,} characters since {found.loop_start + 1:,}")
    if not found.missing and found.words:
        parts.append(f"{_percent(found.known_words, found.words)} known words")
    if not found.missing and found.source:
        parts.append(f"longest copy {_length(found)}" if found.longest else "nothing copied")
    return " · ".join(parts)


def sentences(found: TextChecked, text: str, start: int, greedy: bool, window: int) -> Iterator[str]:
    """Yield the facts of `text`, written from `start` on.

    `greedy`: at temperature 0; `window`: how many characters decide the next one, 0 if that is not known exactly.
    """
    yield _loop_sentence(found, greedy, window)
    if found.missing:
        yield f"Words and copies are not checked: {found.missing}."
        return
    if found.words:
        sentence = f"{_percent(found.known_words, found.words)} of its {found.words:,} words are in {found.source}"
        if found.unknown:
            more = " …" if len(found.unknown) > LISTED else ""
            sentence += f"; not there: {', '.join(map(shown, found.unknown[:LISTED]))}{more}"
        yield f"{sentence}."
    yield _copy_sentence(found, text, start)


def _loop_sentence(found: TextChecked, greedy: bool, window: int) -> str:
    if not found.loop_period:
        return "It does not repeat itself at its end."
    sentence = f"Repeats every {found.loop_period:,} characters since character {found.loop_start + 1:,}"
    if greedy:
        what = f"{window:,} characters always give" if window else "text always gives"
        sentence += f": at temperature 0 the same {what} the same next one"
    return f"{sentence}."


def _copy_sentence(found: TextChecked, text: str, start: int) -> str:
    if found.longest is None:
        return f"No passage of {SHORTEST_COPY} or more characters is copied from {found.source}."
    passage = text[found.longest.start : found.longest.end]
    quoted = shown(passage[:QUOTED].translate(MARKS)) + ("…" if len(passage) > QUOTED else "")
    copied = sum(last - first for first, last in found.copied)
    return (
        f"Longest passage copied from {found.source}: {len(passage):,} characters, line {found.longest.line:,}: "
        f"“{quoted}”. {_percent(copied, len(text) - start)} of the text is in passages of {SHORTEST_COPY} or more "
        "(underlined)."
    )


def _percent(part: int, whole: int) -> str:
    """Return a share in percent; only what is all is 100%."""
    return f"{min(part / whole, 0.99 if part < whole else 1):.0%}" if whole else "0%"


def _length(found: TextChecked) -> str:
    assert found.longest is not None
    return f"{found.longest.end - found.longest.start:,} characters"
