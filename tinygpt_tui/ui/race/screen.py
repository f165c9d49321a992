"""The Race tab: the same prompt and the same random numbers for several models, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.events.generation import EngineReady, GenerationEvent
from tinygpt_tui.events.requests import Generate
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.jobs.news import EngineNews
from tinygpt_tui.ui.models.model_list import ModelList, default_model
from tinygpt_tui.ui.models.model_picker import NO_MODELS
from tinygpt_tui.ui.race.lanes import FEWEST, MOST, Entrant, Lane, Race, report, verdict
from tinygpt_tui.ui.race.pane import RacePane
from tinygpt_tui.ui.race.track import RaceTrack
from tinygpt_tui.ui.shared.generation_view import Writing
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shell.tab_screen import TabScreen

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Job

LOOK_EVERY_S = 2.0  # for new models and the progress of those in training
COUNT_EVERY_S = 0.25  # tokens and their speed, while they come
HINT = "Write a beginning below and press Enter: all go on from it, with the same random numbers."
WHAT_KEYS = "Enter starts all · Tab leads to the panes, to change who runs there"
NOWHERE = "there is no model yet; train one in the Train tab (F3)"

FIRST_HINT = "Other panes use these settings unless they override them."
OTHERS_HINT = "What you change here applies to this pane only; the seed applies to all panes."


class RaceScreen(TabScreen):
    """Builds requests, shows events. The keys of a pane mean the chosen one: the one that last had the focus."""

    CSS_PATH = "screen.tcss"
    TAB = "race"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high"), (32, "-tall")]  # noqa: RUF012 (declared so by Textual)
    AUTO_FOCUS = "#race-prompt"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "start", "Race", id="race.start", tooltip="Have all panes write on from the prompt"),
        Binding("escape", "stop", "Stop", id="race.stop", tooltip="End all at their next token; the texts stay"),
        Binding("escape", "back", "Back", id="race.back", show=False, tooltip="Back to the prompt"),
        Binding("tab", "app.focus_next", "Next pane", id="race.next", show=False, tooltip="Go on to the next pane"),
        Binding("shift+tab", "app.focus_previous", "Last pane", id="race.last", show=False, tooltip="Go back a pane"),
        Binding("m,ctrl+o", "model", "Model", id="race.model", tooltip="Choose the model of the chosen pane (▸)"),
        Binding("u", "untrained", "Untrained", id="race.untrained", tooltip="The same model, untrained; or trained"),
        Binding("s,ctrl+t", "settings", "Settings", id="race.settings", tooltip="The chosen pane's sampling settings"),
        Binding("a", "add", "Add", id="race.add", tooltip="Add a pane; four at most"),
        Binding("x", "remove", "Remove", id="race.remove", tooltip="Remove the chosen pane; two stay"),
        # With letters, which a prompt would take for itself, and so that the palette has them there too.
        Binding("alt+u", "untrained", "Untrained", id="race.untrained", show=False, tooltip="The same, untrained"),
        Binding("alt+a", "add", "Add", id="race.add", show=False, tooltip="Add a pane; four at most"),
        Binding("alt+x", "remove", "Remove", id="race.remove", show=False, tooltip="Remove the chosen pane"),
        Binding("ctrl+r", "again", "Again", id="race.again", tooltip="The same prompt once more, with a new seed"),
        Binding("d,alt+d", "mark", "Difference", id="race.mark", show=False, tooltip="Go to the first difference"),
        Binding("f8", "copy", "Copy", id="race.copy", tooltip="Copy the selected text, or all panes"),
        Binding("f9", "save", "Save", id="race.save", tooltip="Save all panes to a file"),
        Binding("pageup", "page(-1)", "Page up", id="race.page_up", show=False, tooltip="Scroll all panes up"),
        Binding("pagedown", "page(1)", "Page down", id="race.page_down", show=False, tooltip="Scroll all panes down"),
        Binding("ctrl+end", "follow", "Follow", id="race.follow", show=False, tooltip="Follow the end in all panes"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.race = Race.remembered(self.workbench.preferences.settings.race)
        self.panes = [RacePane() for _ in self.race.lanes]  # always as many as lanes, also while one is being put in
        self._models = ModelList()
        self._chosen = 0
        self._look_due = False
        self._typed_early: str | None = None
        self._keys_for = (False, False, 0)

    def compose_body(self) -> ComposeResult:
        """Yield the panes, the line about their difference, the prompt."""
        yield RaceTrack(*self.panes)
        yield Static("", id="race-line", markup=False)
        yield PromptBox(self.workbench.prompts, id="race-prompt")

    def on_mount(self) -> None:
        """Look for models now and then; begin with the prompt of the Generate tab."""
        self.workbench.news.listen(self)
        selection = self.workbench.selection()
        if selection is not None and selection.prompt:
            box = self.query_one(PromptBox)
            box.text = selection.prompt
            box.move_cursor(box.document.end)
        self._show()
        self._look_for_models()
        self.set_interval(LOOK_EVERY_S, self.on_screen_resume)
        self.set_interval(COUNT_EVERY_S, self._count)

    def on_screen_resume(self) -> None:
        """Look for models, as long as somebody looks at this tab."""
        if self.is_current:
            self._look_for_models()

    # What the screen knows of itself

    @property
    def first(self) -> SamplingSettings:
        """The first pane's settings, which the others are measured by."""
        return self.race.lanes[0].entrant.sampling

    @property
    def chosen(self) -> Lane:
        """The lane that the keys mean."""
        return self.race.lanes[self._chosen]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show only the keys that do something now."""
        race = self.race
        match action:
            case "stop":
                return race.busy
            case "again":
                return race.prompt is not None and not race.busy
            case "copy" | "save":
                return race.prompt is not None
            case "mark":
                return race.first_difference is not None
            case "add":
                return len(race.lanes) < MOST
            case "remove":
                return len(race.lanes) > FEWEST
        return True

    # Models

    @work(thread=True, exclusive=True, group="models", exit_on_error=False)
    def _look_for_models(self) -> None:
        if self._models.refresh():
            self.app.call_from_thread(self._show_models)

    def _show_models(self) -> None:
        """Give each lane without a model the one it is called after, or the one to begin with."""
        usual = default_model(self._models.cards, self.workbench.preferences.settings.model)
        for index, lane in enumerate(self.race.lanes):
            if not lane.entrant.model and usual is not None:
                card = default_model(self._models.cards, lane.entrant.name) if lane.entrant.name else usual
                card = card if card is not None and card.name == lane.entrant.name else usual
                self.race.change(index, name=card.name, model=card.path)
        for pane in self.panes:
            pane.output.set_hint(HINT if usual is not None else NO_MODELS)
        self._show()
        if self._typed_early is not None:
            prompt, self._typed_early = self._typed_early, None
            self._start(prompt)

    def action_model(self) -> None:
        """Choose the model of the chosen pane."""
        from tinygpt_tui.ui.models.choose_model import ChooseModel

        lane = self.chosen

        def use(card: ModelCard | None) -> None:
            if card is not None and lane in self.race.lanes:
                self.race.change(self.race.lanes.index(lane), name=card.name, model=card.path)
                self._changed()

        heading, models = f"model of pane {self._chosen + 1}", self._models
        self.app.push_screen(ChooseModel(heading, models.cards, lane.entrant.model, models.live), use)

    @on(RacePane.ModelWanted)
    def _model_wanted(self, message: RacePane.ModelWanted) -> None:
        self._choose(self.panes.index(message.pane))
        self.action_model()

    def action_untrained(self) -> None:
        """Have the chosen pane's model run untrained, or trained again."""
        self.race.change(self._chosen, untrained=not self.chosen.entrant.untrained)
        self._changed()

    def action_settings(self) -> None:
        """Change the chosen pane's settings."""
        from tinygpt_tui.ui.shared.edit_sampling import EditSampling

        lane = self.chosen

        def use(settings: SamplingSettings | None) -> None:
            if settings is not None and lane in self.race.lanes:
                self.race.set_sampling(self.race.lanes.index(lane), settings)
                self._changed()

        heading = f"sampling of pane {self._chosen + 1}"
        hint, same_as = (FIRST_HINT, None) if self._chosen == 0 else (OTHERS_HINT, self.first)
        self.app.push_screen(EditSampling(lane.entrant.sampling, hint, heading, same_as), use)

    def _changed(self) -> None:
        """Show other lanes, and keep them for the next start."""
        self._show()
        self.workbench.save_preferences(race=self.race.to_remember())

    # Panes

    async def action_add(self) -> None:
        """Add a pane with a model that does not run yet, where there is one."""
        running = {lane.entrant.model for lane in self.race.lanes}
        usable = [card for card in self._models.cards if not card.problem]
        card = next((card for card in usable if card.path not in running), None)
        like = self.chosen.entrant
        entrant = Entrant(card.name, card.path, sampling=self.first) if card is not None else like
        pane, track = RacePane(), self.query_one(RaceTrack)
        await track.add(pane)
        self.panes.append(pane)
        self.race.add(entrant)
        pane.output.set_hint(self.panes[0].output.hint)
        self._choose(len(self.race.lanes) - 1)
        if track.has_focus_within:
            pane.output.focus()
        self._changed()

    async def action_remove(self) -> None:
        """Remove the chosen pane."""
        gone, pane = self.race.remove(self._chosen), self.panes.pop(self._chosen)
        had_focus = pane.has_focus_within
        gone.writing.stop()
        self._choose(min(self._chosen, len(self.race.lanes) - 1))
        await self.query_one(RaceTrack).take_out(pane)
        if had_focus:
            self.panes[self._chosen].output.focus()
        self._changed()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The keys mean the pane that has, or last had, the focus."""
        for index, pane in enumerate(self.panes):
            if pane.has_focus_within and index != self._chosen:
                self._choose(index)

    def _choose(self, index: int) -> None:
        self._chosen = index
        self._show()

    def action_back(self) -> None:
        """Go to the prompt."""
        self.query_one(PromptBox).focus()

    def action_page(self, direction: int) -> None:
        """Scroll all panes by a page, so that the same places stay side by side."""
        for pane in self.panes:
            if direction < 0:
                pane.output.scroll_page_up(animate=False)
            else:
                pane.output.scroll_page_down(animate=False)

    def action_mark(self) -> None:
        """Bring the first difference into sight, everywhere."""
        for pane in self.panes:
            pane.output.scroll_to_mark()

    def action_follow(self) -> None:
        """Follow the end again, everywhere."""
        for pane in self.panes:
            pane.output.action_follow()

    # Asking

    def action_start(self) -> None:
        """Have all write on from what stands in the prompt box."""
        self._start(self.query_one(PromptBox).text)

    @on(PromptBox.Submitted)
    def _submitted(self, message: PromptBox.Submitted) -> None:
        self._start(message.prompt)

    def action_again(self) -> None:
        """The same once more, with other random numbers."""
        if self.race.prompt is not None:
            self._start(self.race.prompt, new_seed=True)

    def action_stop(self) -> None:
        """End all at their next token; the texts stay."""
        self.race.stop()
        self._look()

    def interrupt(self) -> bool:
        """Stop all panes where text may still come."""
        busy = self.race.busy
        if busy:
            self.action_stop()
        return busy

    def _start(self, prompt: str, *, new_seed: bool = False) -> None:
        if not self._models.loaded:
            self._typed_early = prompt  # somebody types faster than folders are read
            return
        if any(not lane.entrant.model for lane in self.race.lanes):
            self.notify(NOWHERE, severity="warning")
            return
        engine = self.workbench.engine
        self.race.start(prompt, "reading" if engine.is_ready else "starting", new_seed=new_seed)
        self.workbench.remember_prompt(prompt)
        for pane in self.panes:
            pane.output.reset(prompt)
        self._show()
        for lane in self.race.lanes:
            assert lane.asked is not None
            asked = lane.asked
            lane.writing.job = engine.start(Generate(asked.model, prompt, asked.sampling, untrained=asked.untrained))
            self._follow(lane, lane.writing, lane.writing.job)

    @work(exit_on_error=False)
    async def _follow(self, lane: Lane, writing: Writing, job: Job) -> None:
        async for batch in job:
            if writing is not lane.writing or lane not in self.race.lanes:
                return
            self._take(lane, batch)

    # Events

    def on_engine_news(self, message: EngineNews) -> None:
        """Show that the engine is ready."""
        if any(isinstance(event, EngineReady) for event in message.events):
            self.race.engine_is_ready()
            self._look()

    def _take(self, lane: Lane, events: list[GenerationEvent]) -> None:
        noted = lane.problem, lane.unknown
        text = self.race.take(lane, events)
        self.panes[self.race.lanes.index(lane)].output.append(text)
        if noted != (lane.problem, lane.unknown):
            self._show()
        elif not self._look_due:  # one look for all lanes: their batches come together
            self._look_due = True
            self.call_next(self._look)

    def _count(self) -> None:
        """Show how it goes where text comes: not at every batch, for a border costs as much as a text."""
        for number, (pane, lane) in enumerate(zip(self.panes, self.race.lanes, strict=True), 1):
            if lane.writing.busy:
                pane.show_progress(number, lane)

    def _show(self) -> None:
        """Show who runs where, and how it goes."""
        for number, (pane, lane) in enumerate(zip(self.panes, self.race.lanes, strict=True), 1):
            pane.show(number, lane, self.first, chosen=number - 1 == self._chosen)
        self._look()

    def _look(self) -> None:
        """Show how it goes."""
        self._look_due = False
        race = self.race
        same_until = race.first_difference
        begins = len(race.prompt or "")
        for index, (pane, lane) in enumerate(zip(self.panes, race.lanes, strict=True)):
            until = same_until if index == 0 else lane.differs_at
            pane.output.mark(
                tuple(begins + offset for offset in race.marks(index)), None if until is None else begins + until
            )
            if not lane.writing.busy:
                pane.show_progress(index + 1, lane)
        words = WHAT_KEYS if race.prompt is None else f"{verdict(race)} · seed {race.seed}"
        self.query_one("#race-line", Static).update(words, layout=False)
        state = (race.busy, race.prompt is not None, len(race.lanes))
        if state != self._keys_for:  # the footer is built anew each time: too dear for every batch
            self._keys_for = state
            self.refresh_bindings()

    # The texts

    def action_copy(self) -> None:
        """Copy the selection, or all panes."""
        selected = self.get_selected_text()
        text = selected or report(self.race)
        # A terminal takes UTF-8 alone, which has no halves of surrogate pairs.
        self.app.copy_to_clipboard(text.encode("utf-8", "replace").decode("utf-8"))
        self.notify(f"copied {'the selection' if selected else 'all'}: {len(text)} characters", timeout=3)

    def action_save(self) -> None:
        """Ask for a file and save all panes there."""
        from tinygpt_tui.ui.shared.save_dialog import SaveScreen

        self.app.push_screen(SaveScreen(f"race-{self.race.seed}.txt", report(self.race)), self._saved)

    def _saved(self, path: Path | None) -> None:
        if path is not None:
            self.notify(f"saved to {path}", markup=False)
