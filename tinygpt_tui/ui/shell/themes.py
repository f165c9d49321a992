"""The app's own two themes: one for the night, one for the day."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="tinygpt-dark",
    dark=True,
    primary="#8fb8de",
    secondary="#a3a9d6",
    accent="#e8b86d",
    foreground="#d9dee7",
    background="#14171d",
    surface="#191d25",
    panel="#222733",
    success="#93c493",
    warning="#e2b457",
    error="#e5807b",
    variables={
        "border": "#3d4557",
        "border-blurred": "#2c3340",
        "footer-key-foreground": "#e8b86d",
        "footer-description-foreground": "#a9b1c0",
        "footer-background": "#1b1f28",
        "input-selection-background": "#8fb8de 25%",
        "block-cursor-text-style": "bold",
    },
)

LIGHT = Theme(
    name="tinygpt-light",
    dark=False,
    primary="#2b5f93",
    secondary="#5a5f9e",
    accent="#965900",
    foreground="#262b33",
    background="#f7f5f0",
    surface="#fffdf8",
    panel="#ebe7dd",
    success="#2f7340",
    warning="#8f5f00",
    error="#b3352f",
    variables={
        "border": "#a9a294",
        "border-blurred": "#d3ccbd",
        "footer-key-foreground": "#965900",
        "footer-description-foreground": "#4d5563",
        "footer-background": "#ebe7dd",
        "input-selection-background": "#2b5f93 25%",
        "block-cursor-text-style": "bold",
    },
)

THEMES = (DARK, LIGHT)
