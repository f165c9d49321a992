"""The same net at another size: as many parameters as another has, so that a race is fair."""

from __future__ import annotations

import math

import msgspec

from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.base import count_parameters

WIDEST = 4096
RATIOS = ("n_hidden", "hidden", "head_width")  # what grows with the width, where it is set


def scaled_to(settings: ArchitectureSettings, parameters: int) -> ArchitectureSettings:
    """Return `settings` with the width whose net has nearest to `parameters`; depth and all else stay.

    A width stays divisible by the heads and senses, and a state grows with it. A table of tokens has no width of its
    own, and stays as it is.
    """
    if "n_embd" not in settings.__struct_fields__:
        return settings
    unit = math.lcm(2 * (settings.n_head or 1), settings.n_sense or 1)  # rotary positions turn pairs
    found = [_as_wide(settings, width) for width in _widths(settings, unit, parameters)]
    return min(found, key=lambda one: abs(count_parameters(one) - parameters))


def _widths(settings: ArchitectureSettings, unit: int, parameters: int) -> list[int]:
    """The last width that is too small and the first that is too large; they are neighbours."""
    low, high = 1, WIDEST // unit
    while low < high:
        middle = (low + high) // 2
        if count_parameters(_as_wide(settings, middle * unit)) < parameters:
            low = middle + 1
        else:
            high = middle
    return [max(1, low - 1) * unit, low * unit]


def _as_wide(settings: ArchitectureSettings, width: int) -> ArchitectureSettings:
    grown = {
        name: max(1, round(getattr(settings, name) * width / settings.n_embd))
        for name in RATIOS
        if getattr(settings, name, 0)
    }
    return msgspec.structs.replace(settings, n_embd=width, **grown)
