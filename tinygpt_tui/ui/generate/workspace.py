"""The three panes of Generate, and what the keys of all three mean: temperature, pace, and where to look."""

from __future__ import annotations

from collections.abc import Iterator

from textual import events, on
from textual.widgets import OptionList

from tinygpt_tui.settings.fields import fields_of, written
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.generate.model_chooser import ModelChooser
from tinygpt_tui.ui.generate.side_panes import SidePanes
from tinygpt_tui.ui.generate.text_pane import TextPane
from tinygpt_tui.ui.shared.sampling_form import SamplingForm
from tinygpt_tui.ui.shell.tab_screen import PaletteCommand

PRESETS = {"greedy": 0.0, "normal": 0.8, "wild": 1.3}  # temperatures


class Workspace(SidePanes):
    """Models, text and sampling; turns what the screen's keys mean into calls of the panes."""

    def __init__(self, chooser: ModelChooser, pane: TextPane, form: SamplingForm, *, right_wanted: bool) -> None:
        super().__init__(chooser, pane, form, right_wanted=right_wanted)
        self.chooser, self.pane, self.form = chooser, pane, form
        self.own_sampling = form.settings or SamplingSettings()  # the user's own, whatever a session brings
        self._focus_lent = False  # the output has the focus so that Space and → control the text

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        pacer, chooser = self.pane.pacer, self.chooser
        match action:
            case "pause":
                return pacer.active and not pacer.paused
            case "resume":
                return pacer.paused
            case "step":
                return pacer.paused and not self.pane.prompt.has_focus
            case "card" | "untrained":
                return chooser.check_action(action, parameters)
        return True

    def palette_commands(self) -> Iterator[PaletteCommand]:
        """Yield the temperatures that have names."""
        for name, temperature in PRESETS.items():
            yield PaletteCommand(
                f"{name.capitalize()} sampling",
                f"Set the temperature to {temperature:g}",
                lambda temperature=temperature: self.form.put("temperature", temperature),  # type: ignore[misc]
            )

    # Pace

    def action_pause(self) -> None:
        """Pause the text. The output takes the focus: Space and → work there."""
        self.pane.pacer.pause()
        self._lend_focus()

    def action_resume(self) -> None:
        """Continue the text, where each token needs a key with one more."""
        self.pane.pacer.pause()

    def action_step(self) -> None:
        self.pane.pacer.step()

    def action_pace(self, direction: int) -> None:
        self.pane.pacer.turn(direction)
        if self.pane.pacer.paused:
            self._lend_focus()

    @on(TextPane.Changed)
    def _text_changed(self) -> None:
        """Give the focus to a text whose every token needs a key, and back at its end."""
        pacer = self.pane.pacer
        if pacer.active and pacer.one_by_one:
            self._lend_focus()
        elif not pacer.active and self._focus_lent:
            self._focus_lent = False
            if self.pane.output.has_focus and not self.pane.glass.is_open:
                self.pane.prompt.focus()

    def _lend_focus(self) -> None:
        if self.pane.prompt.has_focus:
            self._focus_lent = True
            self.pane.output.focus()

    # Sampling

    def action_temperature(self, by: int) -> None:
        self.form.turn("temperature", by)

    def action_preset(self, direction: int) -> None:
        now = (self.form.settings or SamplingSettings()).temperature
        others = [value for value in PRESETS.values() if (value > now if direction > 0 else value < now)]
        if others:
            self.form.put("temperature", min(others) if direction > 0 else max(others))
        else:
            self.app.bell()

    def action_sampling(self) -> None:
        """Go to the sampling settings; from inside, hide them."""
        if self.is_shown(self.form) and self.form.has_focus_within:
            self.close(self.form)
            self.pane.prompt.focus()
        else:
            self.open_sampling()

    @on(SamplingForm.Changed)
    def _sampling_changed(self, message: SamplingForm.Changed) -> None:
        if message.settings is not None:
            if message.typed:
                self.own_sampling = message.settings
            self.pane.set_sampling(message.settings)

    @on(TextPane.BranchShown)
    def _branch_shown(self, message: TextPane.BranchShown) -> None:
        """Use the settings and the model that wrote the branch."""
        branch = message.branch
        if branch is None:
            self.use_own(self.own_sampling)
            return
        if news := _differences(self.pane.sampling, branch.sampling):
            self.notify(f"Using the settings of this text: {news}", markup=False)
        self.form.set_values(branch.sampling)
        card = next((card for card in self.chooser.models.cards if card.path == branch.model_path), None)
        model = self.chooser.in_use
        if card is not None and (model is None or card is not model.card or branch.untrained != model.untrained):
            self.chooser.use_model(card, untrained=branch.untrained)

    def set_sampling(self, name: str, value: object) -> None:
        self.form.put(name, value)
        self.notify(f"{name.replace('_', ' ')} {written(value)}", timeout=3, markup=False)

    def use_own(self, sampling: SamplingSettings) -> None:
        """Use these settings as the user's own."""
        self.own_sampling = sampling
        self.form.set_values(sampling)

    def open_sampling(self) -> None:
        """Show the sampling settings and focus the first box."""
        self.open(self.form)
        self.form.focus_first()

    @on(SamplingForm.Submitted)
    def _used(self) -> None:
        """Without room beside the text the settings are over it: away with them."""
        if self.is_drawer(self.form):
            self.close(self.form)
            self.pane.prompt.focus()

    # Models and places

    def action_models(self) -> None:
        """Focus the list of models; without room for it, open it over the output."""
        if self.chooser.has_focus_within:
            self.action_back()
        else:
            self.open(self.chooser)
            self.chooser.query_one(OptionList).focus()

    @on(ModelChooser.Done)
    def action_back(self) -> None:
        """Close the panes over the output; back to the prompt."""
        self.close_drawers()
        self.pane.prompt.focus()

    def on_click(self, event: events.Click) -> None:
        """A click on the output's title, the model's name, opens the list of models."""
        if event.widget is self.pane.output and event.y == 0:
            self.action_models()

    def action_untrained(self) -> None:
        self.chooser.action_untrained()

    def action_open(self) -> None:
        """Open a model from anywhere: a file, a folder, the Hub."""
        self.chooser.action_open()

    def action_card(self) -> None:
        """Show the card of the highlighted model if the list has the focus; else of the model in use."""
        self.chooser.action_card()

    def action_filter(self) -> None:
        self.open(self.chooser)
        self.chooser.action_filter()

    def action_page(self, direction: int) -> None:
        output = self.pane.output
        (output.scroll_page_up if direction < 0 else output.scroll_page_down)(animate=False)

    def action_follow(self) -> None:
        """Follow the output's end again."""
        self.pane.output.action_follow()


def _differences(before: SamplingSettings, after: SamplingSettings) -> str:
    """Return the settings that differ in `after`, with their values."""
    values = (
        (field, getattr(before, name), getattr(after, name)) for name, field in fields_of(SamplingSettings).items()
    )
    return ", ".join(f"{field.title} {written(new) or 'none'}" for field, old, new in values if new != old)
