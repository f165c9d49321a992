"""The sampling settings that shape each draw, in a few characters."""

from __future__ import annotations

from tinygpt_tui.settings.fields import fields_of, written
from tinygpt_tui.settings.sampling import SamplingSettings

SHORT = {"temperature": "T", "top_k": "top-k", "top_p": "top-p", "min_p": "min-p", "repetition_penalty": "penalty"}
_FIELDS = fields_of(SamplingSettings)


def draw_words(settings: SamplingSettings) -> list[tuple[str, bool]]:
    """Return the temperature and what else shapes a draw, and of each whether it differs from the default.

    >>> draw_words(SamplingSettings(top_k=5))
    [('T 0.8', False), ('top-k 5', True)]
    """
    differs = {name: getattr(settings, name) != _FIELDS[name].default for name in SHORT}
    return [
        (f"{short} {written(getattr(settings, name))}", differs[name])
        for name, short in SHORT.items()
        if differs[name] or name == "temperature"
    ]
