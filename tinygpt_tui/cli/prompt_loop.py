"""The `>>` loop of `tinygpt-tui generate`: type a prompt, watch the model continue it, change a setting, again.

A model with roles answers instead, and knows what was said before. A line that begins with a slash is a command;
`/help` lists them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from tinygpt_tui.cli.output import print_error, write
from tinygpt_tui.errors import TinyGPTError, UsageError
from tinygpt_tui.settings.fields import changed, fields_of, parse_value, written
from tinygpt_tui.settings.sampling import SamplingSettings, to_lines
from tinygpt_tui.tokenizers.dialogues import ASSISTANT, SYSTEM, DialogueTokenizer, Turn
from tinygpt_tui.ui.shared.prompt_history import PromptHistory

if TYPE_CHECKING:
    from tinygpt_tui.workers.models import OpenedModel

LEAVE = ("quit", "exit")
HELP = """\
/again          the last prompt again, with a new seed
/model NAME     another model; without a name, the one in use
/temp 1.2       change a setting: any of those below, or the beginning of its name
/settings       the settings that differ from their defaults
/new            a new conversation, with a model that has roles
/system TEXT    a new conversation with these instructions, if the model has that role
/as ROLE        the role that answers from now on
quit            leave (Ctrl-D, too); Ctrl-C ends a text
"""


class PromptLoop:
    """Reads prompts and commands until the user leaves; the settings change from one text to the next."""

    def __init__(
        self,
        name: str,
        sampling: SamplingSettings,
        open_model: Callable[[str], OpenedModel],
        write_text: Callable[[OpenedModel, str, SamplingSettings], str],
    ) -> None:
        """`write_text` writes what a model makes of a prompt, and returns it."""
        self._name, self._sampling = name, sampling
        self._open, self._write_text = open_model, write_text
        self._model = open_model(name)
        self._prompt = ""
        self._turns: list[Turn] = []
        self._reply = ASSISTANT
        self._prompts = PromptHistory.load()
        self._commands: dict[str, Callable[[str], None]] = {
            "again": lambda _: self._again(),
            "as": self._answer_as,
            "help": lambda _: self._help(),
            "model": self._change_model,
            "new": lambda _: self._start(),
            "system": self._start,
            "settings": lambda _: write(f"{to_lines(self._sampling) or 'all settings have their default values'}\n"),
        }

    def run(self) -> None:
        """Read lines until `quit` or the end of the input. Raises nothing that a line could cause."""
        _remember_lines(self._prompts)
        write(f"{self._name}: type a prompt and press Enter; /help lists the commands, quit leaves\n")
        while True:
            try:
                line = input(">> ")
                if line.strip() in LEAVE:
                    return
                self._obey(line)
            except KeyboardInterrupt:
                write("\n")
            except EOFError:
                write("\n")
                return
            except TinyGPTError as error:
                print_error(error)

    def _obey(self, line: str) -> None:
        """Carry out a command, or continue a prompt."""
        if not line.startswith("/"):
            if self._prompts.add(line):
                self._prompts.save()
            self._generate(line)
            return
        name, _, value = line[1:].partition(" ")
        name = self._full_name(name)
        if name in self._commands:
            self._commands[name](value.strip())
        else:
            self._change_setting(name, value)

    def _full_name(self, name: str) -> str:
        """Return the command or setting that `name` begins. Raises UsageError."""
        known = [*self._commands, *fields_of(SamplingSettings)]
        beginning = name.replace("-", "_")
        if beginning in known:
            return beginning
        found = [one for one in known if beginning and one.startswith(beginning)]
        if len(found) != 1:
            what = f"/{name} could be {' or '.join(found)}" if found else f"there is no command /{name}"
            raise UsageError(
                what, "/help lists the commands; a prompt that begins with a slash needs a space before it"
            )
        return found[0]

    def _change_setting(self, name: str, text: str) -> None:
        value = parse_value(fields_of(SamplingSettings)[name], text)
        self._sampling = changed(self._sampling, {name: value})
        write(f"{name} = {written(value)}\n")

    def _change_model(self, name: str) -> None:
        if name:
            self._model = self._open(name)
            self._name, self._turns, self._reply = name, [], ASSISTANT
        write(f"model = {self._name}\n")

    def _generate(self, prompt: str) -> None:
        self._prompt = prompt
        if not isinstance(tokenizer := self._model.tokenizer, DialogueTokenizer):
            self._write_text(self._model, prompt, self._sampling)
            return
        turns = [*self._turns, Turn(tokenizer.asker, prompt)]
        said = self._write_text(self._model, tokenizer.prompt_of(turns, self._reply), self._sampling)
        self._turns = [*turns, Turn(self._reply, said)]  # what was interrupted was not said

    def _again(self) -> None:
        self._turns = self._turns[:-2]
        self._generate(self._prompt)

    def _dialogue(self) -> DialogueTokenizer:
        """Return the tokenizer of a model with roles. Raises UsageError for another one."""
        if not isinstance(tokenizer := self._model.tokenizer, DialogueTokenizer):
            raise UsageError(f"{self._name} has no roles", "it continues a text; /model tales-chat answers")
        return tokenizer

    def _start(self, instructions: str = "") -> None:
        tokenizer = self._dialogue()
        self._turns = [Turn(tokenizer.role(SYSTEM), instructions)] if instructions else []
        write("new conversation\n")

    def _answer_as(self, role: str) -> None:
        tokenizer = self._dialogue()
        self._reply = tokenizer.role(role or self._reply)
        write(f"as = {self._reply} (roles: {', '.join(tokenizer.roles)})\n")

    def _help(self) -> None:
        write(HELP)
        for name, field in fields_of(SamplingSettings).items():
            write(f"  {name:20} {field.description}\n")


def _remember_lines(prompts: PromptHistory) -> None:
    """Let the arrow keys find the prompts of the app and of earlier loops, where Python was built with readline."""
    with contextlib.suppress(ImportError):
        import readline

        for prompt in prompts:
            if "\n" not in prompt:
                readline.add_history(prompt)
