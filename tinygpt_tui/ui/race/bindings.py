"""The keys of the Race tab."""

from __future__ import annotations

from textual.binding import BindingType

from tinygpt_tui.ui.shared.binding import bind, bind_hidden

BINDINGS: list[BindingType] = [
    bind("enter", "start", "Race", "race.start", "Have all panes continue the prompt"),
    bind("space", "pause", "Pause", "race.pause", "Pause all panes"),
    bind("space", "resume", "Continue", "race.pause", "Continue all panes"),
    *(  # where Space is typed
        bind("ctrl+@,ctrl+space", action, title, "race.pause", f"{title} all panes", display="^Space")
        for action, title in (("pause", "Pause"), ("resume", "Continue"))
    ),
    bind_hidden("alt+up", "pace(1)", "Faster", "race.faster", "More tokens a second"),
    bind_hidden("alt+down", "pace(-1)", "Slower", "race.slower", "Fewer, to one token a key"),
    bind("escape", "stop", "Stop", "race.stop", "Stop all panes; the texts stay"),
    bind_hidden("escape", "back", "Back", "race.back", "Back to the prompt"),
    bind_hidden("tab", "app.focus_next", "Next pane", "race.next", "Go to the next pane"),
    bind_hidden("shift+tab", "app.focus_previous", "Previous pane", "race.last", "Go to the previous pane"),
    bind("m,ctrl+o", "model", "Model", "race.model", "Choose the model of the chosen pane (▸)"),
    bind("u", "untrained", "Untrained", "race.untrained", "Run the model with random weights, or trained"),
    bind("ctrl+t", "settings", "Sampling", "race.settings", "The chosen pane's sampling settings"),
    bind("n", "add", "New", "race.add", "Add a pane; four at most"),
    bind("d", "remove", "Delete", "race.remove", "Remove the chosen pane; at least two stay"),
    bind_hidden("alt+u", "untrained", "Untrained", "race.untrained", "Run it untrained, or trained"),
    bind_hidden("alt+n", "add", "New", "race.add", "Add a pane; four at most"),
    bind_hidden("alt+d", "remove", "Delete", "race.remove", "Remove the chosen pane"),
    bind("ctrl+r", "again", "Retry", "race.again", "The same prompt again, with a new seed"),
    bind_hidden("right_square_bracket", "mark", "Difference", "race.mark", "Go to the first difference"),
    bind("f8", "copy", "Copy", "race.copy", "Copy the selected text, or all panes"),
    bind("f9", "save", "Save", "race.save", "Save all panes to a file"),
    bind_hidden("pageup", "page(-1)", "Page up", "race.page_up", "Scroll all panes up"),
    bind_hidden("pagedown", "page(1)", "Page down", "race.page_down", "Scroll all panes down"),
    bind_hidden("ctrl+end", "follow", "Follow", "race.follow", "Follow the end in all panes"),
]
