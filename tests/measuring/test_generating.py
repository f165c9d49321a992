"""The benchmark of generation on a net too small to say anything: its rounds, its ratios, its texts."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tinygpt_tui.errors import EngineError, UsageError
from tinygpt_tui.measuring import first_token, generating, pinned, texts
from tinygpt_tui.measuring.generating import GenerationBenchmark, Plan
from tinygpt_tui.measuring.report import Report, Row, Spread
from tinygpt_tui.measuring.sizes import BATCH, FULL, INSIDE, SIZES, find_sizes
from tinygpt_tui.measuring.variants import NAIVE, Nets

TINY = SIZES["tiny"]
PLAN = Plan(sizes=(TINY,), rounds=2, turn_s=0.0, text_tokens=40, model="")


@pytest.fixture(scope="module")
def report() -> Report:
    benchmark = GenerationBenchmark(PLAN)
    shares = [progress.share for progress in benchmark]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1
    return benchmark.report()


def test_every_way_has_its_rounds(report: Report) -> None:
    (size,) = report.sizes
    assert report.finished
    assert size.rounds == 2
    assert {row.where for row in size.rows} == {INSIDE, FULL, BATCH}
    for row in size.rows:
        assert len(row.speeds) == (0 if row.note else 2), row
    measured = {row.way for row in size.rows if row.where == FULL and row.speeds}
    assert {NAIVE, "torch, exact", "torch, reanchor", "torch, rolling"} <= measured


def test_ratios_are_those_of_each_round_to_its_own_base(report: Report) -> None:
    rows = {(row.where, row.way): row for row in report.sizes[0].rows}
    for (where, way), row in rows.items():
        if row.base is None or not row.speeds:
            continue
        base = rows[(INSIDE, way) if where == BATCH else (where, NAIVE)]
        ratios = sorted(mine / theirs for mine, theirs in zip(row.speeds, base.speeds, strict=True))
        assert row.ratio == Spread(sum(ratios) / 2, ratios[0], ratios[1])


def test_greedy_texts_are_naives(report: Report) -> None:
    texts = {found.way: found for found in report.sizes[0].texts}
    for found in texts.values():
        assert found.tokens == 40 > TINY.settings.block_size
        assert found.different > 1
        assert found.same or found.approximate
    assert texts["torch"].same


def test_the_report_is_one_json_object_that_reads_back(report: Report) -> None:
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


class LastIdEngine:
    """An engine of its own mind: writes the same id for ever."""

    context_used = 1
    window = "exact"

    def prefill(self, ids: Sequence[int]) -> NDArray[np.float32]:
        return self.step(0)

    def step(self, id: int) -> NDArray[np.float32]:
        logits = np.zeros(TINY.settings.vocab_size, dtype=np.float32)
        logits[5] = 1
        return logits

    def every(self, ids: Sequence[int]) -> NDArray[np.float32]:
        return np.stack([self.step(id) for id in ids])


def test_a_text_that_differs_is_told_with_its_place_and_how_close_it_was() -> None:
    nets = Nets(TINY)
    wanted = list(nets.naive.generate([1], 30, temperature=0))
    assert wanted.count(5) < 30
    found = texts.check(nets, [1], wanted, "wrong", LastIdEngine())  # type: ignore[arg-type]
    assert not found.same
    assert found.differs_at == next(place for place, id in enumerate(wanted) if id != 5)
    assert found.gap is not None
    assert found.gap > 0


def test_an_interrupted_benchmark_reports_what_was_measured() -> None:
    benchmark = GenerationBenchmark(PLAN)
    steps: Iterator[generating.Progress] = iter(benchmark)
    for progress in steps:
        if progress.words.endswith("round 2 of 2") and progress.detail.startswith("torch"):
            break
    steps.close()  # type: ignore[attr-defined]
    report = benchmark.report()
    assert not report.finished
    assert report.sizes[0].rounds == 1
    rows = {(row.where, row.way): row for row in report.sizes[0].rows}
    assert len(rows[INSIDE, NAIVE].speeds) == 2
    torch_row = rows[INSIDE, "torch"]
    assert len(torch_row.speeds) == 1
    assert torch_row.ratio is not None
    assert torch_row.ratio.median == torch_row.speeds[0] / rows[INSIDE, NAIVE].speeds[0]


def test_nothing_measured_yet_is_a_report_too() -> None:
    report = GenerationBenchmark(PLAN).report()
    assert report.sizes == ()
    assert not report.finished


def test_a_row_has_reached_what_is_wanted_only_where_all_of_it_is() -> None:
    two = Spread(2.0, 1.0, 3.0)
    row = Row(where=INSIDE, way="torch", tokens=1, ratio=two, wanted=2.0)
    assert row.met is True
    replace = msgspec.structs.replace
    assert replace(row, wanted=2.1).met is False
    assert replace(row, to_hugging_face=two, wanted_to_hugging_face=2.1).met is False
    assert replace(row, wanted=None).met is None
    assert replace(row, ratio=None).met is None


@pytest.mark.skipif(sys.platform != "linux", reason="the platform holds no process on a core")
def test_one_core_is_given_back() -> None:
    before = os.sched_getaffinity(0), torch.get_num_threads()
    with contextlib.suppress(KeyboardInterrupt), pinned.one_core() as core:
        assert os.sched_getaffinity(0) == {core}
        assert torch.get_num_threads() == 1
        raise KeyboardInterrupt
    assert (os.sched_getaffinity(0), torch.get_num_threads()) == before


def test_sizes_by_name() -> None:
    assert [size.name for size in find_sizes("M, S,M")] == ["M", "S"]
    for wrong in ("", "S,XL", "s"):
        with pytest.raises(UsageError):
            find_sizes(wrong)


def test_a_model_that_writes_nothing_is_told_in_a_line() -> None:
    with pytest.raises(EngineError, match="no-such-model wrote nothing: "):
        first_token.seconds_to_first("no-such-model", "torch")
