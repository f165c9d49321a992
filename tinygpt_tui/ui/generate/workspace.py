"""The three panes of Generate, and the keys that work in each of them: temperature, pace, and where to look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType

from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.generate.model_chooser import ModelChooser
from tinygpt_tui.ui.generate.side_panes import SidePanes
from tinygpt_tui.ui.generate.text_pane import TextPane
from tinygpt_tui.ui.shared.sampling_form import SamplingForm
from tinygpt_tui.ui.shell.tab_screen import PaletteCommand

PRESETS = {"greedy": 0.0, "normal": 0.8, "wild": 1.3}  # temperatures


class Workspace(SidePanes):
    """Models, text and sampling; turns what the keys mean into calls of the panes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause", id="pace.pause", tooltip="Pause the text, or continue it"),
        Binding(  # where Space is typed
            "ctrl+@,ctrl+space", "pause", "Pause", id="pace.pause", key_display="^Space",
            tooltip="Pause the text, or continue it",
        ),
        Binding("right,full_stop", "step", "Next token", id="pace.step", tooltip="Draw one token, then wait"),
        Binding("alt+up", "pace(1)", "Faster", id="pace.faster", show=False, tooltip="More tokens a second"),
        Binding("alt+down", "pace(-1)", "Slower", id="pace.slower", show=False, tooltip="Fewer, to one token a key"),
        # With priority: a key of the focused box must not take them.
        Binding(
            "alt+right", "temperature(1)", "Warmer", id="sampling.warmer", show=False, priority=True,
            tooltip="A higher temperature: more random",
        ),
        Binding(
            "alt+left", "temperature(-1)", "Cooler", id="sampling.cooler", show=False, priority=True,
            tooltip="A lower temperature: the most likely letters",
        ),
        Binding(
            "alt+shift+right", "preset(1)", "Next preset", id="sampling.preset_up", show=False, priority=True,
            tooltip="Temperature: greedy, normal, wild",
        ),
        Binding(
            "alt+shift+left", "preset(-1)", "Preset before", id="sampling.preset_down", show=False, priority=True,
            tooltip="Temperature: wild, normal, greedy",
        ),
        Binding("ctrl+t", "sampling", "Sampling", id="generate.sampling", tooltip="The sampling settings"),
    ]  # fmt: skip

    def __init__(self, chooser: ModelChooser, pane: TextPane, form: SamplingForm, *, right_wanted: bool) -> None:
        super().__init__(chooser, pane, form, right_wanted=right_wanted)
        self._pane, self._form = pane, form
        self._focus_lent = False  # the output has the focus so that Space and → control the text

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Pause while a text is written; step while it is paused."""
        pacer = self._pane.pacer
        if action == "pause":
            return pacer.active
        if action == "step":
            return pacer.paused and not isinstance(self.screen.focused, type(self._pane.prompt))
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
