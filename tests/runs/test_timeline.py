"""When moments are due, which there are, and which give way."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tinygpt_tui.errors import NotFoundError
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.timeline import MOST, affordable, keep_to, list_moments, nearest, path_of, planned, thinned


def run_with(tmp_path: Path, *steps: int) -> RunFolder:
    run = RunFolder(tmp_path / "cat")
    run.timeline.mkdir(parents=True)
    for step in steps:
        path_of(run, step).write_bytes(b"weights")
    return run


def steps_of(run: RunFolder) -> list[int]:
    return [moment.step for moment in list_moments(run)]


@pytest.mark.parametrize("steps", [1, 7, 39, 40, 600, 6000, 10_000_000])
def test_the_plan_goes_from_the_first_step_to_the_last(steps: int) -> None:
    plan = planned(steps)
    assert plan[0] == 0
    assert plan[-1] == steps
    assert len(plan) == min(MOST, steps + 1)
    assert list(plan) == sorted(set(plan))


def test_the_plan_lies_closer_at_the_start() -> None:
    plan = planned(6000)
    gaps = [later - earlier for earlier, later in pairwise(plan)]
    assert gaps[0] <= 3
    assert gaps[-1] > 500
    # From step to step about the same stretch of a log axis.
    ratios = [(later + 10) / (earlier + 10) for earlier, later in pairwise(plan[8:])]
    assert max(ratios) / min(ratios) < 1.05


def test_room_decides_how_many() -> None:
    assert affordable(250_000_000, 1_600_000) == MOST
    assert affordable(250_000_000, 21_600_000) == 11
    assert affordable(0, 10) == 0
    assert planned(6000, 0) == ()
    assert planned(6000, 1) == (0,)
    assert planned(6000, 3) == (0, 235, 6000)


def test_moments_are_listed_by_step_and_strange_files_are_not(tmp_path: Path) -> None:
    run = run_with(tmp_path, 500, 0, 12_345_678)
    (run.timeline / "notes.txt").write_text("mine", encoding="utf-8")
    assert steps_of(run) == [0, 500, 12_345_678]
    assert steps_of(RunFolder(tmp_path / "dog")) == []


def test_the_nearest_moment(tmp_path: Path) -> None:
    run = run_with(tmp_path, 0, 500, 700)
    assert nearest(run, 500).step == 500
    assert nearest(run, 600).step == 500
    assert nearest(run, 601).step == 700
    assert nearest(run, 10**9).step == 700
    with pytest.raises(NotFoundError, match="has no snapshots"):
        nearest(RunFolder(tmp_path / "dog"), 1)


def test_what_lies_beyond_a_state_and_half_files_go(tmp_path: Path) -> None:
    run = run_with(tmp_path, 0, 10, 20, 30)
    half = run.timeline / ".step-0000040.safetensors.x1.part"
    half.write_bytes(b"wei")
    keep_to(run, 20, 40)
    assert steps_of(run) == [0, 10, 20]
    assert not half.exists()
    keep_to(run, 20, 2)
    assert steps_of(run) == [0, 20]
    keep_to(run, 20, 0)
    assert steps_of(run) == []


def test_thinning_keeps_the_ends_and_spreads_the_rest() -> None:
    plan = list(planned(6000))
    few = thinned(plan, 12)
    assert len(few) == 12
    assert (few[0], few[-1]) == (0, 6000)
    assert thinned(plan, 40) == plan
    assert thinned(plan, 1) == [6000]
    assert thinned([0, 100, 101, 102, 5000], 4) in ([0, 100, 102, 5000], [0, 100, 101, 5000], [0, 101, 102, 5000])
