"""The checks of a device pass on one that works, and fail, with a reason, on one that does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from pretended import AVAILABLE, pretended_device

from tinygpt_tui.measuring import device_checks
from tinygpt_tui.measuring.device_checks import CHECKS, CPU, NAMES, Bench, run_check
from tinygpt_tui.measuring.device_report import LIMITS, CheckResult
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.training.loop import Training


def result(name: str, bench: Bench) -> CheckResult:
    *before, last = run_check(name, bench)
    assert last.result is not None
    assert all(message.so_far is not None for message in before)
    return last.result


def test_every_check_has_a_limit_and_every_architecture_a_preset() -> None:
    assert list(CHECKS) == list(LIMITS)
    nets = {type(ALL_PRESETS[name].training.architecture) for name in NAMES}
    plain = [preset.training for preset in ALL_PRESETS.values() if preset.training.windows != "pairs"]
    assert nets == {type(training.architecture) for training in plain}


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    if not AVAILABLE:
        pytest.skip("needs a run of its own: make test-pretended-device")
    monkeypatch.setattr(device_checks, "NAMES", ("modern", "bigram"))
    with pretended_device(monkeypatch) as device:
        yield Bench(device, quick=True)


def test_a_device_that_works(pretended: Bench) -> None:
    for name in ("losses", "generation"):
        found = result(name, pretended)
        assert found.status == "passed", found
    assert result("syncs", pretended).status == "skipped"


def test_a_device_with_wrong_numbers(pretended: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    take = device_checks.steps

    def off(training: Training, count: int) -> list[float]:
        return [loss + 0.01 * (training.device != CPU) for loss in take(training, count)]

    monkeypatch.setattr(device_checks, "steps", off)
    found = result("losses", pretended)
    assert found.status == "failed"
    assert "from the processor's" in found.words
    assert found.found["modern"] == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_no_number_is_no_small_difference(number: float, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([[1.0, 2.0], [1.0, number]] * 99)
    monkeypatch.setattr(device_checks, "steps", lambda training, count: next(losses))
    monkeypatch.setattr(Bench, "training", lambda *_, **__: None)
    assert result("losses", Bench(CPU, quick=True)).status == "failed"


def test_a_state_that_is_not_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Training, "load_state", lambda self, state: None)
    found = result("resume", Bench(CPU, quick=True))
    assert found.status == "failed"
    assert "after a saved state" in found.words


def test_what_nobody_expected_has_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(device_checks, "steps", fail)
    found = result("losses", Bench(CPU, quick=True))
    assert (found.status, found.words) == ("failed", "RuntimeError: no kernel image is available")
    assert "no kernel image" in "".join(found.found["traceback"])


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU whose memory ends: it is said in words, the limit is lifted, and the next training works."""
    limits: list[float] = []
    take = device_checks.steps

    def short(training: Training, count: int) -> list[float]:
        if training.settings.batch_size > 1000:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return take(training, count)

    monkeypatch.setattr(device_checks, "steps", short)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1 << 30, 4 << 30))
    for name in ("empty_cache", "memory_reserved"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: 0)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda share, device: limits.append(share))
    make = Bench.training
    monkeypatch.setattr(Bench, "training", lambda self, name, **changes: make(self, name, CPU, **changes))
    found = result("memory", Bench(torch.device("cuda"), quick=True))
    assert found.status == "passed", found
    assert "batch_size" in found.words
    assert limits == [pytest.approx(1 / 16), 1.0]
