"""Everything that the doctor finds in a run, the worst first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from tinygpt_tui.corpora.formats import LeftOut
from tinygpt_tui.doctor.curves import curve_findings
from tinygpt_tui.doctor.examination import Examination
from tinygpt_tui.doctor.verdict import verdict_of
from tinygpt_tui.events.training import Finding
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.settings.training import TrainingSettings

LEVELS = ("bad", "warning", "hint", "fine")
# Among findings of one level: what spoils a run, then what spoils its figures, then what costs time.
ORDER = (
    "rate",
    "overfitting",
    "stuck",
    "initial-loss",
    "windows",
    "one-batch",
    "repetition",
    "split",
    "calibration",
    "step-size",
)
LEFT_OUT: dict[str, LeftOut] = {f"leave-out-{kind}": kind for kind in get_args(LeftOut)}  # by actions
SIGNS = {"bad": "✗", "warning": "!", "hint": "·", "fine": "✓"}


def findings_of(
    history: RunHistory, settings: TrainingSettings, examination: Examination | None, start: str = ""
) -> list[Finding]:
    """Return the findings from curves, trainer and text, the worst first, one for each check.

    `start` is the name of the model that the run started from, if it did.
    """
    found: dict[str, Finding] = {}
    for finding in examination.findings if examination else []:
        found[finding.check] = finding
    floors = examination.floors if examination else []
    for finding in [*curve_findings(history, settings, floors, start), *history.findings.values()]:
        found[finding.check] = finding
    return worst_first(found.values())


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in order of importance."""

    def weight(finding: Finding) -> tuple[int, int]:
        return LEVELS.index(finding.level), ORDER.index(finding.check) if finding.check in ORDER else len(ORDER)

    return sorted(findings, key=weight)


def verdict_words(history: RunHistory, examination: Examination | None, entropy: float | None) -> str:
    """Return the state of a run as a sentence; empty if there is nothing to say."""
    text = verdict_of(history, examination.floors if examination else [], entropy).text
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def summary(findings: list[Finding]) -> str:
    """Return the state of a run in a few words."""
    wrong = [finding for finding in findings if finding.level != "fine"]
    if not findings:
        return "no findings yet"
    if not wrong:
        return "all fine"
    fine = len(findings) - len(wrong)
    return f"{len(wrong)} to look at" + (f", {fine} fine" if fine else "")


def changes_in_words(remedy: dict[str, str]) -> str:
    """Return which settings a remedy changes, in words."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in remedy.items())


def left_out_by(finding: Finding) -> LeftOut | None:
    """Return what a finding's action leaves out of the text; None if that is not its action."""
    return LEFT_OUT.get(finding.action)


def remedy_in_words(finding: Finding, before: bool = False) -> str:
    """Return what would help, if anything; `before` the run has started its settings can be changed."""
    if finding.remedy:
        changes = changes_in_words(finding.remedy)
        return f"set {changes} in the form" if before else f"start a new run with {changes}"
    if kind := left_out_by(finding):
        return "leave them out" if before else f"leave them out: --leave-out {kind}"
    if finding.action == "try-one-batch":
        return "try it: it takes a few seconds and leaves this run alone"
    return "look at the place in the text" if finding.place is not None else ""
