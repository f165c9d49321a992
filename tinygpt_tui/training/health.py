"""What only the trainer can measure: dead units, how far a step moves the weights, which windows are drawn.

Measured at each evaluation; costs a forward pass over a few windows, draws no random numbers and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.corpora.batches import Windows
from tinygpt_tui.doctor.curves import other_rate
from tinygpt_tui.events.training import Evaluation, Finding, Step, TrainingEvent
from tinygpt_tui.settings.training import BY_DOCUMENT, TrainingSettings
from tinygpt_tui.tokenizers.ids import Ids

TOKENS = 2048
DEAD_HINT, DEAD_WARNING = 0.02, 0.2
CAN_DIE = frozenset({"relu", "relu_squared"})
# A healthy step moves a weight by about a thousandth of its size; these are far from it.
STEP_LOW, STEP_HIGH = 1e-5, 0.1
# Near the end of a schedule small steps are intended.
FULL_RATE = 0.5
RATE_FACTOR = 3.0
BATCHES = 32


class HealthCheck:
    """Findings about a training, each reported when it changes; call `after` after each event of the loop."""

    def __init__(self, settings: TrainingSettings, train: Ids, validation: Ids) -> None:
        self._settings, self._train = settings, train
        length = max(1, min(settings.architecture.block_size or TOKENS, len(validation)))
        rows = max(1, min(TOKENS // length, len(validation) // length))
        self._windows = torch.from_numpy(validation[: rows * length].reshape(rows, length).astype(np.int64))
        self._reported: dict[str, str] = {}
        self._before: dict[str, Tensor] | None = None
        self._moved_level = "fine"

    def after(self, event: TrainingEvent, model: LanguageModel) -> Iterator[Finding]:
        """Yield what is new after an event of the loop; most events cost nothing."""
        if isinstance(event, Evaluation):
            yield from self.at_evaluation(model, event.step)
        elif isinstance(event, Step) and self._before is not None:
            yield from self.after_step(model, event.step, event.learning_rate)

    def at_evaluation(self, model: LanguageModel, step: int) -> Iterator[Finding]:
        """Yield what is new at an evaluation, and prepare to measure the next step."""
        if step == 0:
            # The first step says nothing: AdamW moves everything by its whole rate, and some weights start near 0.
            if self._settings.windows not in BY_DOCUMENT:
                yield from self._news(self._drawn())
            return
        yield from self._news(self._dead(model, step))
        self._before = {name: weight.detach().clone() for name, weight in _matrices(model)}

    def after_step(self, model: LanguageModel, step: int, rate: float) -> Iterator[Finding]:
        """Yield what is new about the step just taken at `rate`, if it was to be measured."""
        before, self._before = self._before, None
        if before is None or rate < FULL_RATE * self._settings.learning_rate:
            return
        sizes = [
            (float((weight.detach() - before[name]).norm()), float(before[name].norm()))
            for name, weight in _matrices(model)
            if name in before
        ]
        moves = [moved / size for moved, size in sizes if size > 0]
        if moves:
            found = self._moved(step, float(np.median(moves)))
            # One large step means nothing while the rate warms up; two measurements in a row do.
            if found.level in ("fine", self._moved_level):
                yield from self._news(found)
            self._moved_level = found.level

    def _news(self, finding: Finding | None) -> Iterator[Finding]:
        if finding is not None and self._reported.get(finding.check) != finding.level:
            self._reported[finding.check] = finding.level
            yield finding

    def _drawn(self) -> Finding:
        """Whether the first batches come from all over the text, rather than from one part of it."""
        settings = self._settings
        length = settings.architecture.training_length
        windows = Windows(self._train, length, settings.batch_size, settings.seed)
        batches = [windows.batch(step)[0] for step in range(min(BATCHES, settings.steps))]
        rows = np.concatenate(batches)
        drawn, different = len(rows), len(np.unique(rows, axis=0))
        possible = max(1, len(self._train) // length - 1)
        if different < min(drawn, possible) / 2 and len(np.unique(self._train[: 1 << 20])) > 1:
            return Finding(
                0,
                "windows",
                "bad",
                f"only {different:,} of the first {drawn:,} windows are different; the text has {possible:,}",
                "The model would memorise a small part of its text. Either the text repeats itself, or the windows are "
                "drawn from the wrong place.",
            )
        return Finding(0, "windows", "fine", f"{different:,} of the first {drawn:,} windows are different")

    def _dead(self, model: LanguageModel, step: int) -> Finding | None:
        """Which units are never active on a piece of the validation text, if the activation can stay at zero."""
        active: list[Tensor] = []

        # Before the MLP: kernels that compute all of it at once never call its layers.
        def note_active(part: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            active.append((part.get_submodule("c_fc")(inputs[0].detach()) > 0).flatten(0, -2).any(dim=0))

        hooks = [
            part.register_forward_pre_hook(note_active)
            for part in model.modules()
            if getattr(part, "activation", None) in CAN_DIE and isinstance(getattr(part, "c_fc", None), nn.Module)
        ]
        if not hooks:
            return None
        training = model.training
        try:
            model.eval()
            with torch.no_grad():
                model(self._windows.to(model.device))
        finally:
            model.train(training)
            for hook in hooks:
                hook.remove()
        units = torch.cat(active)
        dead = int((~units).sum())
        share = dead / len(units)
        text = f"{dead:,} of {len(units):,} units are never active on {self._windows.numel():,} tokens ({share:.0%})"
        if share < DEAD_HINT:
            return Finding(step, "dead-units", "fine", text)
        return Finding(
            step,
            "dead-units",
            "warning" if share >= DEAD_WARNING else "hint",
            text,
            "A unit behind ReLU that is zero on every input gets no gradient and stays zero: the model is smaller than "
            "it seems. Large steps early on cause this; a smaller rate or another activation avoids it.",
            ({} if share < DEAD_WARNING else {"activation": "gelu"}) | other_rate(self._settings, 1 / RATE_FACTOR),
        )

    def _moved(self, step: int, share: float) -> Finding:
        text = f"a step moves the weights by {share:.2g} of their size"
        if share > STEP_HIGH:
            why = "That is far more than the usual thousandth, and undoes what was learned. A smaller rate helps."
            return Finding(step, "step-size", "warning", text, why, other_rate(self._settings, 1 / RATE_FACTOR))
        if share < STEP_LOW:
            why = "That is far less than the usual thousandth: learning is very slow. A larger rate is faster."
            return Finding(step, "step-size", "warning", text, why, other_rate(self._settings, RATE_FACTOR))
        return Finding(step, "step-size", "fine", text)


def _matrices(model: LanguageModel) -> Iterator[tuple[str, Tensor]]:
    """Every matrix of the model with its name: their moves are enough to judge a step."""
    for name, weight in model.named_parameters():
        if weight.dim() == 2:
            yield name, weight
