"""Every colour can be read: WCAG 2's contrast ratio of each style, of every pair of colours in every theme."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

import tinygpt_tui.ui
from tinygpt_tui.ui.shared.contrast import (
    BUTTONS,
    FOOTER_INKS,
    GROUNDS,
    INKS,
    PAIRS,
    TEXT,
    colour_on,
    contrast,
    readable,
)
from tinygpt_tui.ui.shell.themes import THEMES

OFFERED = [theme for theme in (*THEMES, *BUILTIN_THEMES.values()) if not theme.ansi]
# Colours of text in a style sheet that `readable` answers for, on the grounds that the style sheets use.
ANSWERED = {*INKS, *FOOTER_INKS, "text", "text-muted", "quiet", "background", *(f"on-{name}" for name in BUTTONS)}


def variables_of(theme: Theme) -> dict[str, str]:
    return {**theme.to_color_system().generate(), **theme.variables}


def ratio(variables: dict[str, str], ink: str, ground: str, below: str = "background") -> float:
    """Return the contrast of two variables, `ground` being drawn on `below`."""
    shade = colour_on(variables[ground], Color.parse(variables[below]))
    return contrast(colour_on(variables[ink], shade), shade)


def test_the_measure_is_that_of_wcag() -> None:
    black, white = Color.parse("#000000"), Color.parse("#ffffff")
    assert contrast(black, white) == pytest.approx(21)
    assert contrast(Color.parse("#777777"), white) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", OFFERED, ids=lambda theme: theme.name)
def test_every_theme_can_be_read(theme: Theme) -> None:
    variables = readable(variables_of(theme))
    for ground in GROUNDS:
        for ink, least in {**INKS, "text": TEXT, "text-muted": TEXT, "quiet": TEXT}.items():
            assert ratio(variables, ink, ground) >= least, (ink, ground)
        for pair in PAIRS:
            assert ratio(variables, f"{pair}-foreground", f"{pair}-background", ground) >= TEXT, (pair, ground)
    for ink in FOOTER_INKS:
        assert ratio(variables, ink, "footer-background") >= TEXT, ink
    for name in BUTTONS:
        assert ratio(variables, f"on-{name}", name) >= TEXT, name


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_our_own_themes_need_no_help(theme: Theme) -> None:
    before = variables_of(theme)
    after = readable(before)
    assert {name for name in before if before[name] != after[name]} <= {
        "screen-selection-background",
        "screen-selection-foreground",
    }


def test_style_sheets_use_no_other_colours_for_text() -> None:
    folder = Path(next(iter(tinygpt_tui.ui.__path__)))
    sheets = [*folder.rglob("*.tcss"), *folder.rglob("*.py")]
    used = {
        (found[1], sheet.name)
        for sheet in sheets
        for found in re.finditer(
            r"(?<![-\w])(?:\w+-)*color(?:-hover)?:\s*\$([^;}]+);", sheet.read_text(encoding="utf-8")
        )
        if "scrollbar" not in found[0]
    }
    assert len(used) > 20
    assert {(name, sheet) for name, sheet in used if name.strip() not in ANSWERED} == set()
