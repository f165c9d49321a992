"""The loop learns, repeats itself exactly, goes on exactly, and does what it is asked."""

from __future__ import annotations

import io
import itertools
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch
from makers import small_corpus, small_training, spoil_loss

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.errors import RunError, UsageError
from tinygpt_tui.events.training import Evaluation, Paused, Progress, Resumed, RolledBack, Sample, Step, TrainingEvent
from tinygpt_tui.planning import evaluation_plan
from tinygpt_tui.runs.control import Control
from tinygpt_tui.settings.training import Extension, TrainingSettings
from tinygpt_tui.training import commands, evaluate, loop
from tinygpt_tui.training.device import choose_device, device_random, set_device_random
from tinygpt_tui.training.evaluate import whole_loss
from tinygpt_tui.training.evaluations import Evaluations
from tinygpt_tui.training.loop import Training
from tinygpt_tui.training.state import copied

CPU = torch.device("cpu")
SUMMED_LOSSES = "tinygpt_tui.training.evaluations.summed_losses"
DROPPING: dict[str, Any] = {"dropout": 0.2, "attention_dropout": 0.2, "sample_tokens": 3, "evaluation_tokens": 24}
FANCY: dict[str, Any] = {
    "dropout": 0.2, "positions": "rotary", "norm_weight": False, "qk_norm": True, "token_shift": 2, "tied_head": False,
    "activation": "relu_squared", "start": "zero_residual", "ngram_rows": 32,
}  # fmt: skip


def training_of(settings: TrainingSettings, control: Control | None = None) -> Training:
    settings, corpus = small_corpus(settings)
    return Training(settings, corpus, CPU, control)


def losses(events: list[TrainingEvent]) -> list[float]:
    return [event.loss for event in events if isinstance(event, Step)]


def evaluations(events: list[TrainingEvent]) -> list[Evaluation]:
    return [event for event in events if isinstance(event, Evaluation)]


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """The control folder of a run."""
    return Control(tmp_path / "control")


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_it_learns(optimizer: str) -> None:
    events = list(training_of(small_training(steps=60, optimizer=optimizer, evaluate_every=20)).events())
    found = losses(events)
    assert len(found) == 60
    assert found[0] > 2.5
    assert sum(found[-5:]) / 5 < found[0] - 0.7
    validation = [event.validation_loss for event in evaluations(events)]
    assert validation[-1] < validation[0] - 0.7


def test_events_come_in_their_order_and_say_what_is_so() -> None:
    training = training_of(small_training(steps=10, evaluate_every=4, batch_size=3))
    events = list(training.events())
    kinds = "".join(type(event).__name__[0] if not isinstance(event, Sample) else "s" for event in events)
    assert kinds == "Es" + "SSSSEs" * 2 + "SSEs"
    assert [event.step for event in events if isinstance(event, Step)] == list(range(1, 11))
    assert [event.step for event in evaluations(events)] == [0, 4, 8, 10]
    assert [event.step for event in events if isinstance(event, Sample)] == [0, 4, 8, 10]
    last = evaluations(events)[-1]
    assert last.validation_loss == pytest.approx(whole_loss(training.model, training.corpus.validation, 8))
    assert last.train_loss == pytest.approx(sum(losses(events)[-2:]) / 2)
    best = min(evaluations(events), key=lambda event: event.validation_loss)
    assert (last.best_step, last.best_loss) == (best.step, best.validation_loss)
    elapsed = [event.elapsed_s for event in events if isinstance(event, Step)]
    assert elapsed == sorted(elapsed)
    assert not training.stopped


@pytest.mark.parametrize("changes", [DROPPING, FANCY], ids=["dropout", "modern"])
def test_the_same_seed_makes_the_same_run(changes: dict[str, Any]) -> None:
    def whole(seed: int) -> list[object]:
        events = training_of(small_training(seed=seed, **changes)).events()
        return [
            event.loss if isinstance(event, Step) else event.validation_loss if isinstance(event, Evaluation) else event
            for event in events
        ]

    first = whole(1)
    torch.rand(7)  # whatever else drew numbers meanwhile
    assert whole(1) == first
    assert whole(2) != first


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
@pytest.mark.parametrize("changes", [DROPPING, FANCY], ids=["dropout", "modern"])
def test_going_on_is_exact(optimizer: str, changes: dict[str, Any]) -> None:
    settings = small_training(steps=30, evaluate_every=10, optimizer=optimizer, **changes)
    straight = training_of(settings)
    wanted = list(straight.events())

    first = training_of(settings)
    begun: list[TrainingEvent] = []
    for event in first.events():
        begun.append(event)
        if isinstance(event, Step) and event.step == 15:
            break
    content = io.BytesIO()
    torch.save(first.state(), content)
    del first
    torch.manual_seed(999)
    second = training_of(settings)
    second.load_state(torch.load(io.BytesIO(content.getvalue()), weights_only=True))
    rest = list(second.events())

    assert losses(begun) + losses(rest) == losses(wanted)
    assert [
        (event.step, event.validation_loss, event.train_loss, event.best_step) for event in evaluations(begun + rest)
    ] == [(event.step, event.validation_loss, event.train_loss, event.best_step) for event in evaluations(wanted)]
    texts = [event.text for event in begun + rest if isinstance(event, Sample)]
    assert texts == [event.text for event in wanted if isinstance(event, Sample)]
    for name, tensor in straight.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], tensor)
    assert second.elapsed_s > 0


def test_samples_do_not_change_the_run() -> None:
    with_samples = list(training_of(small_training(**{**DROPPING, "sample_tokens": 20})).events())
    without = list(training_of(small_training(**{**DROPPING, "sample_tokens": 0})).events())
    assert losses(with_samples) == losses(without)
    assert not any(isinstance(event, Sample) for event in without)


def test_stop_evaluates_once_more(control: Control) -> None:
    training = training_of(small_training(steps=1000, evaluate_every=500), control)
    events: list[TrainingEvent] = []
    for event in training.events():
        events.append(event)
        if isinstance(event, Step) and event.step == 7:
            control.send("stop")
    assert training.stopped
    assert training.step == 7
    assert [event.step for event in evaluations(events)] == [0, 7]
    assert not control.pending("stop")


def test_stop_just_after_an_evaluation_needs_no_other(control: Control) -> None:
    training = training_of(small_training(steps=1000, evaluate_every=5, sample_tokens=0), control)
    events: list[TrainingEvent] = []
    for event in training.events():
        events.append(event)
        if isinstance(event, Evaluation) and event.step == 5:
            control.send("stop")
    assert [event.step for event in evaluations(events)] == [0, 5]
    assert training.stopped


def stop_in_evaluation(monkeypatch: pytest.MonkeyPatch, control: Control, times: int) -> None:
    """Ask for a stop at the first pieces of the second evaluation."""
    plain, calls = evaluate.summed_losses, []

    def asking(*arguments: Any) -> Any:
        calls.append(1)
        for number, piece in enumerate(plain(*arguments)):
            if len(calls) == 2 and number < times:
                control.send("stop")
            yield piece

    monkeypatch.setattr(SUMMED_LOSSES, asking)
    monkeypatch.setattr("tinygpt_tui.training.evaluate.TOKENS_AT_ONCE", 16)


def test_stop_within_an_evaluation_lets_it_end(monkeypatch: pytest.MonkeyPatch, control: Control) -> None:
    stop_in_evaluation(monkeypatch, control, times=1)
    training = training_of(small_training(steps=100, evaluate_every=5), control)
    assert [event.step for event in evaluations(list(training.events()))] == [0, 5]
    assert (training.step, training.stopped) == (5, True)


def test_a_second_stop_cuts_the_evaluation_short(monkeypatch: pytest.MonkeyPatch, control: Control) -> None:
    stop_in_evaluation(monkeypatch, control, times=2)
    training = training_of(small_training(steps=100, evaluate_every=5), control)
    assert [event.step for event in evaluations(list(training.events()))] == [0]
    assert (training.step, training.stopped) == (5, True)


def test_pause_and_go_on(monkeypatch: pytest.MonkeyPatch, control: Control) -> None:
    looks = []

    def look(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            control.cancel("pause")

    monkeypatch.setattr(commands.time, "sleep", look)
    events: list[TrainingEvent] = []
    for event in training_of(small_training(steps=6, sample_tokens=0), control).events():
        events.append(event)
        if isinstance(event, Step) and event.step == 2:
            control.send("pause")
    place = events.index(Paused(2))
    assert events[place + 1] == Resumed(2)
    assert len(looks) == 3
    assert len(losses(events)) == 6


def test_stop_ends_a_pause(monkeypatch: pytest.MonkeyPatch, control: Control) -> None:
    monkeypatch.setattr(commands.time, "sleep", lambda seconds: control.send("stop"))
    control.send("pause")
    training = training_of(small_training(), control)
    events = list(training.events())
    assert (training.stopped, training.step) == (True, 0)
    assert Paused(0) in events


def test_a_sample_can_be_asked_for(control: Control) -> None:
    events: list[TrainingEvent] = []
    for event in training_of(small_training(steps=6, evaluate_every=6), control).events():
        events.append(event)
        if isinstance(event, Step) and event.step == 2:
            control.send("sample")
    assert [event.step for event in events if isinstance(event, Sample)] == [0, 2, 6]
    assert not control.pending("sample")


def test_a_loss_that_is_no_number_goes_back_and_halves_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = small_training(steps=10, **DROPPING)
    plain = list(training_of(settings).events())
    spoil_loss(monkeypatch, 6)
    training = training_of(settings)
    events = list(training.events())
    place = events.index(RolledBack(step=4, reached=6, what="the loss", rate_scale=0.5))
    assert losses(events[:place]) == losses(plain)[:6]
    again = [event for event in events[place:] if isinstance(event, Step)]
    assert [event.step for event in again] == list(range(5, 11))
    assert again[0].loss == losses(plain)[4]  # the same weights, the same batch, the same dropout
    assert again[1].loss != losses(plain)[5]
    before = [event for event in plain if isinstance(event, Step)][4:]
    assert [event.learning_rate for event in again] == [event.learning_rate / 2 for event in before]
    assert [event.step for event in evaluations(events)] == [0, 4, 8, 10]


def test_the_second_time_it_ends_before_the_weights_are_hurt(monkeypatch: pytest.MonkeyPatch) -> None:
    spoil_loss(monkeypatch, 6, 9)
    training = training_of(small_training(steps=10))
    events: list[TrainingEvent] = []
    with pytest.raises(RunError, match="after step 9 is not a number, although the rate was halved") as caught:
        events.extend(training.events())
    assert "learning_rate 0.0025" in caught.value.hint
    assert training.step == 9
    assert all(tensor.isfinite().all() for tensor in training.model.state_dict().values())


def test_a_gradient_that_is_no_number_ends_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    training = training_of(small_training(steps=10))
    monkeypatch.setattr(loop, "clip", lambda model, largest: torch.tensor(float("inf")))
    with pytest.raises(RunError, match="gradient"):
        list(training.events())
    assert all(tensor.isfinite().all() for tensor in training.model.state_dict().values())


@pytest.mark.parametrize(("saved_at", "before"), [(5, True), (7, True), (5, False), (8, False)])
def test_going_back_is_exact_too(monkeypatch: pytest.MonkeyPatch, saved_at: int, before: bool) -> None:
    settings = small_training(steps=12, **DROPPING)
    spoil_loss(monkeypatch, 7)
    straight = training_of(settings)
    wanted = list(straight.events())

    first = training_of(settings)
    for event in first.events():
        if isinstance(event, Step) and event.step == saved_at and before == (first.rate_scale == 1):
            content = io.BytesIO()
            torch.save(first.state(), content)
    second = training_of(settings)
    second.load_state(torch.load(io.BytesIO(content.getvalue()), weights_only=True))
    if not before:
        monkeypatch.undo()
    assert losses(list(second.events()))[-4:] == losses(wanted)[-4:]
    assert second.rate_scale == 0.5
    for name, tensor in straight.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], tensor)


@pytest.mark.parametrize("saved_after", [Step, Evaluation, Sample])
def test_what_is_due_is_done_once(saved_after: type) -> None:
    settings = small_training(steps=8)
    first = training_of(settings)
    begun: list[TrainingEvent] = []
    for event in first.events():
        begun.append(event)
        if isinstance(event, saved_after) and event.step == 4:  # type: ignore[attr-defined]
            break
    second = training_of(settings)
    second.load_state(copied(first.state()))
    events = begun + list(second.events())
    assert [event.step for event in evaluations(events)] == [0, 4, 8]
    assert [event.step for event in events if isinstance(event, Sample)] == [0, 4, 8]
    assert [event.step for event in events if isinstance(event, Step)] == list(range(1, 9))


def test_patience_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    worse = iter(range(1, 100))
    monkeypatch.setattr(SUMMED_LOSSES, lambda *arguments: [evaluate.Piece(float(next(worse)), 1, 1)])
    training = training_of(small_training(steps=100, evaluate_every=5, patience=3))
    events = list(training.events())
    assert [event.step for event in evaluations(events)] == [0, 5, 10, 15]
    assert (training.step, training.stopped) == (15, False)
    assert "no better validation loss in 3 evaluations" in training.evaluations.ends_early
    more = training_of(small_training(steps=100, evaluate_every=5, patience=4))
    more.load_state(copied(training.state()))
    assert not more.evaluations.ends_early
    longer = Training(*small_corpus(training.settings), CPU, extensions=[Extension(at=15, steps_before=50)])
    longer.load_state(copied(training.state()))
    assert not longer.evaluations.ends_early


def test_a_stop_does_not_use_up_patience(monkeypatch: pytest.MonkeyPatch, control: Control) -> None:
    worse = iter(range(1, 100))
    monkeypatch.setattr(SUMMED_LOSSES, lambda *arguments: [evaluate.Piece(float(next(worse)), 1, 1)])
    settings = small_training(steps=100, evaluate_every=10, patience=2)
    stopped = training_of(settings, control)
    for event in stopped.events():
        if isinstance(event, Step) and event.step == 5:
            control.send("stop")
    resumed = training_of(settings)
    resumed.load_state(copied(stopped.state()))
    assert [event.step for event in evaluations(list(resumed.events()))] == [10, 20]


def part_says(monkeypatch: pytest.MonkeyPatch, part: dict[int, float], whole: dict[int, float]) -> None:
    """Make up the losses of a split of which evaluations on the way read a quarter, by the weights' step."""
    plain = Evaluations._measure

    def measured(
        self: Evaluations, model: LanguageModel, now: int, all_of_it: bool = True
    ) -> Generator[TrainingEvent, None, tuple[float, float, bool]]:
        assert self.part_tokens
        head = model.state_dict()[NAME]
        step = next((step for step, saved in weights.items() if torch.equal(saved, head)), now)
        weights.setdefault(step, head.clone())
        asked.append((step, all_of_it))
        yield from plain(self, model, now, all_of_it)
        return (whole[step] if all_of_it else part[step]), part[step], all_of_it

    weights: dict[int, torch.Tensor] = {}
    asked: list[tuple[int, bool]] = []
    monkeypatch.setattr(Evaluations, "_measure", measured)


NAME = "lm_head.weight"


def test_on_the_way_a_part_is_read_and_at_the_end_all() -> None:
    settings = small_training(steps=12, evaluation_tokens=20)
    training = training_of(settings)
    events = list(training.events())
    *way, last = evaluations(events)
    assert [(event.step, event.tokens) for event in way] == [(0, 24), (4, 24), (8, 24)]  # whole windows of 8
    assert all(event.best_tokens == 24 and event.part_loss is None for event in way)
    assert (last.tokens, last.best_tokens) == (0, 0)
    assert last.validation_loss == pytest.approx(whole_loss(training.model, training.corpus.validation, 8))
    assert last.part_loss is not None
    assert last.part_loss < way[-1].validation_loss
    plain = list(training_of(small_training(steps=12)).events())
    assert losses(events) == losses(plain)  # how much is read changes nothing that is learnt
    assert evaluations(plain)[-1].validation_loss == pytest.approx(last.validation_loss, rel=1e-6)


def test_the_best_on_the_way_is_measured_whole_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    part_says(monkeypatch, {0: 3.0, 4: 2.0, 8: 2.5, 12: 2.2}, {4: 2.1, 12: 2.3})
    settings = small_training(steps=12, evaluation_tokens=20)
    straight = training_of(settings)
    last = evaluations(list(straight.events()))[-1]
    assert (last.validation_loss, last.part_loss) == (2.3, 2.2)
    assert (last.best_step, last.best_loss, last.best_tokens) == (4, 2.1, 0)

    first = training_of(settings)  # the best weights outlive a kill
    for event in first.events():
        if isinstance(event, Step) and event.step == 10:
            break
    second = training_of(settings)
    second.load_state(copied(first.state()))
    assert evaluations(list(second.events()))[-1].best_loss == 2.1
    for name, tensor in straight.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], tensor)  # measuring others left no trace


def test_what_only_seemed_the_best_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    part_says(monkeypatch, {0: 3.0, 4: 2.0, 8: 2.5, 12: 2.2}, {4: 2.4, 12: 2.3})
    last = evaluations(list(training_of(small_training(steps=12, evaluation_tokens=20)).events()))[-1]
    assert (last.best_step, last.best_loss, last.best_tokens) == (12, 2.3, 0)


def test_a_wished_loss_is_confirmed_by_the_whole_split(monkeypatch: pytest.MonkeyPatch) -> None:
    part_says(monkeypatch, {0: 3.0, 4: 1.9, 8: 1.8, 12: 1.7}, {4: 2.05, 8: 1.95})
    training = training_of(small_training(steps=40, evaluation_tokens=20, stop_at_loss=2.0))
    found = evaluations(list(training.events()))
    assert [(event.step, event.tokens) for event in found] == [(0, 24), (4, 24), (4, 0), (8, 24), (8, 0)]
    assert "1.9500 has reached the 2" in training.evaluations.ends_early
    assert found[2].train_loss == found[1].train_loss


def test_patience_counts_the_parts_and_ends_with_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    part_says(monkeypatch, {0: 1.0, 4: 1.1, 8: 1.2}, {0: 1.05, 8: 1.3})
    training = training_of(small_training(steps=40, evaluation_tokens=20, patience=2))
    found = evaluations(list(training.events()))
    assert [(event.step, event.tokens) for event in found] == [(0, 24), (4, 24), (8, 24), (8, 0)]
    assert (found[-1].best_step, found[-1].best_loss) == (0, 1.05)
    assert "the best was 1.0500" in training.evaluations.ends_early


def test_a_stop_reads_all(control: Control) -> None:
    training = training_of(small_training(steps=1000, evaluate_every=5, evaluation_tokens=20), control)
    events: list[TrainingEvent] = []
    for event in training.events():
        events.append(event)
        if isinstance(event, Sample) and event.step == 5:
            control.send("stop")
    assert [(event.step, event.tokens) for event in evaluations(events)] == [(0, 24), (5, 24), (5, 0)]
    assert len([event for event in events if isinstance(event, Sample)]) == 2


def test_a_run_from_before_goes_on_as_it_began() -> None:
    first = training_of(small_training(steps=8))
    next(event for event in first.events() if isinstance(event, Step) and event.step == 3)
    state = copied(first.state())
    for name in ("best_tokens", "best_part", "train_loss", "whole", "evaluation_tokens", "best"):
        state.pop(name, None)
        (state["good"] or {}).pop(name, None)
    second = training_of(small_training(steps=8, evaluation_tokens=20))
    second.load_state(state)
    assert [event.tokens for event in evaluations(list(second.events()))] == [0, 0]


def test_a_loss_that_was_wished_for_ends_it() -> None:
    training = training_of(small_training(steps=200, evaluate_every=10, stop_at_loss=2.0))
    events = list(training.events())
    assert 0 < training.step < 200
    *before, last = [event.validation_loss for event in evaluations(events)]
    assert last <= 2.0 < min(before)
    assert "has reached the 2 that was asked for" in training.evaluations.ends_early


def test_a_rate_that_is_too_high_is_said_as_such() -> None:
    settings = small_training(steps=200, learning_rate=1.0, optimizer="adamw", gradient_clip=0.0, sample_tokens=20)
    training = training_of(settings)
    with torch.no_grad():
        for parameter in training.model.parameters():
            parameter.mul_(1e20)
    with pytest.raises(RunError) as caught:
        list(training.events())
    assert "learning_rate 0.25 or less" in caught.value.hint


@pytest.mark.parametrize("every", [0, 7])
def test_evaluations_are_spaced(every: int) -> None:
    steps = [
        event.step for event in evaluations(list(training_of(small_training(steps=40, evaluate_every=every)).events()))
    ]
    assert steps[0] == 0
    assert steps[-1] == 40
    gaps = {later - earlier for earlier, later in itertools.pairwise(steps[:-1])}
    assert len(gaps) <= 1
    assert gaps == {7} if every else 5 <= len(steps) <= 26


@pytest.mark.parametrize("wanted", ["gpu", "", "cpu:x"])
def test_a_device_that_is_none(wanted: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_device(wanted)
    assert caught.value.hint


def test_devices() -> None:
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no cuda"):
            choose_device("cuda")
    assert device_random(CPU) is None
    set_device_random(CPU, None)


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UsageError, match="no cuda:2"):
        choose_device("cuda:2")


def test_a_large_split_is_judged_by_a_part_that_says_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation_plan, "MOST_JUDGED", 40)
    training = training_of(small_training(steps=12, evaluation_tokens=20))
    *way, last = evaluations(list(training.events()))
    assert {event.tokens for event in way} == {24}
    assert 40 <= last.tokens < len(training.corpus.validation)
    assert last.tokens == last.best_tokens
    assert last.part_loss is not None
    assert training.complete
    assert f"final one reads {last.tokens}" in training.evaluations.reads
    again = training_of(small_training(steps=12, evaluation_tokens=20))
    again.load_state(copied(training.state()))
    assert evaluations(list(again.events())) == []  # nothing is left to do


def test_an_evaluation_that_takes_long_tells_its_progress_and_ends_soon_after_a_stop(
    monkeypatch: pytest.MonkeyPatch, control: Control
) -> None:
    monkeypatch.setattr(evaluate, "TOKENS_AT_ONCE", 8)
    clock = itertools.count(0.0, 0.08)  # each look at it is that much later
    monkeypatch.setattr(commands.time, "monotonic", lambda: next(clock))
    settings = small_training(steps=4, evaluation_tokens=20)
    training = training_of(settings, control)
    events: list[TrainingEvent] = []
    for event in training.events():
        events.append(event)
        if isinstance(event, Progress) and event.step == 4:
            control.send("stop")  # in the final evaluation
    shares = [event.share for event in events if isinstance(event, Progress) and event.step == 4]
    assert shares
    assert shares == sorted(shares)
    assert max(shares) < 0.9  # it did not go to the end
    last = evaluations(events)[-1]
    assert (last.step, last.tokens, last.best_tokens) == (4, 24, 24)
    assert not training.complete
    assert not [event for event in events if isinstance(event, Sample) and event.step == 4]

    rest = training_of(settings)
    rest.load_state(copied(training.state()))
    (whole,) = evaluations(list(rest.events()))
    straight = evaluations(list(training_of(settings).events()))[-1]
    assert (whole.validation_loss, whole.tokens) == (straight.validation_loss, 0)
    assert (whole.best_step, whole.best_loss) == (straight.best_step, straight.best_loss)
