"""What happens while a model is trained; one line of `run/events.jsonl` each."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# A journal's line with another number is damaged: no date, no chart and no sum can be made of it.
Time = Annotated[float, Meta(ge=0, le=32_503_680_000)]  # seconds since 1970, until the year 3000
Count = Annotated[int, Meta(ge=0, le=1 << 53)]
Number = Annotated[float, Meta(ge=-1e38, le=1e38)]


class RunStarted(msgspec.Struct, frozen=True, tag=True):
    """Training starts, or resumes from `step`. `time` is seconds since 1970.

    `validation_characters` is how many the validation tokens write; 0: one each.
    """

    time: Time
    step: Count
    steps: Count
    parameters: Count
    train_tokens: Count
    validation_tokens: Count
    device: str
    threads: Count
    validation_characters: Count = 0

    @property
    def characters_per_token(self) -> float:
        """Characters that a token of the validation split writes on average: what makes losses comparable."""
        if not self.validation_characters or not self.validation_tokens:
            return 1.0
        return self.validation_characters / self.validation_tokens


class Step(msgspec.Struct, frozen=True, tag=True):
    """One optimizer step is done.

    `loss` is nats per token over the step's batch (with dropout, where there is some); `elapsed_s` is the time spent
    training so far, without pauses, over all resumptions of the run.
    """

    step: Count
    loss: Number
    learning_rate: Number
    gradient_norm: Number
    tokens_per_s: Number
    elapsed_s: Number


class Planned(msgspec.Struct, frozen=True, tag=True):
    """How many `steps` in all fit the run's time, estimated after `step`; `step_s` is how long one takes lately."""

    step: Count
    steps: Count
    step_s: Number


class Evaluation(msgspec.Struct, frozen=True, tag=True):
    """The loss over the validation split, nats per token, each token predicted once.

    `tokens` is how many were predicted if that was a part of the split, always the same one; 0: all of them. If interim
    evaluations read less than this one, `part_loss` is the loss over their part alone, comparable with theirs.
    `best_tokens` is to `best_loss` what `tokens` is to `validation_loss`. `right` is the share of answers that are
    right, character for character, where the text is of pairs; the loss is then that of the answers.
    """

    step: Count
    validation_loss: Number
    train_loss: Number
    best_step: Count
    best_loss: Number
    seconds: Number
    tokens: Count = 0
    part_loss: Number | None = None
    best_tokens: Count = 0
    right: Annotated[float, Meta(ge=0, le=1)] | None = None


class Sample(msgspec.Struct, frozen=True, tag=True):
    """What the model writes at `step`, drawn with the same random numbers at every evaluation."""

    step: Count
    text: str


class Saved(msgspec.Struct, frozen=True, tag=True):
    """The weights of `step` are on the disk. `what`: the best weights, or the state to resume from."""

    step: Count
    what: Literal["best", "resume"]


class Calibrated(msgspec.Struct, frozen=True, tag=True):
    """The logits of the best weights are multiplied by `logit_scale` from here on, as `tokens` set aside decided.

    `validation_loss` is to the calibrated weights what the best loss of the evaluations is to the others.
    """

    step: Count
    logit_scale: Number
    tokens: Count
    validation_loss: Number


class TeacherMeasured(msgspec.Struct, frozen=True, tag=True):
    """The loss of the model whose probabilities are learned, over what a final evaluation of this run reads."""

    step: Count
    validation_loss: Number


class OldText(msgspec.Struct, frozen=True, tag=True):
    """What a run that started from a model did to the loss on that model's `text`, nats per character.

    It was `before` with the starting model, it is `after` with the best weights; `new` names the run's own text.
    """

    step: Count
    text: str
    before: Number
    after: Number
    new: str


class Paused(msgspec.Struct, frozen=True, tag=True):
    """The user asked for a pause, or something (`reason`) forces one."""

    step: Count
    reason: str = ""


class Resumed(msgspec.Struct, frozen=True, tag=True):
    """The pause is over."""

    step: Count


class RolledBack(msgspec.Struct, frozen=True, tag=True):
    """`what` (the loss, the gradient) was not a number after step `reached`: back to `step`, the last good one.

    Events of later steps no longer count. `rate_scale` is the share of its rate that the run uses from here on.
    """

    step: Count
    reached: Count
    what: str
    rate_scale: Number


class Note(msgspec.Struct, frozen=True, tag=True):
    """Something worth a line in the log."""

    step: Count
    text: str
    level: Literal["info", "warning"] = "info"


class Progress(msgspec.Struct, frozen=True, tag=True):
    """How far something is that takes longer than a second, at most one a second: `share` (0 to 1) of `what`.

    Before the first step: the text is read, then the machine is measured (of that, only the start is reported). The
    doctor surveys a text before a run is started.
    """

    step: Count
    what: Literal["reading", "measuring", "evaluation", "calibration", "saving", "survey"]
    share: float


class Finding(msgspec.Struct, frozen=True, tag=True):
    """The result of one of the doctor's checks; a later one of the same `check` replaces it.

    `text` is what was found, `why` what it means, both in plain words. `remedy` holds settings, as the user types them,
    of another run that would do better; `place` is where in the text to look, in characters from its start; `action` is
    what the user can do about it at once.
    """

    step: Count
    check: str
    level: Literal["fine", "hint", "warning", "bad"]
    text: str
    why: str = ""
    remedy: dict[str, str] = {}
    place: Count | None = None
    action: Literal["", "try-one-batch", "leave-out-addresses", "leave-out-keys", "leave-out-copies"] = ""


class RunEnded(msgspec.Struct, frozen=True, tag=True):
    """The last event of a training.

    `finished`: all steps are done; `stopped`: the user asked for it; `failed`: see `message` and `hint`, and `cause`
    is "diverged" if a loss or a gradient was not a number. `best_tokens` is 0 if the whole validation split gave
    `best_loss`, else how many of its tokens did.
    """

    time: Time
    step: Count
    reason: Literal["finished", "stopped", "failed"]
    best_step: Count
    best_loss: Number | None
    elapsed_s: Number
    message: str = ""
    hint: str = ""
    best_tokens: Count = 0
    cause: Literal["", "diverged"] = ""


TrainingEvent = (
    RunStarted
    | Step
    | Planned
    | Evaluation
    | Sample
    | Saved
    | Calibrated
    | TeacherMeasured
    | OldText
    | Paused
    | Resumed
    | RolledBack
    | Note
    | Progress
    | Finding
    | RunEnded
)
