"""The Race tab: the same prompt and the same random numbers for several models, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.events.generation import EngineReady, GenerationEvent
from tinygpt_tui.events.requests import Generate
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.jobs.news import EngineNews
from tinygpt_tui.ui.models.model_list import ModelList, default_model
from tinygpt_tui.ui.models.model_picker import NO_MODELS
from tinygpt_tui.ui.race.bindings import BINDINGS
from tinygpt_tui.ui.race.judgement_line import JudgementLine
from tinygpt_tui.ui.race.lanes import Contender, Lane, Race, report, verdict
from tinygpt_tui.ui.race.pane import RacePane
from tinygpt_tui.ui.race.track import RaceTrack
from tinygpt_tui.ui.shared.generation_view import GenerationView
from tinygpt_tui.ui.shared.pacer import Pacer
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shell.tab_screen import TabScreen

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Job

FIND_EVERY_S = 2.0  # for new models and the progress of those in training
COUNT_EVERY_S = 0.25  # tokens and speed, while text arrives
HINT = "Type a prompt below and press Enter: all continue it with the same random numbers."
KEYS = "Enter starts all · Tab goes to the panes, to change models and settings"
NO_MODEL = "there is no model yet; train one in the Train tab (F3)"
FIRST_HINT = "The other panes follow this one, except for their own changes."
OTHERS_HINT = "Changes apply to this pane only; all panes share the seed."


class RaceScreen(TabScreen):
    """Builds requests, shows events. The keys of a pane apply to the chosen one: the one that last had the focus."""

    CSS_PATH = "screen.tcss"
    TAB = "race"
    READS = True
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high"), (32, "-tall")]
    AUTO_FOCUS = "#race-prompt"

    BINDINGS: ClassVar[list[BindingType]] = BINDINGS
    track = getters.query_one(RaceTrack)

    def __init__(self) -> None:
        super().__init__()
        self.race = Race.remembered(self.workbench.preferences.settings.race)
        self._models = ModelList()
        self._update_due = False
        self._keys_for = (False, False, 0)
        self._pacer = Pacer(self.workbench.preferences.settings.race_pace, candidates=0)

    def compose_body(self) -> ComposeResult:
        yield RaceTrack(self.race)
        yield Static("", id="race-line", markup=False)
        yield JudgementLine()
        yield PromptBox(self.workbench.prompts, id="race-prompt")
        yield self._pacer

    def on_mount(self) -> None:
        """Find models regularly; start with the prompt of the Generate tab."""
        self.workbench.news.listen(self)
        selection = self.workbench.selection()
        if selection is not None and selection.prompt:
            self.query_one(PromptBox).fill_in(selection.prompt)
        self._show_lanes()
        self._find_models()
        self.set_interval(FIND_EVERY_S, self.on_screen_resume)
        # Not at every batch: drawing a border takes as long as drawing a text.
        self.set_interval(COUNT_EVERY_S, self.track.show_progress)

    def on_screen_resume(self) -> None:
        if self.is_current:
            self._find_models()

    @property
    def panes(self) -> list[RacePane]:
        """The panes, in the order of the lanes."""
        return self.track.panes

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("pause", "resume"):
            return self._pacer.active and self._pacer.paused == (action == "resume")
        return self.race.allows(action)

    # Models

    @work(thread=True, exclusive=True, group="models", exit_on_error=False)
    def _find_models(self) -> None:
        if self._models.refresh():
            self.app.call_from_thread(self._use_models)

    def _use_models(self) -> None:
        """Give each lane without a model the one it is named after, or the default."""
        default = default_model(self._models.cards, self.workbench.preferences.settings.model)
        for index, lane in enumerate(self.race.lanes):
            if not lane.contender.model and default is not None:
                name = lane.contender.name
                card = (default_model(self._models.cards, name) if name else None) or default
                card = card if card.name == name else default
                self.race.change(index, name=card.name, model=card.path)
        self.track.set_hint(HINT if default is not None else NO_MODELS)
        self._show_lanes()
        self.known.set()

    def action_model(self) -> None:
        from tinygpt_tui.ui.models.choose_model import ChooseModel

        lane = self.track.lane

        def use_model(card: ModelCard | None) -> None:
            if card is not None and lane in self.race.lanes:
                self.race.change(self.race.lanes.index(lane), name=card.name, model=card.path, untrained=False)
                self._lanes_changed()

        heading, models = f"model of pane {self.track.chosen + 1}", self._models
        self.app.push_screen(ChooseModel(heading, models.cards, lane.contender.model, models.live), use_model)

    @on(RacePane.ModelWanted)
    def _model_wanted(self, message: RacePane.ModelWanted) -> None:
        self.track.choose(self.panes.index(message.pane))
        self.action_model()

    def action_untrained(self) -> None:
        """Run the chosen pane's model untrained, or trained again."""
        self.race.change(self.track.chosen, untrained=not self.track.lane.contender.untrained)
        self._lanes_changed()

    def action_settings(self) -> None:
        from tinygpt_tui.ui.shared.edit_sampling import EditSampling

        lane, first = self.track.lane, self.race.lanes[0].contender.sampling

        def use_settings(settings: SamplingSettings | None) -> None:
            if settings is not None and lane in self.race.lanes:
                self.race.set_sampling(self.race.lanes.index(lane), settings)
                self._lanes_changed()

        heading = f"sampling of pane {self.track.chosen + 1}"
        hint, same_as = (FIRST_HINT, None) if self.track.chosen == 0 else (OTHERS_HINT, first)
        self.app.push_screen(EditSampling(lane.contender.sampling, hint, heading, same_as), use_settings)

    def _lanes_changed(self) -> None:
        """Show changed lanes, and save them for the next start."""
        self._show_lanes()
        self.workbench.save_preferences(race=self.race.to_remember())

    # Panes

    async def action_add(self) -> None:
        """Add a pane, with a model that no other pane has if there is one."""
        running = {lane.contender.model for lane in self.race.lanes}
        usable = [card for card in self._models.cards if not card.problem]
        card = next((card for card in usable if card.path not in running), None)
        contender = self.track.lane.contender
        if card is not None:
            contender = Contender(card.name, card.path, sampling=self.race.lanes[0].contender.sampling)
        await self.track.add(contender)
        self._lanes_changed()

    async def action_remove(self) -> None:
        removed = self.race.remove(self.track.chosen)
        removed.writing.stop()
        await self.track.remove_chosen()
        self._lanes_changed()

    @on(RaceTrack.Chosen)
    def _pane_chosen(self, message: RaceTrack.Chosen) -> None:
        message.stop()
        self._show_lanes()

    def action_back(self) -> None:
        self.query_one(PromptBox).focus()

    def action_page(self, direction: int) -> None:
        self.track.scroll_pages(direction)

    def action_mark(self) -> None:
        """Scroll all panes to the first difference."""
        self.track.scroll_to_difference()

    def action_follow(self) -> None:
        self.track.follow_ends()

    # Requests

    def action_start(self) -> None:
        self._start(self.query_one(PromptBox).text)

    @on(PromptBox.Submitted)
    def _submitted(self, message: PromptBox.Submitted) -> None:
        self._start(message.prompt)

    def action_again(self) -> None:
        """Run the same prompt again with other random numbers."""
        if self.race.prompt is not None:
            self._start(self.race.prompt, new_seed=True)

    def action_stop(self) -> None:
        """Stop all panes; the texts stay."""
        self.race.stop()
        self._show_state()

    def interrupt(self) -> bool:
        """Stop all panes that are still writing."""
        busy = self.race.busy
        if busy:
            self.action_stop()
        return busy

    def _start(self, prompt: str, *, new_seed: bool = False) -> None:
        if any(not lane.contender.model for lane in self.race.lanes):
            self.notify(NO_MODEL, severity="warning")
            return
        engine = self.workbench.engine
        self.race.start(prompt, "reading" if engine.is_ready else "starting", new_seed=new_seed)
        self.workbench.remember_prompt(prompt)
        self.track.reset(prompt)
        self._show_lanes()
        jobs, allowed = [], self._pacer.first_permits()
        for lane in self.race.lanes:
            asked = lane.asked
            assert asked is not None
            job = lane.writing.job = engine.start(
                Generate(asked.model, prompt, asked.sampling, untrained=asked.untrained, allowed=allowed)
            )
            jobs.append(job)
            self._follow(lane, lane.writing, job)
        self._pacer.follow(*jobs)

    # Pace

    def action_pause(self) -> None:
        """Pause all panes, or continue; at one token a key, draw one in each."""
        self._pacer.pause()

    action_resume = action_pause

    def action_pace(self, direction: int) -> None:
        self._pacer.turn(direction)

    @on(Pacer.Chosen)
    def _save_pace(self, message: Pacer.Chosen) -> None:
        self.workbench.save_preferences(race_pace=message.pace)

    @on(Pacer.Changed)
    def _pace_changed(self) -> None:
        self._show_state()
        self.refresh_bindings()

    @work(exit_on_error=False)
    async def _follow(self, lane: Lane, writing: GenerationView, job: Job) -> None:
        async for batch in job:
            if writing is not lane.writing or lane not in self.race.lanes:
                return
            self._apply_events(lane, batch)

    # Events

    def on_engine_news(self, message: EngineNews) -> None:
        if any(isinstance(event, EngineReady) for event in message.events):
            self.race.engine_is_ready()
            self._show_state()

    def _apply_events(self, lane: Lane, events: list[GenerationEvent]) -> None:
        noted = lane.problem, lane.unknown
        text = self.race.apply_events(lane, events)
        self.panes[self.race.lanes.index(lane)].output.append(text)
        if self.race.busy:
            self._pacer.shown(min(lane.writing.tokens for lane in self.race.lanes if lane.writing.busy))
        if noted != (lane.problem, lane.unknown):
            self._show_lanes()
        elif not self._update_due:  # one update for all lanes, whose batches come together
            self._update_due = True
            self.call_next(self._show_state)

    def _show_lanes(self) -> None:
        """Show who writes where, and the state of the race."""
        self.track.show_lanes()
        self._show_state()

    def _show_state(self) -> None:
        """Show the differences and what can be done now."""
        self._update_due = False
        race = self.race
        if race.busy:
            self.query_one(JudgementLine).show_pace(self._pacer.dial)
        elif self._pacer.active:
            self._pacer.end()
            self.query_one(JudgementLine).judge(self.workbench.engine, race)
        self.track.show_differences()
        line = KEYS if race.prompt is None else f"{verdict(race)} · seed {race.seed}"
        self.query_one("#race-line", Static).update(line, layout=False)
        state = (race.busy, race.prompt is not None, len(race.lanes))
        if state != self._keys_for:  # refreshing the keys is too slow for every batch
            self._keys_for = state
            self.refresh_bindings()

    def action_copy(self) -> None:
        self.copy_or_all(report(self.race))

    def action_save(self) -> None:
        from tinygpt_tui.ui.shared.save_dialog import SaveScreen

        self.app.push_screen(SaveScreen(f"race-{self.race.seed}.txt", report(self.race)))
