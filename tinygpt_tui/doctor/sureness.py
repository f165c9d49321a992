"""Whether a model is as often right as it says."""

from __future__ import annotations

from tinygpt_tui.events.training import Finding
from tinygpt_tui.platforms import own_command

FAR = 0.03  # between how sure it is and how often it is right


def sureness_finding(name: str, says: float, is_right: float) -> Finding:
    """Return the finding about the model `name`: how sure it is of its most likely token, and how often that came."""
    text = f"it says {says:.0%} and is right {is_right:.0%} of the time"
    if abs(says - is_right) <= FAR:
        return Finding(0, "calibration", "fine", text)
    too = (
        "too sure: its probabilities are too high"
        if says > is_right
        else "not sure enough: its probabilities are too low"
    )
    mend = own_command("calibrate", name)
    return Finding(0, "calibration", "warning", f"{text}: {too}", f"`{mend}` mends it without training")
