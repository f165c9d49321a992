"""The keys of the time machine."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from tinygpt_tui.ui.timeline.time_machine import BIG_STEP

BINDINGS: list[BindingType] = [
    Binding("space", "play", "Play", id="machine.play", tooltip="Play all steps, from the untrained model to the last"),
    Binding("space", "pause", "Pause", id="machine.pause", tooltip="Stay at this step"),
    Binding("alt+left", "go(-1)", "Earlier", id="machine.left", show=False, tooltip="The previous checkpoint"),
    Binding("alt+right", "go(1)", "Later", id="machine.right", show=False, tooltip="The next checkpoint"),
    Binding("alt+shift+left", f"go(-{BIG_STEP})", "Far back", id="machine.far_left", show=False, tooltip="Five back"),
    Binding("alt+shift+right", f"go({BIG_STEP})", "Far on", id="machine.far_right", show=False, tooltip="Five on"),
    Binding("p", "prompt", "Prompt", id="machine.prompt", tooltip="Type another prompt"),
    Binding("ctrl+t", "sampling", "Sampling", id="machine.sampling", tooltip="Temperature, length, seed and more"),
    Binding("ctrl+r", "again", "Retry", id="machine.again", tooltip="Other random numbers, the same at each step"),
    Binding("f9", "save", "Save", id="machine.save", tooltip="Save all steps as a film: SVG or terminal recording"),
    Binding("P", "project", "Projector", id="machine.project", tooltip="Large, for a class: the curve and the text"),
    Binding("f8", "copy", "Copy", id="machine.copy", tooltip="Copy the selected text, or all of it"),
    Binding("pageup", "page(-1)", "Page up", id="machine.page_up", show=False, tooltip="Scroll the text up"),
    Binding("pagedown", "page(1)", "Page down", id="machine.page_down", show=False, tooltip="Scroll the text down"),
    Binding("escape", "back", "Back", id="machine.back", tooltip="Back to the curve; from there, leave"),
]
