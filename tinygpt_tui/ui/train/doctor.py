"""What the doctor found about a run, worst first: what it means and what Enter does about it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tinygpt_tui.doctor.rounds import SIGNS, remedy_in_words, summary
from tinygpt_tui.events.training import Finding
from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.wrapping import wrap

INDENT = 3  # cells of the signs before a finding
PADDING = 2  # cells beside an entry
COLOURS = {"bad": "$text-error", "warning": "$text-warning", "hint": "$text", "fine": "$text-success"}


class TrainDoctor(OptionList):
    """An entry for each finding; Enter requests its remedy."""

    DEFAULT_CSS = """
    TrainDoctor {
        background: transparent;
        scrollbar-size-vertical: 1;
        & > .option-list--option-highlighted, &:focus > .option-list--option-highlighted {
            background: transparent; color: $foreground; text-style: none;
        }
        &:focus > .option-list--option-highlighted { background: $panel; }
    }
    """
    HELP = """## Doctor

Problems that often go unnoticed: damaged text, validation text that is also in the training text, a learning rate that
is too high or too low, dead units, a loss no better than counting letters, memorisation. ✓ is fine, · a hint,
! a warning, ✗ bad.

Enter on a finding does what helps: it opens the form of a new run with the settings changed, or shows the place in the
text. The first entry, if shown, tests whether an untrained model with these settings can memorise a single batch: if it
cannot, nothing else matters. None of this changes the run.
"""
    BINDINGS = [
        bind("enter", "select", "What helps", "doctor.help", "Apply the remedy for this finding"),
    ]

    class RemedyRequested(Message):
        """Enter was pressed on a finding."""

        finding: Finding

    def __init__(self, before: bool = False) -> None:
        """`before`: the run has not started yet, so that remedies change the form."""
        super().__init__(id="doctor", markup=False)
        self._before = before
        self._findings: list[Finding] = []
        self._marked: int | None = None  # the entry that shows the cursor
        self._wrapped_for = 0

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """Show the findings; the cursor stays on its check, or goes to the top: to what matters most."""
        if list(findings) == self._findings and self.option_count:
            return
        here = self._findings[self.highlighted].check if self.highlighted and self._findings else ""
        self._findings = list(findings)
        self.border_title = f"doctor: {summary(self._findings)}"
        self.clear_options()
        self._marked = None
        self.add_options([Option(self._words(finding, marked=False)) for finding in self._findings])
        if not self._findings:
            nothing = "Nothing found yet." if self._before else "The doctor examines the run once it has started."
            self.add_option(Option(nothing, disabled=True))
        checks = [finding.check for finding in self._findings]
        if checks:
            self.highlighted = checks.index(here) if here in checks else 0

    def on_resize(self) -> None:
        if self._room == self._wrapped_for:
            return
        self._wrapped_for = self._room
        for index, finding in enumerate(self._findings):
            self.replace_option_prompt_at_index(index, self._words(finding, marked=index == self._marked))

    @property
    def _room(self) -> int:
        return self.scrollable_content_region.width - PADDING - INDENT

    def _indented(self, text: str) -> str:
        """Wrap a text so that its further lines align with its first word."""
        if self._room <= 0:
            return text
        lines = [text[line.start : line.end].rstrip() for line in wrap(text, 0, self._room)]
        return f"\n{' ' * INDENT}".join(lines)

    def on_option_list_option_highlighted(self, message: OptionList.OptionHighlighted) -> None:
        """Mark the finding under the cursor with a sign, visible without colours, too."""
        message.stop()
        for index in (self._marked, message.option_index):
            if index is not None and index < len(self._findings):
                marked = index == message.option_index
                self.replace_option_prompt_at_index(index, self._words(self._findings[index], marked=marked))
        self._marked = message.option_index

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self.post_message(self.RemedyRequested(self._findings[message.option_index]))

    def _words(self, finding: Finding, *, marked: bool) -> Content:
        """Return the finding, what it means, and what Enter does."""
        parts = [
            Content.from_markup(
                f"$cursor[{COLOURS[finding.level]}]$sign[/] $text",
                cursor="▸" if marked else " ",
                sign=SIGNS[finding.level],
                text=self._indented(_sentence(finding.text)),
            )
        ]
        if finding.why:
            why = self._indented(finding.why)
            parts.append(Content.from_markup("[$foreground-muted]   $why[/]", why=why))
        if helps := remedy_in_words(finding, self._before):
            parts.append(Content.from_markup("[b]   $helps[/]", helps=self._indented(f"⏎ {helps}")))
        return Content("\n").join(parts)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
