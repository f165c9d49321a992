"""The training loop: an iterator of events that owns model, optimizers and the position in the schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import torch
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.table import build
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.errors import RunError
from tinygpt_tui.events.training import Evaluation, Note, RolledBack, Sample, Step, TeacherMeasured, TrainingEvent
from tinygpt_tui.planning.time_budget import TimeBudget
from tinygpt_tui.runs.control import Control
from tinygpt_tui.settings.training import Extension, TrainingSettings
from tinygpt_tui.tokenizers.documents import separator_of
from tinygpt_tui.training.commands import SLOW_S, Commands, Stopping
from tinygpt_tui.training.compiling import Compiling
from tinygpt_tui.training.device import device_random, set_device_random
from tinygpt_tui.training.distributed import ALONE, ProcessGroup
from tinygpt_tui.training.evaluations import Evaluations, NotANumber
from tinygpt_tui.training.fused import use_fused
from tinygpt_tui.training.gradients import Gradients
from tinygpt_tui.training.lora import Adapter
from tinygpt_tui.training.optimizer import clip, make_optimizers, set_rate
from tinygpt_tui.training.precision import Precision
from tinygpt_tui.training.sampling import sample_text
from tinygpt_tui.training.schedule import rate_share
from tinygpt_tui.training.state import came_from, copied, load_random_state, load_weights_state, weights_state
from tinygpt_tui.training.stopwatch import Stopwatch


class DivergedError(RunError):
    """A loss or a gradient was not a number again, although the rate was halved."""


class Training:
    """One run in memory. Iterate over `events`; between two events its state is complete and may be saved.

    What is due next follows from the state alone, so that a resumed run does what an uninterrupted one would have done,
    at whatever moment its state was saved.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        corpus: Corpus,
        device: torch.device,
        control: Control | None = None,
        extensions: Sequence[Extension] = (),
        group: ProcessGroup = ALONE,
        teacher: LanguageModel | None = None,
        old_tokens: int = 0,
    ) -> None:
        """Draws the first weights from `settings.seed`; the global random state is this run's from here on.

        With a `teacher`, on the same device and with the same ids, its probabilities are learned, not the next tokens.
        `old_tokens` is the vocabulary size of the model that an adapter is for; 0: that of `settings`.
        """
        group.check(settings)
        torch.manual_seed(settings.seed)
        self.group = group
        self.settings, self.corpus, self.device, self.teacher = settings, corpus, device, teacher
        self.model: LanguageModel = build(settings.architecture).to(device)
        self.precision = Precision(settings, device)
        native = not self.precision.halved and use_fused(self.model)  # the native forms know float32 alone
        tokens = old_tokens or settings.architecture.vocab_size
        self.adapter = Adapter(self.model, settings, tokens) if settings.lora else None
        self.trained = self.adapter or self.model
        self.optimizers = make_optimizers(self.trained, settings)
        # Recurrent models run on kernels of torch that a compiler leaves as they are.
        self.compiling = Compiling(settings, device, fused=native or settings.architecture.is_stateful)
        self.time_budget = TimeBudget(settings)
        self.commands = Commands(control)
        self.gradients = Gradients(self.model, corpus, settings, self.precision, self.compiling, group, teacher)
        replies, separator = corpus.replies, separator_of(corpus.tokenizer)
        self.evaluations = Evaluations(settings, corpus.validation, self.commands, self.time_budget, replies, separator)
        self.step = 0
        self.elapsed_s = 0.0
        self.rate_scale = 1.0  # halved after a loss that was not a number
        self.came_from = ""  # the kind of device that the loaded state was saved on, if it was another one
        self._extensions = tuple(extensions)
        self._sampled = -1  # the step of the last regular sample
        self._good: dict[str, Any] | None = None  # the state at the last regular evaluation
        self._step_s = math.inf  # what the last step took

    def events(self) -> Iterator[TrainingEvent]:
        """Train from `step` to the end; `stopped` says whether the user ended it before."""
        self.time_budget.start_clock()
        if self.teacher is not None and not self.step:
            loss = yield from self.evaluations.measure_again(self.teacher, self.step)
            if loss is not None:
                yield TeacherMeasured(self.step, loss)
        while True:
            try:
                yield from self._evaluate_if_due()
                if self.stopped or self.step >= self.settings.steps or self.evaluations.ends_early:
                    return
                yield from self.commands.obey(self.step, self.time_budget, self._sample)
                if self.commands.stopped:
                    yield from self._evaluate_after_stop()
                    return
                yield from self._try_compiling()
                step = self.take_step()
                if plan := self.time_budget.stepped(self.step):
                    self._set_steps(plan.steps)  # before the state of this step can be saved
                yield step
                if plan:
                    yield plan
                if note := self.compiling.after_step(self.settings.steps - self.step):
                    yield Note(self.step, note)
            except NotANumber as found:
                yield self._roll_back(str(found))
            except Stopping:
                continue  # the step was undone, and the stop comes next

    @property
    def stopped(self) -> bool:
        """Whether the user ended the run before its last step."""
        return self.commands.stopped

    @property
    def complete(self) -> bool:
        """Whether all steps are done and their last evaluation has read all that it should."""
        return self.step >= self.settings.steps and self.evaluations.last_whole == self.step

    def follow(self, step: int, share: float) -> None:
        """Take the same step as the leader of the process group, with its share of the peak rates."""
        self.step = step
        self.take_step(share)

    def take_step(self, share: float | None = None) -> Step:
        watch = self._stopwatch()
        settings = self.settings
        self.model.train()
        if share is None:
            share = rate_share(self.time_budget.place(self.step), settings, self._extensions) * self.rate_scale
        self.group.step(self.step, share, self._whole_place)
        self.group.seed_own_random(settings.seed, self.step)
        rate = set_rate(self.optimizers, share)
        loss = self._abandonable_backward()
        loss = self.group.mean(self.model, loss, settings.batch_size)
        if self.adapter:
            self.adapter.take_gradients()
        clipped = clip(self.trained, settings.gradient_clip)
        value, norm = torch.stack((loss, clipped)).tolist()  # an accelerator is waited for once
        if not math.isfinite(value) or not math.isfinite(norm):
            raise NotANumber("the gradient" if math.isfinite(value) else "the loss")  # before it reaches the weights
        with self.precision.updates():
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        if self.adapter:
            self.adapter.merge()
        self.step += 1
        self._step_s = seconds = watch.seconds()
        self.elapsed_s += seconds
        self.evaluations.add_loss(value)
        return Step(
            step=self.step,
            loss=value,
            learning_rate=rate,
            gradient_norm=norm,
            tokens_per_s=self.gradients.tokens_a_step / seconds,
            elapsed_s=self.elapsed_s,
        )

    def _abandonable_backward(self) -> Tensor:
        """Add the gradients of the step; if that takes long and a stop comes, undo it and raise Stopping."""
        if self._step_s < SLOW_S or (self.group.size > 1 and not self.group.is_leader):
            return self.gradients.add(self.step)
        random, on_device = torch.get_rng_state(), device_random(self.device)
        carried = copied(self.gradients.bptt.state()) if self.gradients.bptt else None
        try:
            with self.commands.abandonable():
                return self.gradients.add(self.step)
        except Stopping:
            self.group.abandon_step(self.device)
            self.model.zero_grad(set_to_none=True)
            torch.set_rng_state(random)
            set_device_random(self.device, on_device)
            if self.gradients.bptt:
                self.gradients.bptt.load_state(carried, self.model.device)
            raise

    def _try_compiling(self) -> Iterator[TrainingEvent]:
        """If the next step would be the first compiled one, try whether it works; nothing else changes by that."""
        if self.gradients.bptt or not self.compiling.is_due:
            return
        watch = self._stopwatch()
        with self.commands.abandonable():
            note = self.compiling.try_out(self.model, lambda: self.gradients.add(self.step))
        self.elapsed_s += watch.seconds()
        if note:
            yield Note(self.step, note)

    def _evaluate_if_due(self) -> Iterator[TrainingEvent]:
        """Evaluate and sample if this step asks for it, as far as that is not done yet."""
        evaluations = self.evaluations
        if not evaluations.is_due(self.step, self.settings.steps):
            return
        if evaluations.last != self.step:
            whole = not evaluations.part_tokens or self.step >= self.settings.steps
            yield from self._evaluate(regular=True, whole=whole)
            if evaluations.last != self.step:
                return  # it was cut short
        may_end = self.step >= self.settings.steps or self.stopped or evaluations.may_end_at(self.step)
        if may_end and evaluations.last_whole != self.step and not self.commands.is_late:
            yield from self._evaluate()
        if self._sampled != self.step and not self.commands.is_late:
            yield from self._sample()
        self.time_budget.evaluated(self.step)
        if self._good is None or self._good["step"] != self.step:
            self._good = copied(self._place())
        evaluations.remember_best(self.step, self._good["model"])

    def _evaluate_after_stop(self) -> Iterator[TrainingEvent]:
        """Measure what was learned since the last evaluation: it may be the best so far."""
        if self.evaluations.last_whole == self.step:
            return
        yield from self._evaluate()
        if self._sampled != self.step and not self.commands.is_late:
            yield from self._sample()
        self.time_budget.evaluated(self.step)

    def _evaluate(self, regular: bool = False, whole: bool = True) -> Iterator[TrainingEvent]:
        watch = self._stopwatch()
        for event in self.evaluations.evaluate(self.model, self.step, watch, regular=regular, whole=whole):
            if isinstance(event, Evaluation):
                self.elapsed_s += event.seconds
            yield event

    def _sample(self) -> Iterator[TrainingEvent]:
        if not self.settings.sample_tokens:
            return
        watch = self._stopwatch()
        stop: Callable[[], bool] = lambda: self.commands.pending("stop") or self.commands.is_late  # noqa: E731
        text = sample_text(self.model, self.corpus, self.settings, stop)
        self.elapsed_s += watch.seconds()
        self._sampled = self.step
        yield Sample(self.step, text)

    def _stopwatch(self) -> Stopwatch:
        return Stopwatch(waits=self.device.type != "cpu")

    def _set_steps(self, steps: int) -> None:
        self.settings = msgspec.structs.replace(self.settings, steps=steps)

    def _roll_back(self, what: str) -> RolledBack:
        """Return to the last good state and halve the rate; once. Raises DivergedError the second time."""
        if self._good is None or self.rate_scale < 1.0:
            again = ", although the rate was halved" if self.rate_scale < 1.0 else ""
            raise DivergedError(
                f"{what} after step {self.step} is not a number{again}",
                f"start again with learning_rate {self.settings.learning_rate / 4:.2g} or less, and embedding_rate and "
                "head_rate lower by as much; the best weights so far are saved",
            )
        reached = self.step
        self.load_place(self._good)
        self.rate_scale /= 2
        return RolledBack(step=self.step, reached=reached, what=what, rate_scale=self.rate_scale)

    def state(self) -> dict[str, Any]:
        """Return everything needed to resume exactly; tensors and plain data only."""
        return {
            **self._whole_place(),
            "elapsed_s": self.elapsed_s,
            "rate_scale": self.rate_scale,
            "pace": self.time_budget.state(),
            "compiling": self.compiling.choice,
            "threads": torch.get_num_threads(),
            "extensions": len(self._extensions),
            "evaluation_tokens": self.evaluations.part_tokens,
            # Right after a regular evaluation, when most states are saved, it is this very state.
            "good": None if self._good is None or self._good["step"] == self.step else self._good,
            "best": self.evaluations.best_weights(self._good),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Return to where `state` was taken; the run continues from there."""
        self.load_place(state)
        self.elapsed_s = state["elapsed_s"]
        self.rate_scale = state.get("rate_scale", 1.0)
        self.time_budget.load_state(state.get("pace", {}))
        self._set_steps(self.time_budget.steps)
        self.came_from = came_from(state, self.device)
        if not self.came_from:
            self.compiling.keep_to(state.get("compiling", "auto"))
        # An extended run evaluates on the same tokens as before: the losses are compared.
        self.evaluations.read_part(self.settings, state.get("evaluation_tokens", 0))
        self._good = state.get("good") or copied(self._place())
        self.evaluations.load_best_weights(state.get("best"), self._good)
        if state.get("extensions", 0) != len(self._extensions):
            self.evaluations.reset_patience()

    def _place(self) -> dict[str, Any]:
        """Return everything that the course of the training depends on from here on."""
        return {
            **self.evaluations.state(),
            **weights_state(self.model, self.optimizers, self.gradients.bptt, self.device),
            "adapter": self.adapter.state_dict() if self.adapter else None,
            "step": self.step,
            "sampled": self._sampled,
        }

    def _whole_place(self) -> dict[str, Any]:
        """Return the same with what never changes, for another process."""
        return {**self._place(), "base": self.adapter.base_state() if self.adapter else None}

    def load_place(self, place: dict[str, Any]) -> None:
        """Return to a `place` of this training, or take over that of the process group's leader."""
        self.group.invalidate()
        self.step = place["step"]
        self.evaluations.load_state(place)
        self._sampled = place.get("sampled", self.step)
        load_weights_state(place, self.model, self.optimizers, self.gradients.bptt)
        if self.adapter:
            self.adapter.load_state_dict(place["adapter"], place.get("base"))
        load_random_state(place, self.device, self.settings.seed, self.step)
