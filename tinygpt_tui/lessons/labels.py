"""The few words around a lesson's own texts, in each language of the shipped lessons."""

from __future__ import annotations

from tinygpt_tui.lessons.predictions import Outcome

ENGLISH = {
    "lesson": "lesson {number} of {count}",
    "lessons": "lessons: {done} of {count} done",
    "minutes": "{minutes} min",
    "idea": "Idea",
    "predict": "Prediction",
    "predicted": "Your prediction",
    "predicted_right": "✓ right",
    "predicted_wrong": "✗ it is not so",
    "predicted_off": "it is {value}, you were {off} off",
    "predicted_other": "it is {value}",
    "point": ".",
    "still_to_do": "Still to do",
    "sampling_restored": "The sampling settings are again those from before the lesson.",
    "task": "To do",
    "question": "Question",
    "solved": "Done",
    "hint": "Hint",
    "wrong": "✗ “{answer}” is not right. h: a hint, Enter: another answer.",
    "wrong_again": "✗ “{answer}” is not right. Enter: another answer.",
    "placeholder": "type your answer, then Enter",
    "task_done": "Task done! {key}: answer",
    "to_lesson": "{key} hints, answer",
    "right": "✓ right",
    "report_title": "Lessons in tinygpt-tui",
    "report_summary": "{done} of {count} lessons done · written {when}",
    "done_at": "done {when}",
    "open": "not done",
    "answer": "Answer",
    "hints_read": "hints read: {hints}",
}
GERMAN = {
    "lesson": "Lektion {number} von {count}",
    "lessons": "Lektionen: {done} von {count} erledigt",
    "minutes": "{minutes} Min.",
    "idea": "Idee",
    "predict": "Vorhersage",
    "predicted": "Deine Vorhersage",
    "predicted_right": "✓ richtig",
    "predicted_wrong": "✗ so ist es nicht",
    "predicted_off": "es sind {value}, du lagst um {off} daneben",
    "predicted_other": "es sind {value}",
    "point": ",",
    "still_to_do": "Noch zu tun",
    "sampling_restored": "Die Einstellungen sind wieder die von vor der Lektion.",
    "task": "Aufgabe",
    "question": "Frage",
    "solved": "Geschafft",
    "hint": "Hinweis",
    "wrong": "✗ „{answer}“ stimmt nicht. h: ein Hinweis, Enter: neue Antwort.",
    "wrong_again": "✗ „{answer}“ stimmt nicht. Enter: neue Antwort.",
    "placeholder": "Antwort eintippen, dann Enter",
    "task_done": "Erledigt! {key}: antworten",
    "to_lesson": "{key} Hinweise, Antwort",
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


def prediction_words(predicted: str, outcome: Outcome, words: dict[str, str]) -> str:
    """Return a prediction, and how near it was if that is known.

    >>> prediction_words("about 5", Outcome(False, 4.06, 0.94), GERMAN)
    'about 5 · es sind 4,06, du lagst um 0,94 daneben'
    """

    def written(value: float) -> str:
        return f"{value:.3g}".replace(".", words["point"])

    judged = ""
    if outcome.right:
        judged = words["predicted_right"]
    elif outcome.value is not None and outcome.off is not None:
        judged = words["predicted_off"].format(value=written(outcome.value), off=written(outcome.off))
    elif outcome.value is not None:
        judged = words["predicted_other"].format(value=written(outcome.value))
    elif outcome.right is False:
        judged = words["predicted_wrong"]
    return " · ".join(part for part in (predicted, judged) if part)
