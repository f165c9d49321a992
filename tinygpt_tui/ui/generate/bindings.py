"""The keys of the Generate tab, and when each does something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import BindingType

from tinygpt_tui.ui.shared.binding import bind, bind_hidden, bind_over

if TYPE_CHECKING:
    from tinygpt_tui.ui.generate.model_chooser import ModelChooser
    from tinygpt_tui.ui.generate.text_pane import TextPane

BINDINGS: list[BindingType] = [
    # Of the panes together: pace, temperature, and what has no place in the line of keys.
    bind("space", "panes('pause')", "Pause", "pace.pause", "Pause the text"),
    bind("space", "panes('resume')", "Continue", "pace.pause", "Continue the text"),
    *(  # where Space is typed
        bind("ctrl+@,ctrl+space", action, title, "pace.pause", f"{title} the text", display="^Space")
        for action, title in (("panes('pause')", "Pause"), ("panes('resume')", "Continue"))
    ),
    bind("right,full_stop", "panes('step')", "Next token", "pace.step", "Draw one token, then wait"),
    bind_hidden("alt+up", "panes('pace', 1)", "Faster", "pace.faster", "More tokens a second"),
    bind_hidden("alt+down", "panes('pace', -1)", "Slower", "pace.slower", "Fewer, to one token a key"),
    # With priority: a key of the focused box must not take them.
    bind_over("alt+right", "panes('temperature', 1)", "Warmer", "sampling.warmer", "A higher temperature: more random"),
    bind_over(
        "alt+left",
        "panes('temperature', -1)",
        "Cooler",
        "sampling.cooler",
        "A lower temperature: the most likely letters",
    ),
    bind_over(
        "alt+shift+right",
        "panes('preset', 1)",
        "Next preset",
        "sampling.preset_up",
        "Temperature: greedy, normal, wild",
    ),
    bind_over(
        "alt+shift+left",
        "panes('preset', -1)",
        "Preset before",
        "sampling.preset_down",
        "Temperature: wild, normal, greedy",
    ),
    bind("ctrl+t", "panes('sampling')", "Sampling", "generate.sampling", "The sampling settings"),
    bind_hidden(
        "f11,alt+o",
        "panes('open')",
        "Open",
        "generate.open",
        "Open a model: another program's file, a folder, or hf:NAME",
    ),
    bind_hidden(
        "f12,alt+i", "panes('card')", "Model card", "generate.card", "Details; rename, copy, delete, compare, export"
    ),
    bind_hidden(
        "alt+u",
        "panes('untrained')",
        "Untrained",
        "generate.untrained",
        "Switch between the trained model and its untrained copy",
    ),
    bind_hidden("slash", "panes('filter')", "Filter models", "generate.filter", "Type to filter the models"),
    bind_hidden("pageup", "panes('page', -1)", "Page up", "generate.page_up", "Scroll the output up"),
    bind_hidden("pagedown", "panes('page', 1)", "Page down", "generate.page_down", "Scroll it down"),
    bind_hidden("ctrl+end", "panes('follow')", "Follow", "generate.follow", "Follow the output's end"),
    # Of the text and the screen.
    bind("enter", "generate", "Generate", "generate.generate", "Generate text from the prompt"),
    bind("escape", "stop", "Stop", "generate.stop", "Stop at the next token; the text stays"),
    bind_hidden("escape", "panes('back')", "Back", "generate.back", "Back to the prompt"),
    bind("ctrl+g", "go_on", "Continue", "generate.go_on", "Keep generating from the end of this text"),
    bind("ctrl+r", "again", "Retry", "generate.again", "Same prompt, new seed"),
    bind("f5", "microscope", "Microscope", "generate.microscope", "See the model's probabilities for each character"),
    # The prompt's own F6 (select a line) is overridden.
    bind("f6", "surprise", "Surprise", "generate.surprise", "Colour the text by surprise", priority=True),
    # The prompt's own Ctrl+D (delete to the right, as Del does) is overridden if there are senses.
    bind(
        "ctrl+d",
        "senses",
        "Senses",
        "generate.senses",
        "A backpack's senses: what each says of the next token, and a dial for each",
        priority=True,
    ),
    # The prompt's own Ctrl+F (delete a word to the right) is overridden if there is a text.
    bind(
        "ctrl+f",
        "facts",
        "Facts",
        "generate.facts",
        "Loops, unknown words, and what is copied from the training text",
        priority=True,
    ),
    # The prompt's own Ctrl+E (end of the line, as End does) is overridden in a conversation.
    bind(
        "ctrl+e",
        "edit_turn",
        "Edit turn",
        "generate.edit_turn",
        "Say the last turn otherwise; again: the turn before it",
        priority=True,
    ),
    bind("ctrl+b,alt+b", "branches", "Branches", "generate.branches", "Everything written in this session"),
    bind("ctrl+o", "panes('models')", "Models", "generate.models", "Choose another model"),
    bind("ctrl+s", "sessions", "Sessions", "generate.sessions", "Earlier sessions, and a new one"),
    bind("f9", "save", "Save", "generate.save", "Save as text, Markdown or JSON"),
    bind("f8", "copy", "Copy", "generate.copy", "Copy the selected text, or all of it"),
    bind("ctrl+l", "clear", "Clear", "generate.clear", "Clear the screen (the text stays in Branches)"),
    bind_hidden(
        "alt+h",
        "time_machine",
        "History",
        "generate.history",
        "Time machine: play the steps of this model's run, from noise to text",
    ),
]


def is_possible(action: str, pane: TextPane, chooser: ModelChooser) -> bool:
    """Whether an action of the Generate tab does something now."""
    has_text, busy = bool(pane.output.text), pane.writing.busy
    match action:
        case "stop":
            return busy
        case "go_on":
            return (has_text and not busy) or (pane.is_new and pane.welcome.last is not None)
        case "again":
            return pane.can_retry
        case "microscope":
            return has_text or pane.is_new
        case "clear" | "copy" | "save" | "facts" | "surprise":
            return has_text
        case "edit_turn":
            return pane.turns.can_edit and not busy
        case "train_on":
            return chooser.can_train
        case "senses":
            return chooser.in_use is not None and chooser.in_use.has_senses
        case "branches":
            return bool(pane.editor.session.branches)
    return True
