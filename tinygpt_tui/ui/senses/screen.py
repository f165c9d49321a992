"""The senses of a backpack: what each says about the next token, and a dial for each that changes the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widgets import Static, TextArea

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import EngineFailed, EngineReady, GenerationEnded, GenerationEvent, SensesSeen
from tinygpt_tui.events.requests import EVERY_TOKEN, Generate, LookAtSenses
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.jobs.news import EngineNews
from tinygpt_tui.ui.senses.sense_list import SenseList, heading
from tinygpt_tui.ui.senses.sense_text import SenseText
from tinygpt_tui.ui.senses.sense_tokens import SenseTokens
from tinygpt_tui.ui.senses.token_senses import SenseDials, first_difference
from tinygpt_tui.ui.shared.binding import bind, bind_hidden
from tinygpt_tui.ui.shared.generation_view import Asked, GenerationView
from tinygpt_tui.ui.shared.microscope import name_of
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shell.tab_screen import TabScreen

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Job

PAUSE_S = 0.12  # in typing or turning, after which the text follows
LENGTH = 300  # tokens, at most
BEGINNING = "The "  # without a text
WAITING = "Asking the model…"
TURN = "Turn a sense with + or - to see what the model writes then."


class SensesScreen(TabScreen):
    """Turns dials, asks the engine, and shows the answers; only the newest request counts."""

    TAB = "generate"
    CSS_PATH = "screen.tcss"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-tall")]
    AUTO_FOCUS = "SenseList"
    HELP = SenseList.HELP
    BINDINGS = [
        bind_hidden("p", "prompt", "Prompt", "senses.prompt", "Write another text"),
        bind("ctrl+r", "again", "Retry", "senses.again", "Another random seed, the same for both"),
        bind_hidden("f8", "copy", "Copy", "senses.copy", "Copy the selected text, or both"),
        bind("escape", "back", "Back", "senses.back", "Back to the senses; from there, leave"),
    ]

    def __init__(self, card: ModelCard, text: str, sampling: SamplingSettings) -> None:
        """Start with `text`; `sampling` has the settings for both texts, except their length."""
        super().__init__()
        self.card, self.dials = card, SenseDials()
        self._prompt = text or BEGINNING
        few = min(sampling.max_new_tokens or LENGTH, LENGTH)
        self._sampling = msgspec.structs.replace(
            sampling, max_new_tokens=few, seed=1 if sampling.seed is None else sampling.seed
        )
        self._sides = {side: GenerationView() for side in ("plain", "turned")}
        self._texts = {"plain": "", "turned": ""}
        self._soon: Timer | None = None

    def compose_body(self) -> ComposeResult:
        yield Static("", id="senses-head", markup=False)
        yield SenseTokens(id="senses-tokens")
        yield Static("", id="senses-columns", markup=False)
        yield SenseList(id="senses-list")
        with Horizontal(id="senses-texts"):
            for side, title in (("plain", "unchanged"), ("turned", "with your changes")):
                text = SenseText()
                text.id, text.border_title = f"senses-{side}", title
                yield text
        box = PromptBox(self.workbench.prompts, id="senses-prompt")
        box.border_title = "text"
        box.text = self._prompt
        with Horizontal(id="senses-box"):
            yield Static("/ text", id="senses-label", markup=False)
            yield box

    def on_mount(self) -> None:
        self.workbench.news.listen(self)
        self._output("plain").set_hint(WAITING)
        self._output("turned").set_hint(TURN)
        box = self.query_one(PromptBox)
        box.move_cursor(box.document.end)
        self._ask_senses()
        self._write("plain")
        self._show_state()

    def on_unmount(self) -> None:
        self.workbench.news.leave(self)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_state)

    def _output(self, side: str) -> SenseText:
        return self.query_one(f"#senses-{side}", SenseText)

    def written(self, side: str) -> str:
        """Return what was written "plain" or "turned", behind the prompt; empty while it is being written."""
        return "" if self._sides[side].busy else self._texts[side]

    # Tokens and dials

    @on(SenseList.Went)
    def _went(self, message: SenseList.Went) -> None:
        if self.dials.go(self.dials.at + message.by):
            self._show_state()

    @on(SenseTokens.Pointed)
    def _pointed(self, message: SenseTokens.Pointed) -> None:
        if self.dials.go(message.place):
            self._show_state()

    @on(SenseList.Turned)
    def _turned(self, message: SenseList.Turned) -> None:
        dials = self.dials
        moved = dials.turn(message.sense, message.by) if message.at is None else dials.set(message.sense, message.at)
        if moved:
            self._dialled()

    @on(SenseList.DialSwitched)
    def _other_dial(self) -> None:
        self.dials.for_every = not self.dials.for_every
        self._show_state()

    @on(SenseList.ResetAll)
    def _level(self) -> None:
        if self.dials.level():
            self._dialled()

    def _dialled(self) -> None:
        self._show_state()
        self._later(lambda: self._write("turned"))

    def _later(self, then: object) -> None:
        if self._soon is not None:
            self._soon.stop()
        self._soon = self.set_timer(PAUSE_S, then)  # type: ignore[arg-type]

    def action_prompt(self) -> None:
        self.query_one(PromptBox).focus()

    def action_back(self) -> None:
        senses = self.query_one(SenseList)
        if senses.has_focus:
            for writing in self._sides.values():
                writing.stop()
            self.app.pop_screen()
        else:
            senses.focus()

    def action_again(self) -> None:
        self._sampling = msgspec.structs.replace(self._sampling, seed=(self._sampling.seed or 0) + 1)
        self._write_both()
        self._show_state()

    def action_copy(self) -> None:
        self.copy_or_all("\n\n".join(self._prompt + text for text in self._texts.values() if text))

    # Asking

    @on(TextArea.Changed, "#senses-prompt")
    def _typed(self, message: TextArea.Changed) -> None:
        message.stop()
        if self.query_one(PromptBox).text != self._prompt:
            self._later(self._take_prompt)

    @on(PromptBox.Submitted)
    def _submitted(self, message: PromptBox.Submitted) -> None:
        message.stop()
        self._take_prompt()
        self.query_one(SenseList).focus()

    def _take_prompt(self) -> None:
        prompt = self.query_one(PromptBox).text
        if prompt != self._prompt:
            self._prompt = prompt
            self._ask_senses()
            self._write_both()

    def _write_both(self) -> None:
        for side in self._sides:
            self._write(side)

    def _write(self, side: str) -> None:
        gains = self.dials.gains if side == "turned" else ()
        engine = self.workbench.engine
        self._sides[side].stop()
        if side == "turned" and not gains:
            self._sides[side] = GenerationView()
            self._texts[side] = ""
            self._output(side).reset()
            self._mark()
            return
        asked = Asked(self._prompt, len(self._prompt))
        writing = self._sides[side] = GenerationView(asked, "reading" if engine.is_ready else "starting")
        writing.job = engine.start(Generate(self.card.path, asked.text, self._sampling, gains=gains))
        self._follow(side, writing, writing.job)

    @work(exit_on_error=False)
    async def _follow(self, side: str, writing: GenerationView, job: Job) -> None:
        async for batch in job:
            if writing is not self._sides[side]:
                return
            self._apply(side, batch)

    @work(exit_on_error=False, exclusive=True, group="senses")
    async def _ask_senses(self) -> None:
        async for events in self.workbench.engine.start(LookAtSenses(self.card.path, self._prompt)):
            for event in events:
                if isinstance(event, SensesSeen):
                    self.dials.set_seen(event)
                    self._show_state()
                elif isinstance(event, GenerationEnded) and event.reason == "failed":
                    self.show_error(TinyGPTError(event.message, event.hint))

    def on_engine_news(self, message: EngineNews) -> None:
        for event in message.events:
            if isinstance(event, EngineReady):
                for writing in self._sides.values():
                    writing.engine_is_ready()
            elif isinstance(event, EngineFailed) and not event.model and self.is_current:
                self.show_error(TinyGPTError(event.message, event.hint))

    def _apply(self, side: str, events: list[GenerationEvent]) -> None:
        writing, output, new = self._sides[side], self._output(side), ""
        begins = writing.tokens == 0
        for event in events:
            new += writing.apply_event(event, len(new))
        if writing.failed:
            output.reset()
            output.set_hint(writing.reason)
            return
        if not new:
            return
        if begins:  # until the first letter comes the text before stays: nothing flickers
            self._texts[side] = new
            output.reset(self._prompt + new, len(self._prompt))
        else:
            self._texts[side] += new
            output.append(new)
        self._mark()

    def _mark(self) -> None:
        """Mark where the two texts differ."""
        plain, turned = self._texts["plain"], self._texts["turned"]
        place = first_difference(plain, turned)
        at = None if place is None else len(self._prompt) + place
        for side in self._sides:
            self._output(side).mark(() if at is None else (at,), at)
            self._output(side).keep_showing(len(self._prompt) if at is None else at)

    # Showing

    def _show_state(self) -> None:
        dials = self.dials
        token, count = dials.token, len(dials.seen.tokens) if dials.seen else 0
        words = f"{self.card.name}"
        if token is not None:
            words += f" · the senses of {self._word(token.start, token.end)}, token {dials.at + 1} of {count} in sight"
        elif dials.seen is not None:
            words += " · no character of this text is in its vocabulary"
        self.query_one("#senses-head", Static).update(words)
        tokens = dials.seen.tokens if dials.seen else ()
        texts = [self._prompt[one.start : one.end] for one in tokens]
        self.query_one(SenseTokens).show_tokens(texts, dials.at, [one.id in dials.turned for one in tokens])
        senses = self.query_one(SenseList)
        senses.show_senses(dials.rows, dials.for_every)
        self.query_one("#senses-columns", Static).update(heading(senses.size.width))
        self._output("turned").border_subtitle = self._what_is_turned()
        self._output("plain").border_subtitle = f"seed {self._sampling.seed}"

    def _what_is_turned(self) -> str:
        if not self.dials.gains or self.dials.seen is None:
            return ""
        names = {one.id: self._word(one.start, one.end) for one in self.dials.seen.tokens} | {EVERY_TOKEN: "every"}
        return ", ".join(
            f"{names.get(id, f'token {id}')} {sense + 1} ×{factor:g}" for id, sense, factor in self.dials.gains
        )

    def _word(self, start: int, end: int) -> str:
        return name_of(self._prompt[start:end])
