"""The training loop: an iterator of events that owns model, optimizer and the place in the schedule."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.table import build
from tinygpt_tui.corpora.batches import Windows
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.errors import RunError
from tinygpt_tui.events.training import Evaluation, Note, Paused, Resumed, Sample, Step, TrainingEvent
from tinygpt_tui.runs.control import Control, Wish
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training.compiling import Compiling
from tinygpt_tui.training.device import device_random, set_device_random
from tinygpt_tui.training.evaluate import summed_losses
from tinygpt_tui.training.optimizer import clip, make_optimizers, set_rate
from tinygpt_tui.training.pace import Pace
from tinygpt_tui.training.sampling import sample_text
from tinygpt_tui.training.schedule import rate_share

# Where the settings leave it open: evaluations cost a share of the run, but a curve needs points.
EVALUATION_SHARE = 0.05
FEWEST, MOST = 10, 25
FORWARD_COST = 1 / 3  # of a training step, per token
PAUSE_LOOK_S = 0.1


class Training:
    """One run in memory. Iterate over `events`; between two events its state is whole and may be saved."""

    def __init__(
        self, settings: TrainingSettings, corpus: Corpus, device: torch.device, control: Control | None = None
    ) -> None:
        """Draws the first weights from `settings.seed`; the global random state is this run's from here on."""
        torch.manual_seed(settings.seed)
        self.settings, self.corpus, self.device = settings, corpus, device
        self.model: LanguageModel = build(settings.architecture).to(device)
        self.optimizers = make_optimizers(self.model, settings)
        self.step = 0
        self.elapsed_s = 0.0
        self.best_step, self.best_loss = 0, math.inf
        self.stopped = False
        self.pace = Pace(settings)
        self._control = control
        self._block_size = settings.architecture.block_size
        self._windows = Windows(corpus.train, settings.architecture.training_length, settings.batch_size, settings.seed)
        self._compiling = Compiling(settings, device)
        self._evaluate_every = settings.evaluate_every or self._well_spaced()
        self._recent: list[float] = []

    def events(self) -> Iterator[TrainingEvent]:
        """Train from where `step` stands to the end; `stopped` tells whether somebody ended it before."""
        self.pace.wake()
        if self.step == 0:
            yield from self._evaluate()
        while self.step < self.settings.steps:
            yield from self._obey()
            if self.stopped:
                if self._recent:  # what was learnt since the last evaluation may be the best yet
                    yield from self._evaluate()
                return
            step = self._one_step()
            if plan := self.pace.stepped(self.step):
                self._take_plan(plan.steps)  # before anybody may save the state of this step
            yield step
            if plan:
                yield plan
            if note := self._compiling.after_step(self.settings.steps - self.step):
                yield Note(self.step, note)
            if self._evaluation_due():
                yield from self._evaluate()

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on exactly, tensors and plain data only."""
        return {
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "best_step": self.best_step,
            "best_loss": self.best_loss,
            "recent": list(self._recent),
            "pace": self.pace.state(),
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "random": torch.get_rng_state(),
            "device_random": device_random(self.device),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]
        self.best_step, self.best_loss = state["best_step"], state["best_loss"]
        self._recent = list(state["recent"])
        self.pace.load_state(state.get("pace", {}))
        self._take_plan(self.pace.steps)
        self.model.load_state_dict(state["model"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        torch.set_rng_state(state["random"])
        set_device_random(self.device, state.get("device_random"))

    def _well_spaced(self) -> int:
        trained = self.settings.steps * self.settings.batch_size * self.settings.architecture.training_length
        affordable = EVALUATION_SHARE * trained / (FORWARD_COST * len(self.corpus.validation))
        return max(1, math.ceil(self.settings.steps / min(max(affordable, FEWEST), MOST)))

    def _take_plan(self, steps: int) -> None:
        self.settings = msgspec.structs.replace(self.settings, steps=steps)

    def _evaluation_due(self) -> bool:
        if self.pace.timed and not self.settings.evaluate_every:
            return self.pace.evaluation_due(self.step)
        return self.step % self._evaluate_every == 0 or self.step >= self.settings.steps

    def _one_step(self) -> Step:
        began = time.perf_counter()
        settings = self.settings
        self.model.train()
        inputs, targets = (torch.from_numpy(part.copy()).to(self.device) for part in self._windows.batch(self.step))
        rate = set_rate(self.optimizers, rate_share(self.pace.place(self.step), settings))
        loss = self._loss(inputs, targets)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = clip(self.model, settings.gradient_clip).item()
        value = loss.item()
        if not math.isfinite(value) or not math.isfinite(norm):
            self._diverged("the loss" if math.isfinite(norm) else "the gradient")  # before it reaches the weights
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        seconds = time.perf_counter() - began
        self.elapsed_s += seconds
        self._recent.append(value)
        return Step(
            step=self.step,
            loss=value,
            learning_rate=rate,
            gradient_norm=norm,
            tokens_per_s=inputs.numel() / seconds,
            elapsed_s=self.elapsed_s,
        )

    def _loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        logits = self._compiling.forward(self.model)(inputs)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))

    def _evaluate(self) -> Iterator[TrainingEvent]:
        began = time.perf_counter()
        total, count = 0.0, 0
        for loss, tokens in summed_losses(self.model, self.corpus.validation, self._block_size):
            total, count = total + loss, count + tokens
            if self._stop_taken():
                if self.stopped:  # twice: at once, and half an evaluation is worth nothing
                    self._recent = []
                    return
                self.stopped = True
        value = total / count
        if not math.isfinite(value):
            self._diverged("the validation loss")
        if value < self.best_loss:
            self.best_step, self.best_loss = self.step, value
        seconds = time.perf_counter() - began
        self.elapsed_s += seconds
        recent, self._recent = self._recent, []
        yield Evaluation(
            step=self.step,
            validation_loss=value,
            train_loss=sum(recent) / len(recent) if recent else value,
            best_step=self.best_step,
            best_loss=self.best_loss,
            seconds=seconds,
        )
        yield from self._sample()
        self.pace.evaluated(self.step)

    def _sample(self) -> Iterator[TrainingEvent]:
        if not self.settings.sample_tokens:
            return
        began = time.perf_counter()
        stop: Callable[[], bool] = lambda: self._asked("stop")  # noqa: E731
        text = sample_text(self.model, self.corpus.tokenizer, self.settings, stop)
        self.elapsed_s += time.perf_counter() - began
        yield Sample(self.step, text)

    def _obey(self) -> Iterator[TrainingEvent]:
        if self._control is None:
            return
        if self._control.take("sample"):
            yield from self._sample()
        if self._asked("pause") and not self._asked("stop"):
            self.pace.rest()
            yield Paused(self.step)
            while self._asked("pause") and not self._asked("stop"):
                time.sleep(PAUSE_LOOK_S)
                if self._control.take("sample"):
                    yield from self._sample()
            self.pace.wake()
            yield Resumed(self.step)
        if self._stop_taken():
            self.stopped = True  # a second one cuts the last evaluation short

    def _stop_taken(self) -> bool:
        return self._control is not None and self._control.take("stop")

    def _diverged(self, what: str) -> NoReturn:
        raise RunError(
            f"{what} after step {self.step} is not a number",
            "start again with a lower learning rate; the best weights so far are kept",
        )

    def _asked(self, wish: Wish) -> bool:
        return self._control is not None and self._control.asked(wish)
