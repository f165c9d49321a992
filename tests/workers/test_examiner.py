"""A corpus is examined once, in a process of its own, and kept by its hash."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from makers import TEXT, make_run, split, wait_until

from tinygpt_tui.corpora.corpus import Corpus, CorpusText
from tinygpt_tui.doctor.examination import Examination, examination_of, examine, read_examination, run_path
from tinygpt_tui.errors import NotFoundError
from tinygpt_tui.paths import home
from tinygpt_tui.training.run import run_training
from tinygpt_tui.workers import examiner
from tinygpt_tui.workers.examiner import Examiner, examine_run, start_examiner


def test_it_is_done_in_another_process_and_found() -> None:
    run = make_run()
    start_examiner(run)
    wait_until(lambda: read_examination(run_path(run)) is not None)
    kept = examination_of(run, run.read_settings())
    assert kept == examine(CorpusText.of(TEXT), split(TEXT, 8, 0.1))
    assert [floor.name for floor in kept.floors][:3] == ["guessing", "unigram", "bigram"]


def test_it_is_done_once_for_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = make_run("one"), make_run("two")
    for _ in run_training(first.model):
        pass
    for _ in run_training(second.model):
        pass
    examine_run(first)
    monkeypatch.setattr(examiner, "examine", lambda text, corpus: pytest.fail("examined again"))
    assert examination_of(second, second.read_settings()) is not None
    examine_run(second)
    assert run_path(second).read_bytes() == run_path(first).read_bytes()


def test_of_two_views_of_a_run_only_one_examines_it(monkeypatch: pytest.MonkeyPatch) -> None:
    run, calls, meet = make_run("one"), [], threading.Barrier(2)

    def slowly(text: str, corpus: Corpus) -> Examination:
        calls.append(text)
        with contextlib.suppress(threading.BrokenBarrierError):
            meet.wait(0.3)  # until the other one is here, too, if it comes
        return examine(text, corpus)

    monkeypatch.setattr(examiner, "examine", slowly)
    with ThreadPoolExecutor(2) as views:
        first, second = views.map(examine_run, [run, run])
    assert first == second
    assert len(calls) == 1


def test_a_process_reports_its_findings_and_what_it_cannot_read() -> None:
    run = make_run()
    case = examiner.case_of(run)
    found = [*Examiner(case)]
    assert found == examine_run(run).findings
    missing = msgspec.structs.replace(case, corpus=msgspec.structs.replace(case.corpus, path="/nothing", sha256="0"))
    draft = msgspec.structs.replace(missing, run="")
    (problem,) = Examiner(draft)
    assert (problem.check, problem.level) == ("text", "bad")
    assert "not on this machine" in problem.text


def test_another_text_under_the_same_path_is_not_taken() -> None:
    run = make_run()
    for _ in run_training(run.model):
        pass
    (home() / "cat.txt").write_text(TEXT + "more", encoding="utf-8")
    with pytest.raises(NotFoundError):
        examine_run(run)


def test_a_damaged_file_is_none() -> None:
    run = make_run()
    run_path(run).write_bytes(b"{")
    assert examination_of(run, run.read_settings()) is None
    run_path(run).write_bytes(b'{"format": 99}')
    assert read_examination(run_path(run)) is None


def test_it_needs_no_torch() -> None:
    code = "import sys, tinygpt_tui.workers.examiner; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
