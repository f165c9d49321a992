"""A grammar of tiny German sentences and their English: genders, cases, and verbs that move to the end."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

USUAL = 0.75  # how often the first of two English words for one German word is right


class Noun(NamedTuple):
    """A noun: its gender (m, f, n), its English, and a second English word that is sometimes the right one."""

    german: str
    gender: str
    english: str
    synonym: str = ""


class Verb(NamedTuple):
    """A verb: he does it, to do it; in English the same."""

    german: str
    infinitive: str
    english: str
    plain: str


NOUNS = (
    Noun("Hund", "m", "dog"),
    Noun("Mann", "m", "man"),
    Noun("Vogel", "m", "bird"),
    Noun("Fisch", "m", "fish"),
    Noun("Katze", "f", "cat"),
    Noun("Frau", "f", "woman"),
    Noun("Maus", "f", "mouse"),
    Noun("Pferd", "n", "horse"),
    Noun("Schaf", "n", "sheep"),
    Noun("Kind", "n", "child", "kid"),
)
VERBS = (
    Verb("sieht", "sehen", "sees", "see"),
    Verb("sucht", "suchen", "looks for", "look for"),
    Verb("findet", "finden", "finds", "find"),
    Verb("malt", "malen", "paints", "paint"),
    Verb("liebt", "lieben", "loves", "love"),
    Verb("ruft", "rufen", "calls", "call"),
)
ADJECTIVES = (("alt", "old"), ("klein", "small"), ("rot", "red"), ("neu", "new"), ("leise", "quiet"), ("", ""))
ARTICLES = {"m": ("der", "den"), "f": ("die", "die"), "n": ("das", "das")}  # nominative, accusative
ADVERBS = (("heute", "today"), ("dort", "there"), ("dann", "then"))


def sentence(random: Random) -> tuple[str, str]:
    """Return a German sentence and its English."""

    def one_of(count: int) -> int:
        return int(random.random() * count)

    def phrase(case: int) -> tuple[str, str]:
        noun, (adjective, english) = NOUNS[one_of(len(NOUNS))], ADJECTIVES[one_of(len(ADJECTIVES))]
        ending = "en" if noun.gender == "m" and case else "e"
        described = f" {adjective.removesuffix('e')}{ending}" if adjective else ""
        word = noun.synonym if noun.synonym and random.random() >= USUAL else noun.english
        return f"{ARTICLES[noun.gender][case]}{described} {noun.german}", f"the {english} {word}".replace("  ", " ")

    (subject, he), (object_, him), verb = phrase(0), phrase(1), VERBS[one_of(len(VERBS))]
    match one_of(4):
        case 0:
            return f"{subject} {verb.german} {object_}", f"{he} {verb.english} {him}"
        case 1:
            return f"{subject} will {object_} {verb.infinitive}", f"{he} wants to {verb.plain} {him}"
        case 2:
            return f"{verb.german} {subject} {object_}?", f"does {he} {verb.plain} {him}?"
        case _:
            first, english = ADVERBS[one_of(len(ADVERBS))]
            return f"{first} {verb.german} {subject} {object_}", f"{english} {he} {verb.english} {him}"
