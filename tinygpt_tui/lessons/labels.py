"""The few words around a lesson's own texts, in each language of the shipped lessons."""

from __future__ import annotations

ENGLISH = {
    "lesson": "lesson {number} of {count}: {title}",
    "lessons": "lessons: {done} of {count} done",
    "minutes": "{minutes} min",
    "idea": "Idea",
    "predict": "Prediction",
    "predicted": "Your prediction",
    "task": "To do",
    "question": "Question",
    "solved": "Done",
    "hint": "Hint",
    "wrong": "✗ “{answer}” is not right. h: a hint, Enter: another answer.",
    "placeholder": "type your answer, then Enter",
    "task_done": "Lesson: done! {key} shows the question.",
    "right": "✓ right",
    "report_title": "Lessons in tinygpt-tui",
    "report_summary": "{done} of {count} lessons done · written {when}",
    "done_at": "done {when}",
    "open": "not done",
    "answer": "Answer",
    "hints_read": "hints read: {hints}",
}
GERMAN = {
    "lesson": "Lektion {number} von {count}: {title}",
    "lessons": "Lektionen: {done} von {count} erledigt",
    "minutes": "{minutes} Min.",
    "idea": "Idee",
    "predict": "Vorhersage",
    "predicted": "Deine Vorhersage",
    "task": "Aufgabe",
    "question": "Frage",
    "solved": "Geschafft",
    "hint": "Hinweis",
    "wrong": "✗ „{answer}“ stimmt nicht. h: ein Hinweis, Enter: neue Antwort.",
    "placeholder": "Antwort eintippen, dann Enter",
    "task_done": "Lektion: geschafft! {key} zeigt die Frage.",
    "right": "✓ richtig",
    "report_title": "Lektionen in tinygpt-tui",
    "report_summary": "{done} von {count} Lektionen erledigt · geschrieben {when}",
    "done_at": "erledigt {when}",
    "open": "nicht erledigt",
    "answer": "Antwort",
    "hints_read": "gelesene Hinweise: {hints}",
}
LABELS = {"en": ENGLISH, "de": GERMAN}


def labels_of(language: str) -> dict[str, str]:
    """Return the words in a language; the English ones where a pack has a language of its own."""
    return LABELS.get(language, ENGLISH)
