"""The keys of the Race tab."""

from __future__ import annotations

from textual.binding import Binding, BindingType

BINDINGS: list[BindingType] = [
    Binding("enter", "start", "Race", id="race.start", tooltip="Have all panes continue the prompt"),
    Binding("space", "pause", "Pause", id="race.pause", tooltip="Pause all panes"),
    Binding("space", "resume", "Continue", id="race.pause", tooltip="Continue all panes"),
    *(  # where Space is typed
        Binding("ctrl+@,ctrl+space", action, title, id="race.pause", key_display="^Space", tooltip=f"{title} all panes")
        for action, title in (("pause", "Pause"), ("resume", "Continue"))
    ),
    Binding("alt+up", "pace(1)", "Faster", id="race.faster", show=False, tooltip="More tokens a second"),
    Binding("alt+down", "pace(-1)", "Slower", id="race.slower", show=False, tooltip="Fewer, to one token a key"),
    Binding("escape", "stop", "Stop", id="race.stop", tooltip="Stop all panes; the texts stay"),
    Binding("escape", "back", "Back", id="race.back", show=False, tooltip="Back to the prompt"),
    Binding("tab", "app.focus_next", "Next pane", id="race.next", show=False, tooltip="Go to the next pane"),
    Binding(
        "shift+tab",
        "app.focus_previous",
        "Previous pane",
        id="race.last",
        show=False,
        tooltip="Go to the previous pane",
    ),
    Binding("m,ctrl+o", "model", "Model", id="race.model", tooltip="Choose the model of the chosen pane (▸)"),
    Binding(
        "u", "untrained", "Untrained", id="race.untrained", tooltip="Run the model with random weights, or trained"
    ),
    Binding("ctrl+t", "settings", "Sampling", id="race.settings", tooltip="The chosen pane's sampling settings"),
    Binding("n", "add", "New", id="race.add", tooltip="Add a pane; four at most"),
    Binding("d", "remove", "Delete", id="race.remove", tooltip="Remove the chosen pane; at least two stay"),
    Binding("alt+u", "untrained", "Untrained", id="race.untrained", show=False, tooltip="Run it untrained, or trained"),
    Binding("alt+n", "add", "New", id="race.add", show=False, tooltip="Add a pane; four at most"),
    Binding("alt+d", "remove", "Delete", id="race.remove", show=False, tooltip="Remove the chosen pane"),
    Binding("ctrl+r", "again", "Retry", id="race.again", tooltip="The same prompt again, with a new seed"),
    Binding(
        "right_square_bracket",
        "mark",
        "Difference",
        id="race.mark",
        show=False,
        tooltip="Go to the first difference",
    ),
    Binding("f8", "copy", "Copy", id="race.copy", tooltip="Copy the selected text, or all panes"),
    Binding("f9", "save", "Save", id="race.save", tooltip="Save all panes to a file"),
    Binding("pageup", "page(-1)", "Page up", id="race.page_up", show=False, tooltip="Scroll all panes up"),
    Binding("pagedown", "page(1)", "Page down", id="race.page_down", show=False, tooltip="Scroll all panes down"),
    Binding("ctrl+end", "follow", "Follow", id="race.follow", show=False, tooltip="Follow the end in all panes"),
]
