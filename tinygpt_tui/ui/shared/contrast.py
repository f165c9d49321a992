"""Readable colours for every theme: a colour too close to the ground it is drawn on moves towards black or white.

The measure is WCAG 2's contrast ratio, from 1 (the same colour) to 21 (black on white).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from textual.color import BLACK, WHITE, Color

TEXT, REST = 4.5, 3.0  # the least contrast of text, and of lines and bars
STEPS = 50

GROUNDS = ("background", "surface", "panel")
INKS = {
    **dict.fromkeys(["foreground", "primary", "secondary", "accent"], TEXT),
    **dict.fromkeys(["warning", "success", "error"], REST),
    **dict.fromkeys(
        [f"text-{name}" for name in ("primary", "secondary", "accent", "warning", "success", "error")], TEXT
    ),
}
FOOTER_INKS = ("footer-foreground", "footer-key-foreground", "footer-description-foreground")
PAIRS = ("screen-selection", "input-selection", "block-cursor", "block-cursor-blurred", "input-cursor")
BUTTONS = ("primary", "success")  # the grounds of the app's buttons; `on-primary` is a label's colour there
QUIET_SHARE = 70  # per cent of the foreground, in `quiet`: less important titles, the lines behind a chart's own
SELECTED_SHARE = 0.4  # of the primary colour, in the ground of selected text


def contrast(one: Color, other: Color) -> float:
    """Return the contrast ratio of two opaque colours."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def colour_on(value: str, ground: Color) -> Color:
    """Return the opaque colour that a CSS value (`#8fb8de 30%`, `auto 60%`) gives on an opaque ground."""
    name, _, share = value.partition(" ")
    alpha = float(share.rstrip("%")) / 100 if share else 1.0
    colour = ground.get_contrast_text(alpha) if name == "auto" else Color.parse(name).multiply_alpha(alpha)
    return ground + colour


def readable(variables: Mapping[str, str]) -> dict[str, str]:
    """Return a theme's CSS variables with those replaced that could not be read; most themes need few."""
    found = dict(variables)
    grounds = [Color.parse(found[name]) for name in GROUNDS]
    for name, least in INKS.items():
        found[name] = _ink(found[name], grounds, least)
    footer = [Color.parse(found["footer-background"])]
    for name in FOOTER_INKS:
        found[name] = _ink(found[name], footer, TEXT)
    found["text-muted"] = _auto(found["text-muted"], grounds)
    quiet = f"{found['foreground']} {QUIET_SHARE}%"
    found["quiet"] = quiet if _least(quiet, grounds) >= TEXT else found["foreground"]
    selected = Color.parse(found["background"]).blend(Color.parse(found["primary"]), SELECTED_SHARE).hex
    found["screen-selection-background"] = selected
    found["screen-selection-foreground"] = found["foreground"]
    for pair in PAIRS:
        shades = [colour_on(found[f"{pair}-background"], ground) for ground in grounds]
        ink = _ink(found[f"{pair}-foreground"], shades, TEXT)
        if _least(ink, shades) < TEXT:  # none is readable on all of them
            found[f"{pair}-background"] = selected
            ink = _ink(found["foreground"], [Color.parse(selected)], TEXT)
        found[f"{pair}-foreground"] = ink
    for name in BUTTONS:
        found[f"on-{name}"] = _ink(found["button-color-foreground"], [Color.parse(found[name])], TEXT)
    return found


def ink_on(ground: Color, wanted: Color) -> Color:
    """Return the colour `wanted`, or one like it that can be read as text on the opaque colour `ground`."""
    return Color.parse(_ink(wanted.hex, [ground], TEXT))


def _ink(value: str, grounds: Iterable[Color], least: float) -> str:
    """Return `value`, or the nearest colour towards black or white that is readable on all the grounds."""
    grounds = list(grounds)
    if _least(value, grounds) >= least:
        return value
    colour = colour_on(value, grounds[0])
    end = max((BLACK, WHITE), key=lambda one: _least(one.hex, grounds))
    steps = (colour.blend(end, step / STEPS, alpha=1.0).hex for step in range(STEPS))
    return next((step for step in steps if _least(step, grounds) >= least), end.hex)


def _auto(value: str, grounds: list[Color]) -> str:
    """Return `auto N%` with the least N, from that of `value` on, that is readable on all the grounds."""
    if _least(value, grounds) >= TEXT:
        return value
    levels = (f"auto {percent}%" for percent in range(60, 100, 2))
    return next((level for level in levels if _least(level, grounds) >= TEXT), "auto")


def _least(value: str, grounds: Iterable[Color]) -> float:
    return min(contrast(colour_on(value, ground), ground) for ground in grounds)


def _luminance(colour: Color) -> float:
    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(colour.r) + 0.7152 * linear(colour.g) + 0.0722 * linear(colour.b)
