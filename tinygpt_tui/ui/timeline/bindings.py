"""The keys of the time machine."""

from __future__ import annotations

from textual.binding import BindingType

from tinygpt_tui.ui.shared.binding import bind, bind_hidden
from tinygpt_tui.ui.timeline.time_machine import BIG_STEP

BINDINGS: list[BindingType] = [
    bind("space", "play", "Play", "machine.play", "Play all steps, from the untrained model to the last"),
    bind("space", "pause", "Pause", "machine.pause", "Stay at this step"),
    bind_hidden("alt+left", "go(-1)", "Earlier", "machine.left", "The previous checkpoint"),
    bind_hidden("alt+right", "go(1)", "Later", "machine.right", "The next checkpoint"),
    bind_hidden("alt+shift+left", f"go(-{BIG_STEP})", "Far back", "machine.far_left", "Five back"),
    bind_hidden("alt+shift+right", f"go({BIG_STEP})", "Far on", "machine.far_right", "Five on"),
    bind("p", "prompt", "Prompt", "machine.prompt", "Type another prompt"),
    bind("ctrl+t", "sampling", "Sampling", "machine.sampling", "Temperature, length, seed and more"),
    bind("ctrl+r", "again", "Retry", "machine.again", "Other random numbers, the same at each step"),
    bind("f9", "save", "Save", "machine.save", "Save all steps as a film: SVG or terminal recording"),
    bind("P", "project", "Projector", "machine.project", "Large, for a class: the curve and the text"),
    bind("f8", "copy", "Copy", "machine.copy", "Copy the selected text, or all of it"),
    bind_hidden("pageup", "page(-1)", "Page up", "machine.page_up", "Scroll the text up"),
    bind_hidden("pagedown", "page(1)", "Page down", "machine.page_down", "Scroll the text down"),
    bind("escape", "back", "Back", "machine.back", "Back to the curve; from there, leave"),
]
