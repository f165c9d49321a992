"""A text against what its model was trained on: found, missing, changed, too large; read once; stopped at a step."""

from __future__ import annotations

from pathlib import Path

import pytest
from makers import TEXT, make_model, make_run

from tinygpt_tui.events.generation import CopiedPassage, GenerationEnded, TextChecked
from tinygpt_tui.events.requests import CheckText
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.workers import text_checks
from tinygpt_tui.workers.text_checks import TextChecks


def check(request: CheckText, checks: TextChecks | None = None) -> TextChecked:
    *events, ended = (checks or TextChecks()).job(request)
    assert isinstance(ended, GenerationEnded)
    assert ended.reason == "length"
    found = events[-1]
    assert isinstance(found, TextChecked)
    assert found.done == 1
    return found


def text_of(run: RunFolder) -> Path:
    return Path(run.read_settings().corpus.path)


def test_it_says_what_is_copied_known_and_repeated() -> None:
    run = make_run(text="lines before\n" + TEXT)
    prompt, written = "the ca", "t sat on the big mat. A zebra runs. " * 2 + "cut of"
    found = check(CheckText(str(run.model), prompt + written, len(prompt)))
    assert found.source == "cat"
    assert not found.missing
    assert (found.loop_start, found.loop_period) == (0, 0)
    # The word that the prompt began is whole; the last one may be cut off and does not count.
    assert (found.words, found.known_words) == (6 + 3 + 6 + 3 + 1, 6 + 5)
    assert found.unknown == ("A", "zebra", "runs", "t", "cut")
    assert found.longest == CopiedPassage(6, 6 + len("t sat on the big mat."), 2)
    assert found.copied[0] == (6, 6 + len("t sat on the big mat."))
    looping = check(CheckText(str(run.model), "a cat " * 9))
    assert (looping.loop_start, looping.loop_period) == (0, 6)


def test_the_validation_split_is_no_training_text() -> None:
    run = make_run(text=TEXT + "zebras are never trained on, not even at the end")
    found = check(CheckText(str(run.model), "zebras are never trained on. "))
    assert found.longest is None
    assert found.unknown == ("zebras", "are", "never", "trained")


def test_where_there_is_no_training_text_it_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_model(tmp_path / "net")
    missing = check(CheckText(str(tmp_path / "net"), "a " * 20)).missing
    assert missing == "the training text of this model is not known"
    run = make_run()
    request = CheckText(str(run.model), "the cat sat on the mat " * 4, quick=True)
    monkeypatch.setattr(text_checks, "QUICK", 10)
    assert check(request).missing == "cat is large (3.6 kB)"
    monkeypatch.setattr(text_checks, "LARGEST", 10)
    assert check(request).missing == "cat is larger than 10 bytes"
    text_of(run).unlink()
    found = check(request)
    assert found.missing == "the training text, cat, is not on this machine"
    assert found.loop_period == len("the cat sat on the mat ")


def test_the_text_is_read_once_and_a_stop_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    checks, run = TextChecks(), make_run()
    request = CheckText(str(run.model), "the cat sat on the big mat")
    first = check(request, checks)
    text_of(run).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(text_checks, "places_of", lambda corpus: [])
        assert check(request, checks) == first
    job = checks.job(request)
    events = iter(job)
    assert isinstance(next(events), TextChecked)
    job.stop()
    (ended,) = events
    assert isinstance(ended, GenerationEnded)
    assert ended.reason == "stopped"
