"""A report of a run on one page: as Markdown, and as a picture; no torch."""

from __future__ import annotations

import time
from io import StringIO
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from tinygpt_tui import platforms
from tinygpt_tui.charts.chart import LossChart
from tinygpt_tui.charts.data import BLUE, ORANGE, Level, Series
from tinygpt_tui.charts.export import export_svg
from tinygpt_tui.errors import NotFoundError, TinyGPTError
from tinygpt_tui.runs.differences import changed_from
from tinygpt_tui.runs.distilled import WRITTEN
from tinygpt_tui.runs.facts import Reached, RunFacts, read_facts
from tinygpt_tui.runs.folder import RunFolder, RunSettings, StartingModel
from tinygpt_tui.runs.history import RunHistory, SampleText
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.settings.architecture import CHANGES_NO_WEIGHT
from tinygpt_tui.settings.fields import fields_of, written
from tinygpt_tui.settings.presets import find_preset
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.words import duration, loss_words, printable

WIDTH, CHART_HEIGHT, PICTURE_HEIGHT = 100, 22, 44
SAMPLE_LINES, SAMPLE_LENGTH = 6, 400
# Decided by the machine, not by the user.
OF_A_MACHINE = frozenset({"device", "threads", "precision", "compile", "vocab_size", "architecture", "name"})


class RunReport:
    """Everything on the page about a run; both of its forms are made from it."""

    def __init__(self, run: RunFolder) -> None:
        """Read a run. Raises NotFoundError, RunError."""
        self.settings: RunSettings = run.read_settings()
        facts = read_facts(run)
        if facts is None:
            raise NotFoundError(f"{run.model.name} is gone", "`tinygpt-tui runs` lists the runs")
        self.facts: RunFacts = facts
        self.name = run.model.name
        self.history = RunHistory(self.settings.training.steps, self.settings.training.evaluate_every)
        self.history.add(read_journal(run.events))

    def rows(self) -> list[tuple[str, str]]:
        """Return the facts of the run, a name and a value each."""
        card, reached, corpus = self.facts.card, self.facts.reached, self.settings.corpus
        best = "not measured" if reached.best_loss is None else f"{_loss(reached)} at step {reached.best_step:,}"
        part = self.history.read_words(reached.best_tokens)
        read = f"{part} of" if part else "the whole of"
        of = f" of {card.steps:,}" if card.steps != card.step else ""
        text = f"{corpus.name}, {corpus.characters:,} characters" if corpus.characters else corpus.name
        started = self.history.started
        where = f"{self.settings.machine}, {started.device}" if started else self.settings.machine
        rows = [
            ("state", f"{card.state}, {card.step:,}{of} steps"),
            ("best validation loss", f"{best} (nats per character, over {read} the validation split)"),
            ("parameters", f"{reached.parameters:,}" if reached.parameters else "not known"),
            ("text", text),
            ("preset", card.preset or "none"),
            ("time spent", duration(reached.elapsed_s)),
            ("started", time.strftime("%Y-%m-%d %H:%M", time.localtime(card.created))),
            ("machine", where or "not known"),
        ]
        if words := self.history.calibration_words:
            rows.insert(2, ("calibrated", words))
        if words := self.history.old_text_words:
            rows.append(("before and after", words))
        start = self.settings.start.words if self.settings.start else ""
        origins = (("started from", start), ("distilled from", self.settings.teachers_words))
        return [*rows[:3], *((title, words) for title, words in origins if words), *rows[3:]]

    def command(self) -> str:
        """Return the command that starts the same run again."""
        preset, start, corpus = self.settings.preset, self.settings.start, self.settings.corpus
        if start is not None:
            return self._command_from(start)
        try:
            default = find_preset(preset).training
        except TinyGPTError:
            default, preset = TrainingSettings(), ""
        text = corpus.path if corpus.name == WRITTEN else corpus.name
        words = ["tinygpt-tui", "train", "--corpus", text, "--name", f"{self.name}-again"]
        words += ["--preset", preset] if preset else []
        for teacher in self.settings.teachers:
            words += ["--teacher", teacher.name]
        for name, value in changed_from(self.settings.training, default).items():
            if name not in OF_A_MACHINE:
                words += [f"--{name.replace('_', '-')}", value]
        return platforms.command_line(*words)

    def _command_from(self, start: StartingModel) -> str:
        """Return the command for a run that starts from a model, which decides the architecture and has its own recipe.

        So every setting of the training is given.
        """
        words = ["tinygpt-tui", "train", "--from", start.name, "--corpus", self.settings.corpus.name]
        words += ["--name", f"{self.name}-again"]
        for teacher in self.settings.teachers:
            words += ["--teacher", teacher.name]
        training = self.settings.training
        chosen = {name: getattr(training, name) for name in fields_of(TrainingSettings) if name not in OF_A_MACHINE}
        net = fields_of(type(training.architecture))
        chosen |= {name: getattr(training.architecture, name) for name in net if name in CHANGES_NO_WEIGHT}
        for name, value in chosen.items():
            words += [f"--{name.replace('_', '-')}", written(value)]
        return platforms.command_line(*words)

    def samples(self) -> list[SampleText]:
        """Return the first, a middle and the last sample, as far as they exist."""
        found = self.history.samples
        return list(
            {
                sample.step: sample
                for sample in (found[:1] + found[len(found) // 3 : len(found) // 3 + 1] + found[-1:])
            }.values()
        )

    def chart(self, height: int = CHART_HEIGHT) -> LossChart:
        history, entropy = self.history, self.settings.corpus.entropy
        return LossChart(
            series=(
                Series("train", *history.losses, style=BLUE),
                Series("validation", *history.validation_losses, style=ORANGE, kind="points"),
            ),
            levels=() if entropy is None else (Level("entropy of the grammar", entropy),),
            best=history.best,
            smoothing=0.9,
            y_label="loss, nats per character",
            width=WIDTH,
            height=height,
        )

    def as_markdown(self) -> str:
        """Return the page as Markdown."""
        parts = [f"# {printable(self.name, lines=False)}"]
        if self.facts.notes.strip():
            parts.append("\n".join(f"> {printable(line)}" for line in self.facts.notes.strip().splitlines()))
        parts.append("| | |\n|---|---|\n" + "\n".join(f"| {name} | {_cell(value)} |" for name, value in self.rows()))
        parts += ["## Loss", _fenced(_plain(self.chart()))]
        if samples := self.samples():
            parts.append("## Samples during training\n\nAlways with the same random numbers.")
            parts += [f"Step {sample.step:,}:\n\n{_fenced(_shortened(sample.text))}" for sample in samples]
        parts += ["## Again", _fenced(self.command())]
        parts.append("Made with tinygpt-tui.")
        return "\n\n".join(parts) + "\n"

    def as_svg(self) -> str:
        """Return the page as a picture."""
        facts = Text("\n").join(
            Text.assemble((f"{name:<22}", "bold"), printable(value, lines=False)) for name, value in self.rows()
        )
        parts: list[RenderableType] = [facts, Text(), self.chart(), Text()]
        if self.facts.notes.strip():
            parts.insert(0, Padding(Text(printable(self.facts.notes.strip()), style="italic"), (0, 0, 1, 0)))
        for sample in self.samples()[-1:]:
            parts.append(Text(f"step {sample.step:,} writes", style="bold"))
            parts.append(Text(_shortened(sample.text)))
        return export_svg(Group(*parts), WIDTH, PICTURE_HEIGHT, self.name)


def suffix_of(path: Path) -> str:
    """Return the form for a file's name: `.svg` for the picture, anything else for Markdown."""
    return ".svg" if path.suffix.lower() == ".svg" else ".md"


def _plain(chart: LossChart) -> str:
    console = Console(file=StringIO(), width=WIDTH, color_system=None, legacy_windows=False, _environ={})
    with console.capture() as captured:
        console.print(chart, height=CHART_HEIGHT)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _shortened(text: str) -> str:
    lines = printable(text)[:SAMPLE_LENGTH].strip("\n").splitlines()[:SAMPLE_LINES]
    return "\n".join(line[: WIDTH - 2] for line in lines)


def _fenced(text: str) -> str:
    fence = "`" * max(3, max((len(run) for run in _backticks(text)), default=0) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _backticks(text: str) -> list[str]:
    return ["`" * len(run) for run in "".join(sign if sign == "`" else " " for sign in text).split()]


def _loss(reached: Reached) -> str:
    return loss_words(reached.best_loss or 0.0, 0, characters_per_token=reached.characters_per_token)


def _cell(text: str) -> str:
    return printable(text.replace("\n", " ")).replace("|", "\\|")
