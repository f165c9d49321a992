"""What can be generated from the text that is shown: a new text, more of it, the same again, another from a place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from tinygpt_tui.events.requests import SaveCopy
from tinygpt_tui.sessions.document import Branch
from tinygpt_tui.tokenizers.dialogues import END_OF_TURN, MARKS, DialogueTokenizer, Turn
from tinygpt_tui.ui.shared.generation_view import Asked

if TYPE_CHECKING:
    from tinygpt_tui.ui.generate.text_pane import TextPane
    from tinygpt_tui.ui.generate.workspace import Workspace

NO_MODEL = "there is no model yet; train one in the Train tab (F3)"
FEW = 120  # tokens, to have a text for the microscope


class Request(NamedTuple):
    """Text to generate: what the model is given, how its branch is made, and where it leaves another branch.

    `repeats` is a branch whose seed, settings and changes of them are used again; None: the settings of the form are.
    """

    asked: Asked
    add_branch: Callable[..., int]  # (card, sampling settings, untrained=…)
    fork_at: int | None = None
    repeats: Branch | None = None


def fresh(pane: TextPane, prompt: str) -> Request | None:
    """Return the request for a text that continues a prompt; for an answer from a model with roles, if any is said."""
    if (dialogue := pane.turns.dialogue) is not None:
        return said(pane, dialogue, prompt)
    return Request(Asked(prompt, len(prompt)), partial(pane.editor.begin, prompt))


def said(pane: TextPane, dialogue: DialogueTokenizer, words: str) -> Request | None:
    """Return the request for the answer to what a person says: after all that is shown, or in place of a turn."""
    if pane.writing.busy:
        pane.notify("the answer is still being written; Esc stops it", timeout=3)
        return None
    if not words.strip():
        return None
    text, at, edited = pane.output.text, len(pane.output.text), pane.turns.take_edited()
    turn = dialogue.prompt_of([Turn(dialogue.asker, words)])
    if edited is not None:
        at = edited
    elif text:
        turn = turn if text.endswith(END_OF_TURN) else END_OF_TURN + turn
    if not at or not MARKS.search(text):  # a new conversation
        return Request(Asked(turn, len(turn)), partial(pane.editor.begin, turn))
    return Request(Asked(text[:at] + turn, min(pane.output.prompt_end, at)), partial(pane.editor.fork, at, turn))


def continued(pane: TextPane) -> Request:
    """Return the request for more text after all that is shown."""
    return Request(Asked(pane.output.text, pane.output.prompt_end), pane.editor.go_on)


def retried(pane: TextPane) -> Request | None:
    """Return the last request again; None if there is none."""
    asked = pane.writing.asked
    return None if asked is None else Request(asked, partial(pane.editor.fork, len(asked.text), ""))


def reproduced(pane: TextPane) -> Request | None:
    """Return the request for the current branch's text again, exactly; None if its seed or its changes are unknown."""
    branch = pane.editor.current
    if branch is None or branch.seed is None or not branch.tokens or (branch.turned and not branch.changes):
        return None
    asked = Asked(pane.editor.full_text()[: branch.begins_at], branch.prompt_end)
    return Request(asked, partial(pane.editor.fork, branch.begins_at, ""), repeats=branch)


def forked(pane: TextPane, offset: int, text: str) -> Request:
    """Return the request for a text that has `text` at `offset` and continues from there."""
    asked = Asked(pane.output.text[:offset] + text, min(pane.output.prompt_end, offset))
    return Request(asked, partial(pane.editor.fork, offset, text), offset)


def copy_to_save(pane: TextPane) -> SaveCopy | None:
    """Return the request that saves the copy which has learned from the text; None if none has."""
    branch, asked = pane.editor.current, pane.writing.asked
    if branch is None or asked is None or not branch.sampling.adapt or pane.writing.busy:
        return None
    return SaveCopy(branch.model_path, asked.text, branch.untrained)


class Writer:
    """Starts texts with the model in use and the settings of the form; reports why where that is impossible."""

    def __init__(self, panes: Workspace) -> None:
        self._panes, self._chooser, self._pane, self._form = panes, panes.chooser, panes.pane, panes.form
        self._look_next = False  # the microscope opens when the text has ended

    def generate(self, prompt: str) -> bool:
        """Continue a prompt; return whether that has started."""
        return self.write(fresh(self._pane, prompt))

    def look_inside(self, prompt: str) -> bool:
        """Continue a prompt with a short text, and open the microscope at its end."""
        self._look_next = True
        return self.generate(prompt)

    def text_changed(self) -> None:
        """Open the microscope on the first letter of the text that was written for it, when that has ended."""
        output = self._pane.output
        if self._look_next and output.text and not self._pane.writing.busy:
            self._look_next = False
            text, at = output.text, output.prompt_end
            self._pane.glass.open(next((place for place in range(at, len(text)) if text[place].isalpha()), at))

    def write(self, request: Request | None) -> bool:
        """Generate, or report why that is impossible; return whether it has started."""
        model, settings = self._chooser.in_use, self._form.settings
        if request is None:
            return False
        if model is None or model.card.problem:
            none = NO_MODEL if self._chooser.models.loaded else "the models are still being read: try again"
            self._pane.notify(model.card.problem if model else none, severity="warning", markup=False)
            return False
        if settings is None:
            self._pane.notify(self._form.problem, title="sampling", severity="error", markup=False)
            self._panes.open_sampling()
            return False
        if self._look_next:
            settings = msgspec.structs.replace(settings, max_new_tokens=min(FEW, settings.max_new_tokens))
        if (branch := request.repeats) is not None:
            if (branch.model_path, branch.untrained) != (model.card.path, model.untrained):
                self._pane.notify(f"{branch.model} wrote this text: choose it first", severity="warning", markup=False)
                return False
            settings = msgspec.structs.replace(branch.sampling, seed=branch.seed, max_new_tokens=branch.tokens)
        self._pane.writer.write(request, model, settings, at_once=self._look_next)
        return True
