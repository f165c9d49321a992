"""The training loop: an iterator of events that owns model, optimizer and the place in the schedule."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.table import build
from tinygpt_tui.corpora.batches import Windows
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.corpora.streams import Streams
from tinygpt_tui.errors import RunError
from tinygpt_tui.events.training import Evaluation, Note, Paused, Resumed, RolledBack, Sample, Step, TrainingEvent
from tinygpt_tui.runs.control import Control, Wish
from tinygpt_tui.settings.training import Extension, TrainingSettings
from tinygpt_tui.training.carrying import Carrying
from tinygpt_tui.training.compiling import Compiling
from tinygpt_tui.training.device import device_random, placed, set_device_random
from tinygpt_tui.training.distributed import ALONE, Team
from tinygpt_tui.training.evaluate import summed_losses
from tinygpt_tui.training.fused import use_fused
from tinygpt_tui.training.optimizer import clip, make_optimizers, set_rate
from tinygpt_tui.training.pace import Pace
from tinygpt_tui.training.precision import Precision
from tinygpt_tui.training.sampling import sample_text
from tinygpt_tui.training.schedule import evaluation_spacing, rate_share
from tinygpt_tui.training.snapshot import copied
from tinygpt_tui.training.stopwatch import Stopwatch

PAUSE_LOOK_S = 0.1


class Diverged(Exception):
    """A loss or a gradient that is no number, met before it reached the weights; what it was, in words."""


class Training:
    """One run in memory. Iterate over `events`; between two events its state is whole and may be saved.

    What is due next follows from the state alone, so that a run that goes on from a saved one does what the first would
    have done, whatever the moment it was saved at.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        corpus: Corpus,
        device: torch.device,
        control: Control | None = None,
        extensions: Sequence[Extension] = (),
        team: Team = ALONE,
    ) -> None:
        """Draws the first weights from `settings.seed`; the global random state is this run's from here on."""
        team.check(settings)
        torch.manual_seed(settings.seed)
        self.team = team
        self.settings, self.corpus, self.device = settings, corpus, device
        self.model: LanguageModel = build(settings.architecture).to(device)
        self.precision = Precision(settings, device)
        native = not self.precision.halved and use_fused(self.model)  # the native forms know float32 alone
        self.optimizers = make_optimizers(self.model, settings)
        # What carries a memory is run by kernels of torch that a compiler leaves as they are.
        self.compiling = Compiling(settings, device, fused=native or settings.architecture.carries)
        self.step = 0
        self.elapsed_s = 0.0
        self.best_step, self.best_loss = 0, math.inf
        self.rate_scale = 1.0  # halved where the loss was no number
        self.stopped = False
        self.pace = Pace(settings)
        self._control = control
        self._extensions = tuple(extensions)
        self._block_size = settings.architecture.block_size
        self._carrying: Carrying | None = None
        if settings.architecture.carries:
            streams = Streams(corpus.train, self._block_size, settings.batch_size, settings.seed)
            self._windows: Windows | Streams = streams
            self._carrying = Carrying(streams)
        else:
            length = settings.architecture.training_length
            self._windows = Windows(corpus.train, length, settings.batch_size, settings.seed)
        self._evaluate_every = settings.evaluate_every or evaluation_spacing(settings, len(corpus.validation))
        self._recent: list[float] = []
        self._evaluated = self._sampled = -1  # the last steps at which that was done
        self._without_better = 0  # regular evaluations since the best
        self._good: dict[str, Any] | None = None  # the state at the last regular evaluation

    def events(self) -> Iterator[TrainingEvent]:
        """Train from where `step` stands to the end; `stopped` tells whether somebody ended it before."""
        self.pace.wake()
        while True:
            try:
                yield from self._due()
                if self._is_over():
                    return
                yield from self._obey()
                if self.stopped:
                    if self._evaluated != self.step:  # what was learnt since the last evaluation may be the best yet
                        yield from self._evaluate()
                        yield from self._sample()
                        self.pace.evaluated(self.step)
                    return
                step = self._one_step()
                if plan := self.pace.stepped(self.step):
                    self._take_plan(plan.steps)  # before anybody may save the state of this step
                yield step
                if plan:
                    yield plan
                if note := self.compiling.after_step(self.settings.steps - self.step):
                    yield Note(self.step, note)
            except Diverged as found:
                yield self._roll_back(str(found))

    @property
    def ends_early(self) -> str:
        """Why the training is over before its last step, in words; empty while it is not."""
        patience, wanted = self.settings.patience, self.settings.stop_at_loss
        if wanted and self.best_loss <= wanted:
            return f"the validation loss {self.best_loss:.4f} has reached the {wanted:g} that was asked for"
        if patience and self._without_better >= patience:
            return f"no better validation loss in {patience} evaluations; the best was {self.best_loss:.4f}"
        return ""

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on exactly, tensors and plain data only."""
        return {
            **self._place(),
            "elapsed_s": self.elapsed_s,
            "rate_scale": self.rate_scale,
            "pace": self.pace.state(),
            "compiling": self.compiling.choice,
            "threads": torch.get_num_threads(),
            "extensions": len(self._extensions),
            # Right after a regular evaluation, when most states are saved, the two are the same.
            "good": None if self._good is None or self._good["step"] == self.step else self._good,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self._return_to(state)
        self.elapsed_s = state["elapsed_s"]
        self.rate_scale = state.get("rate_scale", 1.0)
        self.pace.load_state(state.get("pace", {}))
        self._take_plan(self.pace.steps)
        self.compiling.keep_to(state.get("compiling", "auto"))
        self._good = state.get("good") or copied(self._place())
        if state.get("extensions", 0) != len(self._extensions):
            self._without_better = 0  # whoever makes a run longer has patience with it again

    def _place(self) -> dict[str, Any]:
        """Return everything that the way of the training depends on from here on."""
        return {
            "step": self.step,
            "best_step": self.best_step,
            "best_loss": self.best_loss,
            "recent": list(self._recent),
            "evaluated": self._evaluated,
            "sampled": self._sampled,
            "without_better": self._without_better,
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "carried": self._carrying.state() if self._carrying else None,
            "random": torch.get_rng_state(),
            "device_random": device_random(self.device),
        }

    def _return_to(self, place: dict[str, Any]) -> None:
        self.team.fall_out()
        self.step = place["step"]
        self.best_step, self.best_loss = place["best_step"], place["best_loss"]
        self._recent = list(place["recent"])
        self._evaluated = place.get("evaluated", self.step)
        self._sampled = place.get("sampled", self.step)
        self._without_better = place.get("without_better", 0)
        self.model.load_state_dict(place["model"])
        for optimizer, kept in zip(self.optimizers, place["optimizers"], strict=True):
            optimizer.load_state_dict(copied(kept))  # torch would go on with the very tensors it is given
            optimizer.zero_grad(set_to_none=True)
        if self._carrying:
            self._carrying.load_state(copied(place.get("carried")), self.device)
        torch.set_rng_state(place["random"])
        set_device_random(self.device, place.get("device_random"))

    def _due(self) -> Iterator[TrainingEvent]:
        """Do what belongs to this step besides the step itself, as far as it was not done yet."""
        if not self._evaluation_due():
            return
        measured = self._evaluated == self.step
        if not measured:
            yield from self._evaluate(regular=True)
            if self._evaluated != self.step:
                return  # it was cut short
        if self._sampled != self.step:
            yield from self._sample()
        self.pace.evaluated(self.step)
        if self._good is None or self._good["step"] != self.step:
            self._good = copied(self._place())

    def _roll_back(self, what: str) -> RolledBack:
        """Return to the last good state and halve the rate; once. Raises RunError the second time."""
        if self._good is None or self.rate_scale < 1.0:
            again = ", although the rate was halved" if self.rate_scale < 1.0 else ""
            raise RunError(
                f"{what} after step {self.step} is not a number{again}",
                f"start again with learning_rate {self.settings.learning_rate / 4:.2g} or less, and embedding_rate and "
                "head_rate lower by as much; the best weights so far are kept",
            )
        reached = self.step
        self._return_to(self._good)
        self.rate_scale /= 2
        return RolledBack(step=self.step, reached=reached, what=what, rate_scale=self.rate_scale)

    def _is_over(self) -> bool:
        return self.stopped or self.step >= self.settings.steps or bool(self.ends_early)

    def _share(self) -> float:
        """Return the share of their peak rates that the optimizers use now."""
        return rate_share(self.pace.place(self.step), self.settings, self._extensions) * self.rate_scale

    def _take_plan(self, steps: int) -> None:
        self.settings = msgspec.structs.replace(self.settings, steps=steps)

    def _evaluation_due(self) -> bool:
        if not self.step:
            return True
        if self.pace.timed and not self.settings.evaluate_every:
            return self.pace.evaluation_due(self.step)
        return self.step % self._evaluate_every == 0 or self.step >= self.settings.steps

    def take_over(self, place: dict[str, Any]) -> None:
        """Stand where the first process of the team stands."""
        self._return_to(place)

    def follow(self, step: int, share: float) -> None:
        """Take the step that the first process of the team takes, with its share of the peak rates."""
        self.step = step
        self._one_step(share)

    def _one_step(self, share: float | None = None) -> Step:
        watch = Stopwatch()
        settings = self.settings
        self.model.train()
        share = self._share() if share is None else share
        self.team.step(self.step, share, iter(self._place, None))
        self.team.own_random(settings.seed, self.step)
        batch = self.team.rows(self._windows.batch(self.step))
        inputs, targets = (placed(part, self.device) for part in batch)
        rate = set_rate(self.optimizers, share)
        loss = self._loss(inputs, targets)
        loss.backward()  # type: ignore[no-untyped-call]
        loss = self.team.mean(self.model, loss, settings.batch_size)
        clipped = clip(self.model, settings.gradient_clip)
        value, norm = torch.stack((loss, clipped)).tolist()  # an accelerator is waited for once
        if not math.isfinite(value) or not math.isfinite(norm):
            self._diverged("the gradient" if math.isfinite(value) else "the loss")  # before it reaches the weights
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        seconds = watch.seconds()
        self.elapsed_s += seconds
        self._recent.append(value)
        return Step(
            step=self.step,
            loss=value,
            learning_rate=rate,
            gradient_norm=norm,
            tokens_per_s=settings.batch_size * inputs.shape[1] / seconds,
            elapsed_s=self.elapsed_s,
        )

    def _loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        with self.precision():
            if self._carrying:
                logits = self._carrying.logits(self.model, inputs, self.step)
            else:
                logits = self.compiling.forward(self.model)(inputs)
        return F.cross_entropy(logits.float().view(-1, logits.shape[-1]), targets.reshape(-1))

    def _evaluate(self, regular: bool = False) -> Iterator[TrainingEvent]:
        """Measure the loss over the validation split.

        Two stops cut it short: then nothing is yielded, and it is still due. Only `regular` ones count against the
        patience: a training that was stopped and gone on with must end where it would have ended.
        """
        watch = Stopwatch()
        total, count = 0.0, 0
        for loss, tokens in summed_losses(self.model, self.corpus.validation, self._block_size):
            total, count = total + loss, count + tokens
            if self._stop_taken():
                if self.stopped:  # twice: at once, and half an evaluation is worth nothing
                    return
                self.stopped = True
        value = total / count
        if not math.isfinite(value):
            self._diverged("the validation loss")
        if value < self.best_loss:
            self.best_step, self.best_loss = self.step, value
            self._without_better = 0
        elif regular:
            self._without_better += 1
        self._evaluated = self.step
        seconds = watch.seconds()
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

    def _sample(self) -> Iterator[TrainingEvent]:
        if not self.settings.sample_tokens:
            return
        watch = Stopwatch()
        stop: Callable[[], bool] = lambda: self._asked("stop")  # noqa: E731
        text = sample_text(self.model, self.corpus.tokenizer, self.settings, stop)
        self.elapsed_s += watch.seconds()
        self._sampled = self.step
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
                if self._asked("save"):  # whoever pulls does it, between two events
                    yield Note(self.step, "asked to save the state")
            self.pace.wake()
            yield Resumed(self.step)
        if self._stop_taken():
            self.stopped = True  # a second one cuts the last evaluation short

    def _stop_taken(self) -> bool:
        return self._control is not None and self._control.take("stop")

    def _diverged(self, what: str) -> NoReturn:
        """Say that `what` is no number; nothing of it may have reached the weights."""
        raise Diverged(what)

    def _asked(self, wish: Wish) -> bool:
        return self._control is not None and self._control.asked(wish)
