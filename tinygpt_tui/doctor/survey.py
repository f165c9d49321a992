"""What a survey of a text says to its reader: its size and documents, copies, and what may be better left out."""

from __future__ import annotations

from collections.abc import Iterator

from tinygpt_tui.corpora.survey import Spot, Survey
from tinygpt_tui.events.training import Finding

LONG_LINE = 20_000  # characters: more is hardly a paragraph
MARKUP_EACH = 10_000  # characters that have one piece of markup by chance
KEY_SHOWN = 8  # characters
JSON_SHARE = 0.5  # of the lines
SMALLEST_SCRIPT = 0.01
MANY_CHARACTERS = 2_000
OFTEN = 100  # a token that occurs less often than this in the whole text is hardly learned
LETTERS_A_CHARACTER = 1_000  # with fewer of them for each different one, most are too rare to learn


def survey_findings(survey: Survey, *, own: bool) -> Iterator[Finding]:
    """Yield what a survey has found, the size first; only of the user's `own` texts something can be left out."""
    yield Finding(0, "text", "fine", _size(survey))
    if survey.documents:
        yield Finding(
            0,
            "documents",
            "fine",
            f"the last {survey.validation_documents:,} of {survey.documents:,} documents are the validation split; "
            "none is cut in two",
        )
    yield from _copies(survey, own and bool(survey.documents))
    yield from _unreadable(survey)
    yield from _personal(survey, own)
    if (many := too_many_characters(survey.different, survey.characters)) is not None:
        yield many


def too_many_characters(different: int, characters: int) -> Finding | None:
    """Return what to say of a text with that many different characters; None if they are not too many."""
    if different <= MANY_CHARACTERS or characters >= different * LETTERS_A_CHARACTER:
        return None
    return Finding(
        0,
        "characters",
        "warning",
        f"{different:,} different characters, each a token: most are too rare to learn; choose tokenizer "
        f"characters:{OFTEN}",
        f"It writes characters that occur less than {OFTEN} times as bytes; bpe:2048 needs fewer tokens still.",
        {"tokenizer": f"characters:{OFTEN}"},
    )


def _size(survey: Survey) -> str:
    scripts = [f"{name} {share:.0%}" for name, share in survey.scripts.items() if share >= SMALLEST_SCRIPT]
    script = f"; letters: {', '.join(scripts)}" if len(scripts) > 1 else ""
    script = f"; {scripts[0].split()[0]} letters" if len(scripts) == 1 else script
    part = f"; {survey.examined:.1%} of it was examined closely" if survey.examined < 1 else ""
    return (
        f"{survey.characters:,} characters, {survey.different:,} different{script}; the longest line has "
        f"{survey.longest_line.count:,}{part}"
    )


def _copies(survey: Survey, own: bool) -> Iterator[Finding]:
    one, several = ("document", "documents") if survey.documents else ("paragraph", "paragraphs")
    about = "about " if survey.estimated else ""
    if survey.in_both.count or survey.near_in_both.count:
        total = survey.in_both.count + survey.near_in_both.count
        how = _nearly(survey.in_both, survey.near_in_both)
        yield Finding(
            0,
            "both-parts",
            "warning",
            f"{about}{_count(total, one, several)} of the validation split {'is' if total == 1 else 'are'} in the "
            f"training part, too{how}: {_example(survey.in_both, survey.near_in_both)}",
            "The model can memorise them, so the validation loss looks better than it is.",
            place=(survey.in_both if survey.in_both.count else survey.near_in_both).place,
        )
    if survey.copies.count or survey.near_copies.count:
        yield Finding(
            0,
            "copies",
            "hint",
            f"{about}{_count(survey.copies.count + survey.near_copies.count, one, several)} more than once"
            f"{_nearly(survey.copies, survey.near_copies)}: {_example(survey.copies, survey.near_copies)}",
            "The model reads them more often than the rest."
            + ("" if own else " Look at the place, and remove from the text what is not meant."),
            place=(survey.copies if survey.copies.count else survey.near_copies).place,
            action="leave-out-copies" if own and survey.copies.count else "",
        )
    if survey.compared and not (survey.copies.count or survey.near_copies.count):
        yield Finding(
            0, "copies", "fine", f"no {one} is more than once in it, or nearly ({survey.compared:,} compared)"
        )


def _nearly(exact: Spot, near: Spot) -> str:
    if not near.count:
        return ", word for word"
    return f" ({near.count:,} nearly, the rest word for word)" if exact.count else ", nearly"


def _example(exact: Spot, near: Spot) -> str:
    return repr((exact if exact.count else near).text)


def _unreadable(survey: Survey) -> Iterator[Finding]:
    examined = survey.characters * survey.examined
    if survey.json_lines.count > JSON_SHARE * survey.lines:
        yield Finding(
            0,
            "json",
            "warning",
            f"{survey.json_lines.count:,} of {survey.lines:,} lines are JSON objects",
            "The model would learn braces and keys. Rename the file to .jsonl: then a field of it is the text.",
            place=survey.json_lines.place,
        )
    if survey.markup.count > examined / MARKUP_EACH:
        yield Finding(
            0,
            "markup",
            "hint",
            f"{survey.markup.count:,} pieces of markup, like {survey.markup.text!r}",
            "The model would learn to write them. Of web pages (.html) only what a reader sees is read.",
            place=survey.markup.place,
        )
    if survey.longest_line.count > LONG_LINE:
        yield Finding(
            0,
            "longest-line",
            "hint",
            f"the longest line has {survey.longest_line.count:,} characters: {survey.longest_line.text!r}",
            "It is rather data, or a program made smaller, than something to read.",
            place=survey.longest_line.place,
        )


def _personal(survey: Survey, own: bool) -> Iterator[Finding]:
    part = "" if survey.examined == 1 else " in the part that was examined"
    if survey.addresses.count:
        yield Finding(
            0,
            "addresses",
            "hint",
            f"{_count(survey.addresses.count, 'e-mail address', 'e-mail addresses')}{part}, like "
            f"{survey.addresses.text!r}",
            "A model may write them.",
            place=survey.addresses.place,
            action="leave-out-addresses" if own else "",
        )
    if survey.keys.count:
        yield Finding(
            0,
            "keys",
            "warning",
            f"{_count(survey.keys.count, 'secret key', 'secret keys')} of a program or service{part}, like "
            f"{survey.keys.text[:KEY_SHOWN]!r}…",
            "A model may write them, and anyone who has the model could use them.",
            place=survey.keys.place,
            action="leave-out-keys" if own else "",
        )


def _count(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"
