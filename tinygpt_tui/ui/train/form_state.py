"""What the form of a new run holds: text, starting model, preset and settings as typed. It knows nothing of Textual.

Every method leaves `draft` in step with the rest.
"""

from __future__ import annotations

import dataclasses

import msgspec

from tinygpt_tui.planning.machine import Machine, read_machine
from tinygpt_tui.runs.folder import StartingModel
from tinygpt_tui.runs.text_facts import CorpusFacts
from tinygpt_tui.settings.architecture import name_of
from tinygpt_tui.settings.fields import fields_of
from tinygpt_tui.settings.presets import ALL_PRESETS, DEFAULT_PRESET, TIMED_PRESET
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training.fine_tuning import FREE, RATE, Origin
from tinygpt_tui.ui.train.draft import Architecture, Draft, draft_of, form_fields, suited, texts_of

OWN_RECIPE = ""  # stands for the recipe of the starting model in a list of presets


class FormState:
    """The settings start as the preset's or the starting model's; what the user changes stays when those change."""

    def __init__(self) -> None:
        self.preset = DEFAULT_PRESET
        self.preset_is_chosen = False  # by the user, or by filling in the settings of another run
        self.facts: CorpusFacts | None = None
        self.origin: Origin | None = None  # the model that the run starts from
        self.own_recipe = False  # the settings are that model's recipe, not the preset's
        self.machine: Machine = read_machine()
        self._set_preset(DEFAULT_PRESET)

    @property
    def start(self) -> StartingModel | None:
        """The model that the run starts from; None: random weights."""
        return self.origin.model if self.origin else None

    @property
    def choice(self) -> str:
        """The selected row in the list of presets."""
        return OWN_RECIPE if self.own_recipe else self.preset

    @property
    def has_recipe(self) -> bool:
        """Whether the starting model has a recipe of its own."""
        return self.origin is not None and self.origin.recipe is not None

    @property
    def preset_name(self) -> str:
        """The preset's name if nothing was changed, else an empty string."""
        return self.preset if not self.changed_titles() and self.origin is None else ""

    @property
    def problem(self) -> str:
        """The first setting that is invalid, and why; empty if all are valid."""
        fields = form_fields(self.architecture)
        return next((f"{fields[name].title}: {problem}" for name, problem in self.draft.problems.items()), "")

    def suggested_name(self, corpus: str) -> str:
        return f"{self.origin.model.name}-{corpus}" if self.origin else corpus

    def fixed_settings(self) -> dict[str, str]:
        """Return the settings that the user cannot change now, each with the reason."""
        found = {}
        if self.origin is not None:
            reason = f"fixed by {self.origin.model.name}"
            found = dict.fromkeys((fields_of(self.architecture).keys() | {"tokenizer"}) - FREE, reason)
        else:
            found |= dict.fromkeys(("lora_matrices", "mix_old"), "needs a model to start from")
        if self.draft.settings is not None and self.draft.settings.minutes:
            found["steps"] = "fixed by minutes; set those to 0 to choose"
        return found

    def changed_titles(self) -> list[str]:
        """Return the titles of the settings that differ from the preset's."""
        fields = form_fields(self.architecture)
        if self._defaults.keys() != self.texts.keys():
            return ["architecture"]
        return [fields[name].title for name, own in self._defaults.items() if own != self.texts[name].strip()]

    def preset_note(self) -> str:
        """Return what the preset is for, or how the form differs from it."""
        changed = self.changed_titles()
        if changed == ["architecture"]:
            return f"another architecture than the preset's: {name_of(self.architecture())}"
        if changed:
            return f"changed: {', '.join(changed)}"
        if self.origin is None:
            return ALL_PRESETS[self.preset].description
        recipe = "its own recipe" if self.own_recipe else "the preset's recipe"
        return f"{recipe} at {RATE:g} of the learning rate, with epochs to suit the text"

    def choose_preset(self, choice: str) -> None:
        """Take the settings of a preset, or with OWN_RECIPE those of the starting model."""
        self.preset_is_chosen = True
        self.own_recipe = choice == OWN_RECIPE
        self.preset = self.preset if self.own_recipe else choice
        self._defaults = texts_of(self._recommended())
        self._put(self._recommended(), dict(self._defaults))

    def start_from(self, origin: Origin | None, *, keep: bool) -> None:
        """Take the architecture and recipe of a model; with `keep` the settings stay, except the architecture's."""
        before, self.origin = self.origin, origin
        if not (keep and origin is None):
            self.own_recipe = self.has_recipe
            if origin is not None or before is not None:
                training = self._recommended()
                own = self._defaults = texts_of(training)
                old = self.texts if keep else {}
                fixed = (fields_of(type(training.architecture)).keys() | {"tokenizer"}) - FREE
                self._put(training, {name: own[name] if name in fixed else old.get(name, own[name]) for name in own})
        self.check()

    def apply_text(self, facts: CorpusFacts | None, *, own: bool) -> None:
        """Use a text's facts, and unless the user has chosen a preset, one that suits an `own` or a shipped text."""
        self.facts = facts
        preset = TIMED_PRESET if own else DEFAULT_PRESET
        may_change = not self.preset_is_chosen and self.origin is None and not self.changed_titles()
        if may_change and preset != self.preset:
            self._set_preset(preset)
        self.check()

    def fill(self, settings: TrainingSettings, changes: dict[str, str]) -> None:
        """Take the settings of another run, with `changes` as the user would type them."""
        self.preset_is_chosen = True
        self.origin = None
        self._put(settings, texts_of(settings) | changes)

    def change(self, changes: dict[str, str]) -> None:
        """Change settings as if the user had typed them; names of other architectures are ignored."""
        self.texts |= {name: text for name, text in changes.items() if name in self.texts}
        self.check()

    def check(self) -> None:
        """Suit the settings to text and machine where they depend on them, and check all."""
        self._suit()
        self.draft: Draft = draft_of(self.texts, self.facts, self.architecture, self.origin)

    def _set_preset(self, preset: str) -> None:
        self.preset = preset
        training = ALL_PRESETS[preset].training
        self._defaults = texts_of(training)  # what the preset or the starting model's recipe sets
        self._put(training, dict(self._defaults))

    def _put(self, settings: TrainingSettings, texts: dict[str, str]) -> None:
        self.architecture: Architecture = type(settings.architecture)
        self.texts = texts
        self.check()

    def _recommended(self) -> TrainingSettings:
        """Return the preset's settings; for a starting model with its architecture and, if chosen, its recipe."""
        training = ALL_PRESETS[self.preset].training
        if self.origin is None:
            return training
        origin = self.origin if self.own_recipe else dataclasses.replace(self.origin, recipe=None)
        chosen = origin.training(training, self.facts.reference.characters if self.facts else None)
        if self.own_recipe:
            return chosen
        return msgspec.structs.replace(chosen, minutes=training.minutes if self.preset_is_chosen else 0.0)

    def _suit(self) -> None:
        """Compute the settings again that depend on text, minutes and machine; those the user changed stay."""
        if self.facts is None or (self.preset != TIMED_PRESET and self.origin is None):
            return
        if self.origin is not None:
            own = texts_of(self._recommended())
        else:
            own = texts_of(suited(self.texts["minutes"], self.texts["tokenizer"], self.facts, self.machine))
        if own != self._defaults and own.keys() == self.texts.keys():
            changed = {name: text for name, text in self.texts.items() if text != self._defaults.get(name)}
            self._defaults, self.texts = own, own | changed
