"""The benchmark of generation on a net too small to say anything: its rounds, its ratios, its texts."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest
import torch

from tinygpt_tui.errors import EngineError, UsageError
from tinygpt_tui.measuring import first_token, generating, pinned, texts
from tinygpt_tui.measuring.generating import GenerationBenchmark, Plan
from tinygpt_tui.measuring.llama_cpp import LlamaCpp
from tinygpt_tui.measuring.nets import Nets
from tinygpt_tui.measuring.report import Report, Row, Spread
from tinygpt_tui.measuring.sizes import BATCH, FULL, INSIDE, LLAMA, SIZES, find_sizes
from tinygpt_tui.measuring.variants import LLAMA_CPP, NAIVE, NATIVE, all_ways

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
    assert {row.where for row in size.rows} == {INSIDE, LLAMA, FULL, BATCH}
    for row in size.rows:
        assert len(row.speeds) == (0 if row.note else 2), row
    measured = {row.way for row in size.rows if row.where == FULL and row.speeds}
    assert {NAIVE, "torch, exact", "torch, reanchor", "torch, rolling"} <= measured


def test_ratios_are_those_of_each_round_to_its_own_base(report: Report) -> None:
    rows = {(row.where, row.way): row for row in report.sizes[0].rows}
    for (where, way), row in rows.items():
        if row.base is None or not row.speeds:
            continue
        base = rows[(INSIDE, way) if where == BATCH else (where, row.base)]
        ratios = sorted(mine / theirs for mine, theirs in zip(row.speeds, base.speeds, strict=True))
        assert row.ratio == Spread(sum(ratios) / 2, ratios[0], ratios[1])


def test_greedy_texts_are_naives(report: Report) -> None:
    texts = [found for found in report.sizes[0].texts if found.of == NAIVE]
    assert texts[0].way == "torch"
    for found in texts:
        assert found.tokens == 40 > TINY.settings.block_size
        assert found.different > 1
        assert found.same or found.approximate


def test_a_llamas_greedy_text_is_llama_cpps_or_the_table_says_why_there_is_none(report: Report) -> None:
    (size,) = report.sizes
    rows = {row.way: row for row in size.rows if row.where == LLAMA}
    texts = {found.way: found for found in size.texts if found.of == "llama.cpp"}
    assert rows.keys() == {*LLAMA_CPP.values(), *NATIVE.values()}
    if note := rows["llama.cpp"].note:
        assert note.startswith(("not installed", "llama.cpp does not run on this processor"))
        assert not texts
        return
    assert all(found.tokens == TINY.new and found.different > 1 for found in texts.values())
    if not rows["native"].note:
        assert texts["native"].same
        assert rows["native int8"].base == "llama.cpp Q8_0"


@pytest.mark.parametrize("package", ["xllamacpp", "gguf"])
def test_without_llama_cpp_its_rows_say_what_installs_it(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    nets = Nets(TINY)
    nets.start_llama_cpp()
    notes = {way.name: way.note for way in all_ways(nets) if way.where == LLAMA}
    for name in LLAMA_CPP.values():
        assert notes[name].startswith("not installed: ")
        assert "[bench]" in notes[name]
    assert list(texts.check_llamas(nets)) == []


@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="xllamacpp is not installed")
def test_a_llama_cpp_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "no.gguf").write_bytes(b"nothing")
    with pytest.raises(EngineError, match=r"^llama\.cpp ended: "):
        LlamaCpp(tmp_path / "no.gguf")


def test_the_report_is_one_json_object_that_reads_back(report: Report) -> None:
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_a_text_that_differs_is_told_with_its_place_and_how_close_it_was() -> None:
    reference = texts.naives(Nets(TINY), [1], 30)
    wanted = reference.ids
    assert wanted.count(5) < 30
    found = texts.check(reference, "wrong", [5] * 30)
    assert not found.same
    assert found.differs_at == next(place for place, id in enumerate(wanted) if id != 5)
    assert found.of == "naive"
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


def test_a_row_has_reached_what_is_wanted_or_not() -> None:
    two = Spread(2.0, 1.0, 3.0)
    row = Row(where=INSIDE, way="torch", tokens=1, ratio=two, wanted=2.0)
    assert row.met is True
    replace = msgspec.structs.replace
    assert replace(row, wanted=2.1).met is False
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
