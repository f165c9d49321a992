"""Numbers as short text: 2.5k steps, a loss of 1.446, a learning rate of 3e-4."""

from __future__ import annotations

from math import floor, log10

UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def value_text(value: float, strip: bool = False) -> str:
    """Four significant digits; `strip` leaves out zeros at the end, which keep the width of a changing value steady."""
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e15 or size < 1e-3:
        return _exponent(value, 2)
    for unit, letter in UNITS:
        if size >= unit * 0.99995:
            return _stripped(f"{value / unit:.{2 - min(2, floor(log10(size / unit) + 1e-4))}f}") + letter
    text = f"{value:.{3 - min(3, floor(log10(size)))}f}"
    return _stripped(text) if strip else text


def tick_text(value: float, step: float, strip: bool = True) -> str:
    """A number on an axis, with as many decimals as the distance `step` to the next one asks for."""
    size = abs(value)
    if size < step * 1e-6:
        return "0" if strip or step >= 1 or step < 1e-3 else f"{0:.{_decimals(step)}f}"
    if size >= 1e15 or (size < 9.99e-3 and step < 0.9e-3):
        return _exponent(value, max(0, min(6, floor(log10(size) + 1e-9) - floor(log10(step) + 1e-9))))
    for unit, letter in UNITS:
        # 1.23456M is worse than 1234.56k
        if size >= unit * (1 - 1e-9) and (decimals := _decimals(step / unit)) <= 3:
            return _stripped(f"{value / unit:.{decimals}f}") + letter
    text = f"{value:.{min(9, _decimals(step))}f}"
    return _stripped(text) if strip else text


def _decimals(step: float) -> int:
    return max(0, -floor(log10(step) + 1e-9))


def _stripped(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _exponent(value: float, decimals: int) -> str:
    mantissa, exponent = f"{value:.{decimals}e}".split("e")
    return f"{_stripped(mantissa)}e{int(exponent)}"
