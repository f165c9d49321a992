"""The three panes of Generate, and the keys that work in each of them: temperature, pace, and where to look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.binding import BindingType

from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.generate import bindings
from tinygpt_tui.ui.generate.model_chooser import ModelChooser
from tinygpt_tui.ui.generate.side_panes import SidePanes
from tinygpt_tui.ui.generate.text_pane import TextPane
from tinygpt_tui.ui.shared.sampling_form import SamplingForm
from tinygpt_tui.ui.shell.tab_screen import PaletteCommand

PRESETS = {"greedy": 0.0, "normal": 0.8, "wild": 1.3}  # temperatures


class Workspace(SidePanes):
    """Models, text and sampling; turns what the keys mean into calls of the panes."""

    BINDINGS: ClassVar[list[BindingType]] = bindings.WORKSPACE

    def __init__(self, chooser: ModelChooser, pane: TextPane, form: SamplingForm, *, right_wanted: bool) -> None:
        super().__init__(chooser, pane, form, right_wanted=right_wanted)
        self._chooser, self._pane, self._form = chooser, pane, form
        self._focus_lent = False  # the output has the focus so that Space and → control the text

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show only the keys that do something now."""
        pacer, chooser = self._pane.pacer, self._chooser
        match action:
            case "pause":
                return pacer.active
            case "step":
                return pacer.paused and not self._pane.prompt.has_focus
            case "card" | "untrained":
                return chooser.check_action(action, parameters)
        return True

    def palette_commands(self) -> Iterator[PaletteCommand]:
        """Yield the temperatures that have names."""
        for name, temperature in PRESETS.items():
            yield PaletteCommand(
                f"{name.capitalize()} sampling",
                f"Set the temperature to {temperature:g}",
                lambda temperature=temperature: self._form.put("temperature", temperature),  # type: ignore[misc]
            )

    # Pace

    def action_pause(self) -> None:
        """Pause the text, or continue it. The output takes the focus: Space and → work there."""
        self._pane.pacer.pause()
        if self._pane.pacer.paused:
            self._lend_focus()

    def action_step(self) -> None:
        """Draw one token."""
        self._pane.pacer.step()

    def action_pace(self, direction: int) -> None:
        """Write faster or slower."""
        self._pane.pacer.turn(direction)
        if self._pane.pacer.paused:
            self._lend_focus()

    @on(TextPane.Changed)
    def _text_changed(self) -> None:
        """Give the focus to a text whose every token needs a key, and back at its end."""
        pacer = self._pane.pacer
        if pacer.active and pacer.one_by_one:
            self._lend_focus()
        elif not pacer.active and self._focus_lent:
            self._focus_lent = False
            if self._pane.output.has_focus and not self._pane.glass.is_open:
                self._pane.prompt.focus()

    def _lend_focus(self) -> None:
        if self._pane.prompt.has_focus:
            self._focus_lent = True
            self._pane.output.focus()

    # Sampling

    def action_temperature(self, by: int) -> None:
        """Turn the temperature."""
        self._form.turn("temperature", by)

    def action_preset(self, direction: int) -> None:
        """Use the next named temperature above or below."""
        now = (self._form.settings or SamplingSettings()).temperature
        others = [value for value in PRESETS.values() if (value > now if direction > 0 else value < now)]
        if others:
            self._form.put("temperature", min(others) if direction > 0 else max(others))
        else:
            self.app.bell()

    def action_sampling(self) -> None:
        """Go to the sampling settings; from inside, hide them."""
        if self.is_shown(self._form) and self._form.has_focus_within:
            self.close(self._form)
            self._pane.prompt.focus()
        else:
            self.open_sampling()

    def open_sampling(self) -> None:
        """Show the sampling settings and focus the first box."""
        self.open(self._form)
        self._form.focus_first()

    @on(SamplingForm.Submitted)
    def _used(self) -> None:
        """Without room beside the text the settings are over it: away with them."""
        if self.is_drawer(self._form):
            self.close(self._form)
            self._pane.prompt.focus()

    # Models and places

    def action_untrained(self) -> None:
        """Switch between the trained model and its untrained copy."""
        self._chooser.action_untrained()

    def action_open(self) -> None:
        """Open a model from anywhere: a file, a folder, the Hub."""
        self._chooser.action_open()

    def action_card(self) -> None:
        """Show the card of the highlighted model if the list has the focus; else of the model in use."""
        self._chooser.action_card()

    def action_filter(self) -> None:
        """Focus the models' filter."""
        self.open(self._chooser)
        self._chooser.action_filter()

    def action_page(self, direction: int) -> None:
        """Scroll the output by a page."""
        output = self._pane.output
        (output.scroll_page_up if direction < 0 else output.scroll_page_down)(animate=False)

    def action_follow(self) -> None:
        """Follow the output's end again."""
        self._pane.output.action_follow()
