"""A training's checkpoints along the way: all there, of the right step, none twice and none stale."""

from __future__ import annotations

import numpy as np
import pytest
from makers import make_run, spoil_loss

from tinygpt_tui.checkpoints.snapshot import read_snapshot, read_stamp
from tinygpt_tui.events.training import Evaluation, RolledBack, Step, TrainingEvent
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.timeline import list_moments, path_of, planned
from tinygpt_tui.training.run import run_training


def steps_of(run: RunFolder) -> list[int]:
    return [moment.step for moment in list_moments(run)]


def contents(run: RunFolder) -> dict[int, dict[str, bytes]]:
    return {
        moment.step: {name: tensor.tobytes() for name, tensor in read_snapshot(moment.path).items()}
        for moment in list_moments(run)
    }


def train(run: RunFolder, stop_at: int | None = None) -> list[TrainingEvent]:
    events = []
    for event in run_training(run.model):
        events.append(event)
        if isinstance(event, Step) and event.step == stop_at:
            Control(run.control).send("stop")
    return events


def test_a_run_keeps_its_plan() -> None:
    run = make_run(steps=60, evaluate_every=20)
    events = train(run)
    assert steps_of(run) == list(planned(60))
    losses = {event.step: event.validation_loss for event in events if isinstance(event, Evaluation)}
    stamp = read_stamp(path_of(run, 60))
    assert (stamp.step, stamp.measured_at, stamp.validation_loss) == (60, 60, losses[60])
    assert read_stamp(path_of(run, 30)).measured_at == 20
    first, last = read_snapshot(path_of(run, 0)), read_snapshot(path_of(run, 60))
    assert any(not np.allclose(first[name], last[name], atol=1e-2) for name in first)


def test_killed_and_gone_on_it_is_as_if_nothing_had_been() -> None:
    straight = make_run("straight", dropout=0.2)
    train(straight)
    run = make_run("killed", dropout=0.2)
    train(run, stop_at=5)
    state = run.resume.read_bytes()
    train(run)
    run.resume.write_bytes(state)  # as if killed at the end, the state last saved at step 5
    path_of(run, 9).write_bytes(b"another run's")
    (run.timeline / ".step-0000007.safetensors.z.part").write_bytes(b"half")
    train(run)
    assert contents(run) == contents(straight)
    assert len(list(run.timeline.iterdir())) == len(steps_of(run))


def test_begun_anew_it_forgets_the_old_one() -> None:
    run = make_run(steps=6)
    train(run)
    run.resume.unlink()
    for event in run_training(run.model):
        if isinstance(event, Step) and event.step == 2:
            break
    assert steps_of(run) == [0, 1, 2] or steps_of(run) == [0, 1]


def test_what_was_beyond_a_step_back_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(steps=60, evaluate_every=20)
    spoil_loss(monkeypatch, 35)
    assert any(20 < step < 35 for step in planned(60))
    events = run_training(run.model)
    next(event for event in events if isinstance(event, RolledBack))
    next(event for event in events if isinstance(event, Step))
    assert steps_of(run) == [step for step in planned(60) if step <= 20]
    list(events)
    assert steps_of(run) == list(planned(60))


def test_a_run_that_is_stopped_keeps_where_it_ended_and_one_that_is_extended_goes_on() -> None:
    import msgspec

    run = make_run(steps=200, evaluate_every=50)
    train(run, stop_at=101)
    assert steps_of(run)[-1] == 101
    assert 101 not in planned(200)
    settings = run.read_settings()
    run.write_settings(
        msgspec.structs.replace(settings, training=msgspec.structs.replace(settings.training, steps=300))
    )
    train(run)
    there = steps_of(run)
    assert there[-1] == 300
    assert there == sorted(set(there))
    assert len([step for step in there if step > 101]) == len([step for step in planned(300) if step > 101])


@pytest.mark.parametrize("room", [0, 1])
def test_room_is_kept_to(room: int) -> None:
    run = make_run(timeline_mb=room, n_embd=128, n_layer=1, n_head=2, steps=8)
    train(run)
    assert run.timeline.exists() == bool(room)
    assert len(steps_of(run)) == 2 * room  # 0.4 MB each
    assert steps_of(run) == [0, 8][: 2 * room]
