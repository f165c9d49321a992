"""tinygpt-tui doctor: find what is wrong with a run, or with a text before training on it."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from tinygpt_tui.cli.flags import add_corpus_flags
from tinygpt_tui.cli.output import notify, write, write_data
from tinygpt_tui.errors import TinyGPTError, UsageError
from tinygpt_tui.events.training import Finding
from tinygpt_tui.packages import ONE_BATCH, import_torch
from tinygpt_tui.settings.presets import ALL_PRESETS, DEFAULT_PRESET, find_preset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="name of a run, as `tinygpt-tui runs` lists it")
    add_corpus_flags(parser, required=False, words="check a text instead of a run:")
    parser.add_argument(
        "--preset", default=DEFAULT_PRESET, help=f"with --corpus: {', '.join(ALL_PRESETS)} (default: {DEFAULT_PRESET})"
    )
    parser.add_argument(
        "--one-batch", action="store_true", help="test whether the model can overfit a single batch (needs torch)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    """Print the findings, most severe first. Raises UsageError, NotFoundError, CorpusError."""
    if bool(arguments.name) == bool(arguments.corpus):
        raise UsageError("doctor needs either the name of a run or --corpus", "`tinygpt-tui runs` lists the runs")
    findings = _of_run(arguments.name, arguments.one_batch) if arguments.name else _of_corpus(arguments)
    if arguments.json:
        write_data("".join(msgspec.json.encode(finding).decode() + "\n" for finding in findings))
    else:
        write("".join(_lines(finding) for finding in findings))
    return 0


def _of_run(name: str, one_batch: bool) -> list[Finding]:
    from tinygpt_tui.doctor.examination import examination_of, read_one_batch
    from tinygpt_tui.doctor.rounds import findings_of, verdict_words, worst_first
    from tinygpt_tui.runs.history import RunHistory
    from tinygpt_tui.runs.index import find_run
    from tinygpt_tui.runs.journal import read_journal
    from tinygpt_tui.workers.examiner import examine_run, try_one_batch

    run = find_run(name)
    settings = run.read_settings()
    history = RunHistory(settings.training.steps)
    history.add(read_journal(run.events))
    try:
        examination = examination_of(run, settings) or examine_run(run)
    except TinyGPTError as error:
        notify(f"the text could not be examined: {error.message}")
        examination = None
    start = settings.start.name if settings.start else ""
    findings = findings_of(history, settings.training, examination, start)
    tried = try_one_batch(run) if one_batch else read_one_batch(run)
    if words := verdict_words(history, examination, settings.corpus.entropy):
        notify(words)
    return worst_first([*findings, *([tried] if tried else []), *_sureness(run.model)])


def _sureness(model: Path) -> list[Finding]:
    """Return whether the model is as often right as it says, if its text is here and it has weights."""
    from tinygpt_tui.cli.reading import with_progress
    from tinygpt_tui.doctor.sureness import sureness_finding
    from tinygpt_tui.workers.calibrator import reliability_of

    try:
        found = with_progress(reliability_of(model), f"measuring how sure {model.name} is")
    except TinyGPTError as error:
        notify(f"how sure it is was not measured: {error.message}")
        return []
    return [sureness_finding(model.name, found.confidence, found.accuracy)]


def _of_corpus(arguments: argparse.Namespace) -> list[Finding]:
    from tinygpt_tui.cli.reading import encode, open_corpus, with_progress
    from tinygpt_tui.corpora.survey import surveying
    from tinygpt_tui.doctor.examination import examine
    from tinygpt_tui.doctor.rounds import worst_first
    from tinygpt_tui.doctor.survey import survey_findings

    training = find_preset(arguments.preset).training
    entry, text = open_corpus(arguments)
    for note in text.notes:
        notify(note)
    survey = with_progress(surveying(text, training.validation_share), "looking at the text")
    corpus = encode(text, training)
    examination = examine(text, corpus)
    if floors := ", ".join(f"{floor.name} {floor.loss:z.3f}" for floor in examination.floors):
        notify(f"baselines in nats per character: {floors} ({examination.smoothing})")
    findings = [*survey_findings(survey, own=entry.own), *examination.findings]
    if arguments.one_batch:
        import_torch(ONE_BATCH)
        from tinygpt_tui.doctor.one_batch import one_batch_finding

        architecture = msgspec.structs.replace(training.architecture, vocab_size=corpus.tokenizer.size)
        findings.append(one_batch_finding(msgspec.structs.replace(training, architecture=architecture), corpus))
    return worst_first(findings)


def _lines(finding: Finding) -> str:
    from tinygpt_tui.doctor.rounds import SIGNS, left_out_by, remedy_in_words

    text = f"{SIGNS[finding.level]} {finding.text}\n"
    if finding.why:
        text += f"    {finding.why}\n"
    if finding.remedy or left_out_by(finding):
        text += f"    try: {remedy_in_words(finding)}\n"
    return text
