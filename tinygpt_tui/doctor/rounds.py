"""The doctor's rounds: everything that can be said of a run, the worst first."""

from __future__ import annotations

from collections.abc import Iterable

from tinygpt_tui.doctor.curves import curve_findings
from tinygpt_tui.doctor.examination import Examination
from tinygpt_tui.doctor.verdict import verdict_of
from tinygpt_tui.events.training import Finding
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.settings.training import TrainingSettings

LEVELS = ("bad", "warning", "hint", "fine")
# Among findings of one level: what spoils a run, then what spoils its figures, then what costs time.
ORDER = ("rate", "overfitting", "stuck", "initial-loss", "windows", "one-batch", "repetition", "split", "step-size")
SIGNS = {"bad": "✗", "warning": "!", "hint": "·", "fine": "✓"}


def findings_of(
    history: RunHistory, settings: TrainingSettings, examination: Examination | None, start: str = ""
) -> list[Finding]:
    """Return what the curves, the trainer and the text say, the worst first, one finding for each check.

    `start` is the name of the model that the run started from, where it did.
    """
    found: dict[str, Finding] = {}
    for finding in examination.findings if examination else []:
        found[finding.check] = finding
    floors = examination.floors if examination else []
    for finding in [*curve_findings(history, settings, floors, start), *history.findings.values()]:
        found[finding.check] = finding
    return worst_first(found.values())


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in the order in which they matter."""

    def weight(finding: Finding) -> tuple[int, int]:
        return LEVELS.index(finding.level), ORDER.index(finding.check) if finding.check in ORDER else len(ORDER)

    return sorted(findings, key=weight)


def verdict_words(history: RunHistory, examination: Examination | None, entropy: float | None) -> str:
    """Say where a run stands, as a sentence; empty where there is nothing to say."""
    said = verdict_of(history, examination.floors if examination else [], entropy).text
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def summary(findings: list[Finding]) -> str:
    """Say in a few words how a run is."""
    wrong = [finding for finding in findings if finding.level != "fine"]
    if not findings:
        return "nothing to see yet"
    if not wrong:
        return "all is well"
    return f"{len(wrong)} to look at, {len(findings) - len(wrong)} fine" if len(wrong) < len(findings) else "look at it"


def changes_in_words(remedy: dict[str, str]) -> str:
    """Say which settings a remedy changes."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in remedy.items())


def remedy_in_words(finding: Finding, before: bool = False) -> str:
    """Say what would help, where something would; `before` the training has begun its settings can be changed."""
    if finding.remedy:
        changes = changes_in_words(finding.remedy)
        return f"put {changes} into the form" if before else f"a new training with {changes}"
    if finding.action == "try-one-batch":
        return "try it: it takes a few seconds and leaves this run alone"
    return "look at the place in the text" if finding.place is not None else ""
