"""The keys of the Generate tab."""

from __future__ import annotations

from textual.binding import Binding, BindingType

BINDINGS: list[BindingType] = [
    # Of the panes together: pace, temperature, and what has no place in the line of keys.
    Binding("space", "panes('pause')", "Pause", id="pace.pause", tooltip="Pause the text"),
    Binding("space", "panes('resume')", "Continue", id="pace.pause", tooltip="Continue the text"),
    *(  # where Space is typed
        Binding("ctrl+@,ctrl+space", action, title, id="pace.pause", key_display="^Space", tooltip=f"{title} the text")
        for action, title in (("panes('pause')", "Pause"), ("panes('resume')", "Continue"))
    ),
    Binding("right,full_stop", "panes('step')", "Next token", id="pace.step", tooltip="Draw one token, then wait"),
    Binding("alt+up", "panes('pace', 1)", "Faster", id="pace.faster", show=False, tooltip="More tokens a second"),
    Binding(
        "alt+down", "panes('pace', -1)", "Slower", id="pace.slower", show=False, tooltip="Fewer, to one token a key"
    ),
    # With priority: a key of the focused box must not take them.
    Binding(
        "alt+right",
        "panes('temperature', 1)",
        "Warmer",
        id="sampling.warmer",
        show=False,
        priority=True,
        tooltip="A higher temperature: more random",
    ),
    Binding(
        "alt+left",
        "panes('temperature', -1)",
        "Cooler",
        id="sampling.cooler",
        show=False,
        priority=True,
        tooltip="A lower temperature: the most likely letters",
    ),
    Binding(
        "alt+shift+right",
        "panes('preset', 1)",
        "Next preset",
        id="sampling.preset_up",
        show=False,
        priority=True,
        tooltip="Temperature: greedy, normal, wild",
    ),
    Binding(
        "alt+shift+left",
        "panes('preset', -1)",
        "Preset before",
        id="sampling.preset_down",
        show=False,
        priority=True,
        tooltip="Temperature: wild, normal, greedy",
    ),
    Binding("ctrl+t", "panes('sampling')", "Sampling", id="generate.sampling", tooltip="The sampling settings"),
    Binding(
        "f11,alt+o",
        "panes('open')",
        "Open",
        id="generate.open",
        show=False,
        tooltip="Open a model: another program's file, a folder, or hf:NAME",
    ),
    Binding(
        "f12,alt+i",
        "panes('card')",
        "Model card",
        id="generate.card",
        show=False,
        tooltip="Details; rename, copy, delete, compare, export",
    ),
    Binding(
        "alt+u",
        "panes('untrained')",
        "Untrained",
        id="generate.untrained",
        show=False,
        tooltip="Switch between the trained model and its untrained copy",
    ),
    Binding(
        "slash",
        "panes('filter')",
        "Filter models",
        id="generate.filter",
        show=False,
        tooltip="Type to filter the models",
    ),
    Binding(
        "pageup", "panes('page', -1)", "Page up", id="generate.page_up", show=False, tooltip="Scroll the output up"
    ),
    Binding("pagedown", "panes('page', 1)", "Page down", id="generate.page_down", show=False, tooltip="Scroll it down"),
    Binding(
        "ctrl+end", "panes('follow')", "Follow", id="generate.follow", show=False, tooltip="Follow the output's end"
    ),
    # Of the text and the screen.
    Binding("enter", "generate", "Generate", id="generate.generate", tooltip="Generate text from the prompt"),
    Binding("escape", "stop", "Stop", id="generate.stop", tooltip="Stop at the next token; the text stays"),
    Binding("escape", "panes('back')", "Back", id="generate.back", show=False, tooltip="Back to the prompt"),
    Binding("ctrl+g", "go_on", "Continue", id="generate.go_on", tooltip="Keep generating from the end of this text"),
    Binding("ctrl+r", "again", "Retry", id="generate.again", tooltip="Same prompt, new seed"),
    Binding(
        "f5",
        "microscope",
        "Microscope",
        id="generate.microscope",
        tooltip="See the model's probabilities for each character",
    ),
    # The prompt's own F6 (select a line) is overridden.
    Binding(
        "f6",
        "surprise",
        "Surprise",
        id="generate.surprise",
        priority=True,
        tooltip="Colour the text by surprise",
    ),
    # The prompt's own Ctrl+D (delete to the right, as Del does) is overridden if there are senses.
    Binding(
        "ctrl+d",
        "senses",
        "Senses",
        id="generate.senses",
        priority=True,
        tooltip="A backpack's senses: what each says of the next token, and a dial for each",
    ),
    # The prompt's own Ctrl+F (delete a word to the right) is overridden if there is a text.
    Binding(
        "ctrl+f",
        "facts",
        "Facts",
        id="generate.facts",
        priority=True,
        tooltip="Loops, unknown words, and what is copied from the training text",
    ),
    Binding(
        "ctrl+b,alt+b", "branches", "Branches", id="generate.branches", tooltip="Everything written in this session"
    ),
    Binding("ctrl+o", "panes('models')", "Models", id="generate.models", tooltip="Choose another model"),
    Binding("ctrl+s", "sessions", "Sessions", id="generate.sessions", tooltip="Earlier sessions, and a new one"),
    Binding("f9", "save", "Save", id="generate.save", tooltip="Save as text, Markdown or JSON"),
    Binding("f8", "copy", "Copy", id="generate.copy", tooltip="Copy the selected text, or all of it"),
    Binding("ctrl+l", "clear", "Clear", id="generate.clear", tooltip="Clear the screen (the text stays in Branches)"),
    Binding(
        "alt+h",
        "time_machine",
        "History",
        id="generate.history",
        show=False,
        tooltip="Time machine: play the steps of this model's run, from noise to text",
    ),
]
