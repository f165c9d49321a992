"""The training loop: an iterator of events that owns model, optimizer and the place in the schedule."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, NoReturn

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.table import build
from tinygpt_tui.corpora.batches import Windows
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.corpora.streams import Streams
from tinygpt_tui.errors import RunError
from tinygpt_tui.events.training import (
    Evaluation,
    Note,
    Paused,
    Progress,
    Resumed,
    RolledBack,
    Sample,
    Step,
    TrainingEvent,
)
from tinygpt_tui.planning.evaluation_plan import evaluation_spacing, evaluation_tokens, judged_tokens
from tinygpt_tui.planning.time_budget import TimeBudget
from tinygpt_tui.runs.control import Command, Control
from tinygpt_tui.settings.training import Extension, TrainingSettings
from tinygpt_tui.training.compiling import Compiling
from tinygpt_tui.training.device import device_random, placed, seed_device_random, set_device_random
from tinygpt_tui.training.distributed import ALONE, ProcessGroup
from tinygpt_tui.training.evaluate import judged_windows, spread_windows, summed_losses
from tinygpt_tui.training.fused import use_fused
from tinygpt_tui.training.optimizer import clip, make_optimizers, set_rate
from tinygpt_tui.training.precision import Precision
from tinygpt_tui.training.sampling import sample_text
from tinygpt_tui.training.schedule import rate_share
from tinygpt_tui.training.snapshot import copied
from tinygpt_tui.training.stopwatch import Stopwatch
from tinygpt_tui.training.truncated_bptt import TruncatedBPTT
from tinygpt_tui.words import part_words

PAUSE_LOOK_S = 0.1
PROGRESS_S = 1.0
STOP_S = 1.0  # after a stop: an evaluation that takes longer ends with what it has read


class Diverged(Exception):
    """A loss or a gradient that is no number, met before it reached the weights; what it was, in words."""


class _CutShort(Exception):
    """A second stop came while something was measured, and half of that is worth nothing."""


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
        group: ProcessGroup = ALONE,
    ) -> None:
        """Draws the first weights from `settings.seed`; the global random state is this run's from here on."""
        group.check(settings)
        torch.manual_seed(settings.seed)
        self.group = group
        self.settings, self.corpus, self.device = settings, corpus, device
        self.model: LanguageModel = build(settings.architecture).to(device)
        self.precision = Precision(settings, device)
        native = not self.precision.halved and use_fused(self.model)  # the native forms know float32 alone
        self.optimizers = make_optimizers(self.model, settings)
        # What carries a memory is run by kernels of torch that a compiler leaves as they are.
        self.compiling = Compiling(settings, device, fused=native or settings.architecture.is_stateful)
        self.step = 0
        self.elapsed_s = 0.0
        self.best_step, self.best_loss = 0, math.inf
        self.best_tokens = 0  # of the validation split that gave it; 0: all
        self.rate_scale = 1.0  # halved where the loss was no number
        self.stopped = False
        self.came_from = ""  # the kind of device that the loaded state was taken on, where it was another one
        self._stopped_at = math.inf  # time.monotonic()
        self.time_budget = TimeBudget(settings)
        self._control = control
        self._extensions = tuple(extensions)
        self._block_size = settings.architecture.block_size
        self._bptt: TruncatedBPTT | None = None
        if settings.architecture.is_stateful:
            streams = Streams(corpus.train, self._block_size, settings.batch_size, settings.seed)
            self._windows: Windows | Streams = streams
            self._bptt = TruncatedBPTT(streams)
        else:
            length = settings.architecture.training_length
            self._windows = Windows(corpus.train, length, settings.batch_size, settings.seed)
        self._read_only(evaluation_tokens(settings, len(corpus.validation)))
        self._recent: list[float] = []
        self._train_loss: float | None = None  # at the last evaluation
        self._evaluated = self._whole = self._sampled = -1  # the last steps at which that was done
        self._best_part = math.inf  # what the best weights lose on what every evaluation reads
        self._best: dict[str, Tensor] | None = None  # they themselves, until they were measured on the whole split
        self._without_better = 0  # regular evaluations since the best
        self._good: dict[str, Any] | None = None  # the state at the last regular evaluation

    def events(self) -> Iterator[TrainingEvent]:
        """Train from where `step` stands to the end; `stopped` tells whether somebody ended it before."""
        self.time_budget.start_clock()
        while True:
            try:
                yield from self._due()
                if self._is_over():
                    return
                yield from self._obey()
                if self.stopped:
                    if self._whole != self.step:  # what was learnt since the last evaluation may be the best yet
                        yield from self._evaluate()
                        if self._sampled != self.step and not self._is_late():
                            yield from self._sample()
                        self.time_budget.evaluated(self.step)
                    return
                yield from self._try_compiling()
                step = self._one_step()
                if plan := self.time_budget.stepped(self.step):
                    self._take_plan(plan.steps)  # before anybody may save the state of this step
                yield step
                if plan:
                    yield plan
                if note := self.compiling.after_step(self.settings.steps - self.step):
                    yield Note(self.step, note)
            except Diverged as found:
                yield self._roll_back(str(found))

    @property
    def reads(self) -> str:
        """How much of the validation split evaluations read, in words; empty where each reads all of it."""
        split = len(self.corpus.validation)
        last = part_words(self._judged, split) if self._judged else "all"
        if self._part:
            part = part_words(self._part, split)
            return f"interim evaluations read {part}, always the same ones; the final one reads {last}"
        return f"evaluations read {last}, always the same ones" if self._judged else ""

    @property
    def ends_early(self) -> str:
        """Why the training is over before its last step, in words; empty while it is not."""
        patience, wanted = self.settings.patience, self.settings.stop_at_loss
        if wanted and self.best_loss <= wanted and not self._best_on_part:
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
            "pace": self.time_budget.state(),
            "compiling": self.compiling.choice,
            "threads": torch.get_num_threads(),
            "extensions": len(self._extensions),
            "evaluation_tokens": self._part,
            # Right after a regular evaluation, when most states are saved, the two are the same, and so may these be.
            "good": None if self._good is None or self._good["step"] == self.step else self._good,
            "best": None if self._good is None or self._best is self._good["model"] else self._best,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self._return_to(state)
        self.elapsed_s = state["elapsed_s"]
        self.rate_scale = state.get("rate_scale", 1.0)
        self.time_budget.load_state(state.get("pace", {}))
        self._take_plan(self.time_budget.steps)
        self.came_from = self._came_from(state)
        if not self.came_from:
            self.compiling.keep_to(state.get("compiling", "auto"))
        self._read_only(state.get("evaluation_tokens", 0))  # longer runs read as much as they did: it is compared
        self._good = state.get("good") or copied(self._place())
        self._best = state.get("best")
        if self._best is None and self._best_on_part and self.best_step == self._good["step"]:
            self._best = self._good["model"]
        if state.get("extensions", 0) != len(self._extensions):
            self._without_better = 0  # whoever makes a run longer has patience with it again

    @property
    def complete(self) -> bool:
        """Whether all steps are done and their last evaluation has read all that it should."""
        return self.step >= self.settings.steps and self._whole == self.step

    @property
    def _best_on_part(self) -> bool:
        """Whether the best loss comes from what interim evaluations read, less than a final one does."""
        return self.best_tokens not in (0, self._judged)

    def _place(self) -> dict[str, Any]:
        """Return everything that the way of the training depends on from here on."""
        return {
            "step": self.step,
            "best_step": self.best_step,
            "best_loss": self.best_loss,
            "best_tokens": self.best_tokens,
            "best_part": self._best_part,
            "recent": list(self._recent),
            "train_loss": self._train_loss,
            "evaluated": self._evaluated,
            "whole": self._whole,
            "sampled": self._sampled,
            "without_better": self._without_better,
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "carried": self._bptt.state() if self._bptt else None,
            "device": self.device.type,
            "random": torch.get_rng_state(),
            "device_random": device_random(self.device),
        }

    def _return_to(self, place: dict[str, Any]) -> None:
        self.group.invalidate()
        self.step = place["step"]
        self.best_step, self.best_loss = place["best_step"], place["best_loss"]
        self.best_tokens, self._best_part = place.get("best_tokens", 0), place.get("best_part", self.best_loss)
        self._recent, self._train_loss = list(place["recent"]), place.get("train_loss")
        self._evaluated = place.get("evaluated", self.step)
        self._whole = place.get("whole", self._evaluated)
        self._sampled = place.get("sampled", self.step)
        self._without_better = place.get("without_better", 0)
        self.model.load_state_dict(place["model"])
        for optimizer, kept in zip(self.optimizers, place["optimizers"], strict=True):
            optimizer.load_state_dict(copied(kept))  # torch would go on with the very tensors it is given
            optimizer.zero_grad(set_to_none=True)
        if self._bptt:
            self._bptt.load_state(copied(place.get("carried")), self.device)
        torch.set_rng_state(place["random"])
        if self._came_from(place):
            seed_device_random(self.device, self.settings.seed, self.step)
        else:
            set_device_random(self.device, place.get("device_random"))

    def _came_from(self, place: dict[str, Any]) -> str:
        """Return the kind of device that `place` was taken on; empty where it is this training's own kind."""
        kind: str = place.get("device") or ("cpu" if place.get("device_random") is None else "cuda")
        return "" if kind == self.device.type else kind

    def _due(self) -> Iterator[TrainingEvent]:
        """Do what belongs to this step besides the step itself, as far as it was not done yet."""
        if not self._evaluation_due():
            return
        if self._evaluated != self.step:
            yield from self._evaluate(regular=True, whole=not self._part or self.step >= self.settings.steps)
            if self._evaluated != self.step:
                return  # it was cut short
        if self._seems_over() and self._whole != self.step and not self._is_late():
            yield from self._evaluate()
        if self._sampled != self.step and not self._is_late():
            yield from self._sample()
        self.time_budget.evaluated(self.step)
        if self._good is None or self._good["step"] != self.step:
            self._good = copied(self._place())
        if not self._best_on_part:
            self._best = None
        elif self.best_step == self.step:
            self._best = self._good["model"]

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

    def _seems_over(self) -> bool:
        """Whether it ends here, should all that judges say what a part of it has said."""
        if self.step >= self.settings.steps:
            return True
        patience, wanted = self.settings.patience, self.settings.stop_at_loss
        reached = wanted and self.best_loss <= wanted and self.best_step == self.step
        return self.stopped or bool(reached) or bool(patience and self._without_better >= patience)

    def _is_over(self) -> bool:
        return self.stopped or self.step >= self.settings.steps or bool(self.ends_early)

    def _share(self) -> float:
        """Return the share of their peak rates that the optimizers use now."""
        return rate_share(self.time_budget.place(self.step), self.settings, self._extensions) * self.rate_scale

    def _read_only(self, tokens: int) -> None:
        """Let interim evaluations read so many tokens of the validation split; 0: as many as the final one."""
        split, judged = len(self.corpus.validation), judged_tokens(self.settings, len(self.corpus.validation))
        self._first: NDArray[np.int64] = spread_windows(split, self._block_size, tokens)
        self._others = judged_windows(split, self._block_size, judged, self._first)
        self._part = len(self._first) * self._block_size
        # What a final evaluation reads; 0: all of the split.
        self._judged = 0 if self._others is None else self._part + len(self._others) * self._block_size
        self._evaluate_every = evaluation_spacing(self.settings, split, self._part)

    def _take_plan(self, steps: int) -> None:
        self.settings = msgspec.structs.replace(self.settings, steps=steps)

    def _evaluation_due(self) -> bool:
        if not self.step:
            return True
        if self.time_budget.timed and not self.settings.evaluate_every:
            return self.time_budget.evaluation_due(self.step)
        return self.step % self._evaluate_every == 0 or self.step >= self.settings.steps

    def load_place(self, place: dict[str, Any]) -> None:
        """Stand where the first process of the group stands."""
        self._return_to(place)

    def follow(self, step: int, share: float) -> None:
        """Take the step that the first process of the group takes, with its share of the peak rates."""
        self.step = step
        self._one_step(share)

    def _one_step(self, share: float | None = None) -> Step:
        watch = self._stopwatch()
        settings = self.settings
        self.model.train()
        share = self._share() if share is None else share
        self.group.step(self.step, share, iter(self._place, None))
        self.group.seed_own_random(settings.seed, self.step)
        rate = set_rate(self.optimizers, share)
        loss = self._backward()
        loss = self.group.mean(self.model, loss, settings.batch_size)
        clipped = clip(self.model, settings.gradient_clip)
        value, norm = torch.stack((loss, clipped)).tolist()  # an accelerator is waited for once
        if not math.isfinite(value) or not math.isfinite(norm):
            self._diverged("the gradient" if math.isfinite(value) else "the loss")  # before it reaches the weights
        with self.precision.updates():
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
            tokens_per_s=settings.batch_size * settings.architecture.training_length / seconds,
            elapsed_s=self.elapsed_s,
        )

    def _try_compiling(self) -> Iterator[TrainingEvent]:
        """Where the next step would be the first compiled one, see whether it can be; nothing else changes by that."""
        if self._bptt or not self.compiling.is_due:
            return
        watch = self._stopwatch()
        random, on_device = torch.get_rng_state(), device_random(self.device)
        self.model.train()
        note = self.compiling.try_out(self.model, self._backward)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        torch.set_rng_state(random)
        set_device_random(self.device, on_device)
        self.elapsed_s += watch.seconds()
        if note:
            yield Note(self.step, note)

    def _backward(self) -> Tensor:
        """Add the gradients of this process's share of the step's batch; return its loss."""
        batch = self.group.rows(self._windows.batch(self.step))
        inputs, targets = (placed(part, self.device) for part in batch)
        loss = self._loss(inputs, targets)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def _loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        with self.precision():
            if self._bptt:
                logits = self._bptt.logits(self.model, inputs, self.step)
            else:
                logits = self.compiling.forward(self.model)(inputs)
        return F.cross_entropy(logits.float().view(-1, logits.shape[-1]), targets.reshape(-1))

    def _evaluate(self, regular: bool = False, whole: bool = True) -> Iterator[TrainingEvent]:
        """Measure the loss over all that judges (`whole`), or over the part of it that interim evaluations read.

        A stop lets it end with that part, a second one cuts it short: then no Evaluation is yielded, and it is still
        due. Only `regular` ones count against the patience: a training that was stopped and resumed must end where it
        would have ended.
        """
        watch = self._stopwatch()
        try:
            value, part, whole = yield from self._measured(whole)
            if not math.isfinite(value):
                self._diverged("the validation loss")
            better = yield from self._is_better(value, part, whole)
        except _CutShort:
            return
        tokens = self._judged if whole else self._part
        if better:
            self.best_step, self.best_loss, self.best_tokens, self._best_part = self.step, value, tokens, part
            self._without_better = 0
        elif regular:
            self._without_better += 1
        self._evaluated = self.step
        if whole:
            self._whole = self.step
        seconds = watch.seconds()
        self.elapsed_s += seconds
        if not whole:
            self.time_budget.last_takes_longer(
                seconds * ((self._judged or len(self.corpus.validation)) / self._part - 1)
            )
        recent, self._recent = self._recent, []
        if recent:
            self._train_loss = sum(recent) / len(recent)
        yield Evaluation(
            step=self.step,
            validation_loss=value,
            train_loss=value if self._train_loss is None else self._train_loss,
            best_step=self.best_step,
            best_loss=self.best_loss,
            seconds=seconds,
            tokens=tokens,
            part_loss=part if whole and self._part else None,
            best_tokens=self.best_tokens,
        )

    def _measured(self, whole: bool = True) -> Generator[TrainingEvent, None, tuple[float, float, bool]]:
        """Return the loss over what is read, over the interim part of it, and whether that is all a final one reads.

        Yields its progress where it takes long: the state is not to be saved then. Raises _CutShort.
        """
        total, count, part = 0.0, 0, math.nan
        of = (self._judged or len(self.corpus.validation) - 1) if whole else self._part
        told = time.monotonic()
        split, windows = self.corpus.validation, (self._first, self._others)
        for loss, tokens in summed_losses(self.model, split, self._block_size, *windows):
            if self._stop_taken():
                if self.stopped:
                    raise _CutShort
                self._stop()
            total, count = total + loss, count + tokens
            if count == self._part:
                part = total / count
                if not whole:
                    break
            now = time.monotonic()
            if self._is_late() and not math.isnan(part):
                return part, part, False
            if now - told > PROGRESS_S:
                told = now
                yield Progress(self.step, "evaluation", count / of)
        return total / count, part if self._part else total / count, whole

    def _is_better(self, value: float, part: float, whole: bool) -> Generator[TrainingEvent, None, bool]:
        """Return whether these are the best weights so far, by all that judges where that can tell. Raises _CutShort.

        Where a part of it alone said that earlier ones were better, they are measured on all of it as well.
        """
        if not whole:
            return part < self._best_part
        if self.best_step == self.step == self._evaluated:
            return True  # the same weights as in a part before, and now in all
        if self._best_on_part:
            if part < self._best_part:
                return True
            assert self._best is not None
            newest = copied(self.model.state_dict())
            self.model.load_state_dict(self._best)
            try:
                loss, _, complete = yield from self._measured()
                if not complete:
                    raise _CutShort
                self.best_loss, self.best_tokens = loss, self._judged
            finally:
                self.model.load_state_dict(newest)
        return value < self.best_loss

    def _sample(self) -> Iterator[TrainingEvent]:
        if not self.settings.sample_tokens:
            return
        watch = self._stopwatch()
        stop: Callable[[], bool] = lambda: self._asked("stop") or self._is_late()  # noqa: E731
        text = sample_text(self.model, self.corpus.tokenizer, self.settings, stop)
        self.elapsed_s += watch.seconds()
        self._sampled = self.step
        yield Sample(self.step, text)

    def _stopwatch(self) -> Stopwatch:
        return Stopwatch(waits=self.device.type != "cpu")

    def _obey(self) -> Iterator[TrainingEvent]:
        if self._control is None:
            return
        if self._control.consume("sample"):
            yield from self._sample()
        if self._asked("pause") and not self._asked("stop"):
            self.time_budget.stop_clock()
            yield Paused(self.step)
            while self._asked("pause") and not self._asked("stop"):
                time.sleep(PAUSE_LOOK_S)
                if self._control.consume("sample"):
                    yield from self._sample()
                if self._asked("save"):  # whoever pulls does it, between two events
                    yield Note(self.step, "asked to save the state")
            self.time_budget.start_clock()
            yield Resumed(self.step)
        if self._stop_taken():
            self._stop()  # a second one cuts the last evaluation short

    def _stop(self) -> None:
        self.stopped, self._stopped_at = True, time.monotonic()

    def _is_late(self) -> bool:
        """Whether a stop is so old that what is still due waits for the run to be resumed."""
        return time.monotonic() - self._stopped_at > STOP_S

    def _stop_taken(self) -> bool:
        return self._control is not None and self._control.consume("stop")

    def _diverged(self, what: str) -> NoReturn:
        """Say that `what` is no number; nothing of it may have reached the weights."""
        raise Diverged(what)

    def _asked(self, command: Command) -> bool:
        return self._control is not None and self._control.pending(command)
