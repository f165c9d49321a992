"""Checks of a device are watched: one that fails, hangs or crashes does not end the others."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tinygpt_tui.cli import check_device
from tinygpt_tui.cli.main import run as tinygpt
from tinygpt_tui.errors import ExitCode, UsageError
from tinygpt_tui.measuring.device_report import LIMITS, DeviceReport
from tinygpt_tui.workers import device_check
from tinygpt_tui.workers.device_check import DeviceCheck

pytestmark = pytest.mark.torch

# Stands in for the checks: each does what its place in the table says.
SCRIPT = """
import os, sys, threading
from tinygpt_tui.measuring.device_report import CheckResult, DeviceFacts, Message
import msgspec
def send(message):
    os.write(1, msgspec.json.encode(message) + b"\\n")
def told(name, status, words):
    return CheckResult(name=name, status=status, seconds=0.1, words=words, found={"so": "far"})
device, quick, *checks = sys.argv[1:]
if device == "none":
    send(Message(error=("this machine has no none", "choose cpu")))
    sys.exit(2)
if device == "broken":
    sys.exit("cannot import torch")
send(Message(facts=DeviceFacts(device=device, name="a device", memory_bytes=1e9, versions={}, system="s")))
for check in checks:
    name = check.partition("=")[0]
    send(Message(so_far=told(name, "failed", "on its way")))
    if name == "bf16" and device == "odd":
        send(Message(result=told(name, "failed", "far from fp32")))
        sys.exit(1)
    if name == "resume" and device == "odd":
        threading.Event().wait()
    if name == "syncs" and device == "odd":
        print("something broke", file=sys.stderr)
        os._exit(7)
    send(Message(result=told(name, "passed", "well")))
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that pretends to check."""
    (tmp_path / "fake_device_checks.py").write_text(SCRIPT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "fake_device_checks"


def test_each_check_stands_alone(fake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(device_check.LIMITS, "resume", 2.0)
    check = DeviceCheck("odd", module=fake)
    results = {result.name: result for result in check.results()}
    assert list(results) == list(LIMITS)
    assert [name for name, result in results.items() if result.status == "failed"] == ["bf16", "resume", "syncs"]
    assert results["bf16"].words == "far from fp32"
    assert results["resume"].words == "it took longer than 2 s"
    assert results["resume"].found == {"so": "far"}
    assert results["syncs"].words == "its process ended with exit code 7 (something broke)"
    report = check.report()
    assert (report.passed, report.facts.name) == (False, "a device")


def test_all_is_well(fake: str) -> None:
    check = DeviceCheck("fine", module=fake)
    assert all(result.status == "passed" for result in check.results())
    assert check.report().passed


def test_what_cannot_be_started_is_not_tried_eight_times(fake: str) -> None:
    check = DeviceCheck("broken", module=fake)
    first, *others = check.results()
    assert "cannot import torch" in first.words
    assert [result.name for result in (first, *others)] == list(LIMITS)
    assert not check.report().passed


def test_a_missing_device_and_no_time(fake: str) -> None:
    with pytest.raises(UsageError, match="no none"):
        list(DeviceCheck("none", module=fake).results())
    late = list(DeviceCheck("fine", module=fake, total_s=0.0).results())
    assert [result.words for result in late] == ["no time was left for it"] * len(LIMITS)


def test_the_exit_code_says_whether_all_passed(
    fake: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(device_check.LIMITS, "resume", 2.0)
    monkeypatch.setattr(device_check, "MODULE", fake)
    file = tmp_path / "report.json"
    assert tinygpt(["check-device", "--device", "odd", "--json", str(file)]) == ExitCode.UNEXPECTED
    said = capsys.readouterr().out
    assert "3 of 8 checks failed" in said
    report = msgspec.json.decode(file.read_bytes(), type=DeviceReport)
    assert not report.passed
    assert check_device.in_words(report) == said
    assert tinygpt(["check-device", "--device", "fine"]) == ExitCode.OK
    assert tinygpt(["check-device", "--device", "none"]) == ExitCode.USAGE


@pytest.mark.slow
def test_on_the_processor(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The real thing, in its quick form."""
    file = tmp_path / "report.json"
    assert tinygpt(["check-device", "--device", "cpu", "--quick", "--json", str(file)]) == ExitCode.OK
    report = msgspec.json.decode(file.read_bytes(), type=DeviceReport)
    assert report.passed
    assert {check.name for check in report.checks if check.status == "skipped"} == {"syncs", "memory", "two_processes"}
    assert "all checks passed" in capsys.readouterr().out
