"""How well what is typed fits something that can be found."""

from __future__ import annotations

import difflib
import re

TITLE, NAME, INSIDE, TOOLTIP, TYPO = 1.0, 0.9, 0.7, 0.4, 0.3
WHOLE = 0.3  # more if the title is what was typed
SHORTEST_TYPO = 4  # letters of a word that may be misspelt
WORD = re.compile(r"[^\W_]+")


def score(query: str, title: str, names: str = "", tooltip: str = "") -> float:
    """Return how well a title, other names and a tooltip fit; 0 unless each word of the query fits.

    >>> score("temp", "Sampling", "temperature seed") > score("temp", "Attempt") > 0
    True
    >>> score("temp", "Theme: rose-pine")
    0.0
    """
    words = WORD.findall(query.casefold())
    if not words:
        return 0.0
    titles, others, rest = (WORD.findall(text.casefold()) for text in (title, names, tooltip))
    scores = [_of_word(word, titles, others, rest) for word in words]
    if not all(scores):
        return 0.0
    whole = WHOLE if words == titles else 0.0
    return sum(scores) / len(scores) + whole - 0.001 * len(titles)


def _of_word(word: str, titles: list[str], names: list[str], rest: list[str]) -> float:
    if any(title.startswith(word) for title in titles):
        return TITLE
    if any(name.startswith(word) for name in names):
        return NAME
    if any(word in title for title in titles):
        return INSIDE
    if any(other.startswith(word) for other in rest):
        return TOOLTIP
    near = len(word) >= SHORTEST_TYPO and difflib.get_close_matches(word, titles + names, n=1, cutoff=0.75)
    return TYPO if near else 0.0
