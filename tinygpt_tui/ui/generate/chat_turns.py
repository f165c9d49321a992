"""The turns of a conversation in the text of Generate, and the one that the prompt says otherwise."""

from __future__ import annotations

from tinygpt_tui.tokenizers.dialogues import SYSTEM, DialogueTokenizer, role_mark
from tinygpt_tui.ui.shared.output_text import OutputText
from tinygpt_tui.ui.shared.prompt_box import PLACEHOLDER, PromptBox
from tinygpt_tui.ui.shared.wrapping import MODEL, PERSON
from tinygpt_tui.words import printable, shortened

SIDES = 2  # of a conversation: their signs tell them apart, more need their names
LONGEST_NAME = 20  # cells


class ChatTurns:
    """Knows the roles of the model in use; without any it does nothing."""

    def __init__(self, output: OutputText, prompt: PromptBox) -> None:
        self.dialogue: DialogueTokenizer | None = None
        self._output, self._prompt = output, prompt
        self._edited: int | None = None  # where the turn begins that the prompt replaces

    def set_dialogue(self, dialogue: DialogueTokenizer | None) -> None:
        """Draw the turns of a model with these roles; None: it has none."""
        self.dialogue = dialogue
        self.take_edited()
        self._prompt.placeholder = PLACEHOLDER if dialogue is None else "Say something…"
        if dialogue is None:
            self._output.set_roles()
            return
        self._output.set_roles(*signs_of(dialogue))

    @property
    def can_edit(self) -> bool:
        """Whether there is a turn of a person that can be said otherwise."""
        return bool(self._places())

    def edit(self) -> None:
        """Have the last turn of a person in the prompt, or the one before the one that is there."""
        places = self._places()
        if self.dialogue is None or not places:
            return
        earlier = [place for place in places if self._edited is None or place < self._edited]
        self._edited = at = (earlier or places)[-1]
        self._prompt.text = self.dialogue.turns_of(self._output.text[at:])[0].text
        self._prompt.select_all()
        self._prompt.border_title = f"prompt: edit turn {places.index(at) + 1} of {len(places)}"
        self._prompt.focus()

    def take_edited(self) -> int | None:
        """Return where the turn begins that the prompt replaces, once; None: what it says is a new turn."""
        edited, self._edited = self._edited, None
        self._prompt.border_title = "prompt"
        return edited

    def _places(self) -> list[int]:
        """Return where the turns of persons begin."""
        if self.dialogue is None:
            return []
        mark = role_mark(self.dialogue.roles.index(self.dialogue.asker))
        return [at for at, character in enumerate(self._output.text) if character == mark]


def signs_of(dialogue: DialogueTokenizer) -> tuple[dict[str, str], str]:
    """Return what is shown for the mark of each role, and the marks of those that are no reply."""
    signs, persons, several = dict[str, str](), "", len({*dialogue.roles} - {SYSTEM}) > SIDES
    for number, role in enumerate(dialogue.roles):
        reply = role in dialogue.replies
        name = f"{shortened(printable(role, lines=False), LONGEST_NAME)}: " if several or role == SYSTEM else ""
        signs[role_mark(number)] = (MODEL if reply else PERSON) + name
        persons += "" if reply else role_mark(number)
    return signs, persons
