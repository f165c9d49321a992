"""One scheme of keys: a letter means the same everywhere, `docs/keys.md` lists them, and no action needs a rare key.

`python tests/ui/shell/test_keys.py` prints the table for `docs/keys.md`.
"""

from __future__ import annotations

import re
from pathlib import Path

from tinygpt_tui.ui.shell.keymap import default_bindings

# Titles of one and the same act under a key, the most general one first.
ONE_ACT: dict[str, tuple[str, ...]] = {
    "d": ("Delete", "Remove"),
    "j": ("Down", "Forward", "Layer", "Layer below", "Scroll down"),
    "k": ("Up", "Back", "Layer", "Previous layer", "Scroll up"),
    "m": ("Model", "Models"),
    "o": ("Open", "Open this"),
    "ctrl+g": ("Continue", "Start"),
    "ctrl+o": ("Model", "Models", "Other run"),
    "slash": ("Filter", "Filter models"),
}
# Bindings whose letter means something else elsewhere, each with the reason.
EXEMPT = {
    "lesson.hint": "the pane of a lesson has four keys of its own, and names them all",
    "lesson.list": "see lesson.hint",
    "lesson.next": "see lesson.hint",
    "lessons.reset": "a list of lessons that cannot be renamed",
    "app.learn": "lessons are like a sixth tab, and tabs have Alt keys of their own",
}
# Keys that terminals, tmux and screen take for themselves, or that keyboards lack.
RARE = {"ctrl+b", "f10", "f11", *(f"f{number}" for number in range(13, 25))}
LETTER = re.compile(r"(ctrl\+|alt\+)?[a-zA-Z]|f\d+|slash|question_mark|asterisk")
KEYS_PAGE = Path(__file__).resolve().parents[3] / "docs" / "keys.md"


def acts(with_exempt: bool = False) -> dict[str, dict[str, set[str]]]:
    """Return what each letter and function key does: by act, the tabs or dialogs where it does it."""
    found: dict[str, dict[str, set[str]]] = {}
    for name, bindings in default_bindings().items():
        for binding in bindings if with_exempt or name not in EXEMPT else ():
            if LETTER.fullmatch(binding.key):
                one = ONE_ACT.get(binding.key, ())
                act = one[0] if binding.description in one else binding.description
                found.setdefault(binding.key, {}).setdefault(act, set()).add(name.partition(".")[0])
    return dict(sorted(found.items(), key=lambda item: (len(item[0]) > 1, item[0].casefold(), item[0])))


def table() -> list[str]:
    """Return the rows of the page of keys."""
    return [
        f"| `{key}` | {', '.join(sorted(by_act))} | {', '.join(sorted(set().union(*by_act.values())))} |"
        for key, by_act in acts(with_exempt=True).items()
    ]


def test_a_letter_means_the_same_everywhere() -> None:
    two = {key: by_act for key, by_act in acts().items() if len(by_act) > 1}
    assert not two, "give one of them another key, or the same title"
    assert set(EXEMPT) <= set(default_bindings())


def test_alt_and_a_letter_is_the_letter_where_one_types() -> None:
    found = acts()
    for key in found:
        letter = key.removeprefix("alt+")
        if key != letter and letter in found:
            assert found[key].keys() == found[letter].keys(), key


def test_the_page_lists_the_keys_as_they_are() -> None:
    page = KEYS_PAGE.read_text(encoding="utf-8").splitlines()
    assert [line for line in page if line.startswith("| `")] == table()


def test_no_action_needs_a_key_that_may_not_arrive() -> None:
    assert not [name for name, keys in default_bindings().items() if {binding.key for binding in keys} <= RARE]


if __name__ == "__main__":
    print("\n".join(table()))
