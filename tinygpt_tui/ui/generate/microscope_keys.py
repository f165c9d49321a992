"""The microscope's help, and its keys while it is open."""

from __future__ import annotations

from textual.binding import BindingType

from tinygpt_tui.ui.shared.binding import bind, bind_hidden

HELP = (
    "## Microscope\n\n"
    "The model's prediction at the moment it wrote the character under the cursor: its *probability*, its *rank* "
    "among all tokens, its *surprise* (one bit for each halving of the probability: 1 bit is one in 2, 6 bits one "
    "in 64), and the *entropy*, the expected surprise. The bars are the ten most likely tokens; ▸ marks the "
    "character in the text. The first bar is the model's own probability, the second what temperature, top k, top "
    "p and min p make of it; `–` marks what they exclude. Alt+← and Alt+→ turn the temperature, and the bars "
    "follow. While text is written below full speed, the same panel shows each draw; from 140 columns on it is "
    "always open.\n\n"
    "The arrow keys move through the text, Left and Right token by token; a click goes to a character, [ and ] (or "
    "Ctrl+Left, Ctrl+Right) jump to surprising characters: 6 bits and more. Tab, a digit or a click selects an "
    "alternative; Enter continues with it. F6 colours the text by surprise: plain below 1 bit, then stronger from 1, "
    "2, 4, 6 and 9 bits. `T` marks where each token begins, and in another colour a character of several tokens.\n\n"
    "`a` asks *why this character?*: each character before it is replaced in turn by others that the model held "
    "likely there, and all others stay in place. Underlined in green made it more likely, italic in red less "
    "likely. `A` shows the attention of each layer and head for it: in Inspect, from 200 columns beside the text.\n\n"
    "In exact mode every character past the first block needs its own pass, so this can take a moment."
)
BINDINGS: list[BindingType] = [
    bind("enter", "fork", "Fork", "microscope.fork", "Continue from here with the selected character"),
    bind("tab", "pick(1)", "Pick", "microscope.pick", "Select an alternative; so does its digit"),
    bind_hidden("shift+tab", "pick(-1)", "Pick back", "microscope.pick_back", "Select the one above"),
    bind(
        "right_square_bracket,ctrl+right",
        "jump(1)",
        "Surprise",
        "microscope.next",
        "Go to the next surprising character",
    ),
    bind_hidden(
        "left_square_bracket,ctrl+left",
        "jump(-1)",
        "Surprise before",
        "microscope.before",
        "Go to the previous surprising character",
    ),
    bind("a", "why", "Why", "microscope.why", "Why this character? Colours what made it likely"),
    bind_hidden("T", "tokens", "Tokens", "microscope.tokens", "Mark where each token begins"),
    bind("A", "attention", "Attention", "microscope.attention", "Its attention, head by head"),
    bind("escape", "leave", "Close", "microscope.leave", "Close the microscope"),
]
