"""How sure a model is, measured on its validation text."""

from __future__ import annotations

from makers import make_run

from tinygpt_tui.training.run import run_training
from tinygpt_tui.workers import reliability


def test_a_run_is_measured_on_its_validation_text_and_a_missing_text_is_a_problem() -> None:
    run = make_run(steps=4, evaluate_every=4)
    list(run_training(run.model))
    *shares, found = reliability.measuring(run.model)
    assert shares
    assert all(not share.tokens for share in shares)
    assert sum(found.tokens) > 0
    assert 0 < found.error < 1
    (run.model.parent.parent / "cat.txt").unlink()
    (missing,) = reliability.measuring(run.model)
    assert "cat" in missing.problem
