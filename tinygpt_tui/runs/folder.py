"""A model's run folder: its paths, and what was decided before the first step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from tinygpt_tui.errors import NotFoundError, RunError, StorageError, storage_error
from tinygpt_tui.events.training import Count, Time
from tinygpt_tui.files import write_bytes
from tinygpt_tui.reading import Damage, read_json
from tinygpt_tui.settings.training import Extension, TrainingSettings

K = TypeVar("K", bound=msgspec.Struct)
RunState = Literal["starting", "running", "paused", "finished", "stopped", "failed"]
LIVE: frozenset[str] = frozenset({"starting", "running", "paused"})


class CorpusReference(msgspec.Struct, frozen=True, kw_only=True):
    """The text that a run trains on, and its encoding, `auto` if none was given.

    `entropy` is its true entropy, nats per character, if known.
    """

    name: str
    path: str
    sha256: str = ""
    characters: int = 0
    entropy: float | None = None
    encoding: str = "auto"


class StartingModel(msgspec.Struct, frozen=True, kw_only=True):
    """The model whose weights a run starts from, or whose probabilities it learns, and what is known of it.

    The step of its weights, the size of its vocabulary, its text, and the share of that for validation.
    """

    name: str
    path: str
    step: int | None = None
    tokens: int = 0
    corpus: CorpusReference | None = None
    validation_share: float = 0.1

    @property
    def words(self) -> str:
        """Its name, and the step of its weights."""
        return self.name if self.step is None else f"{self.name}, step {self.step:,}"


class RunSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`run/settings.json`: every setting, resolved, and what else decides the result.

    The run starts from the weights of `start`, and learns the probabilities of `teacher` instead of the text's next
    tokens, averaged with those of `other_teachers`; None: neither.
    """

    format: int = 1
    name: str
    created: Time
    preset: str = ""
    corpus: CorpusReference
    training: TrainingSettings
    extensions: list[Extension] = []
    start: StartingModel | None = None
    teacher: StartingModel | None = None
    other_teachers: list[StartingModel] = []
    versions: dict[str, str] = {}
    machine: str = ""

    @property
    def teachers(self) -> list[StartingModel]:
        """All models whose probabilities the run learns."""
        return [self.teacher, *self.other_teachers] if self.teacher else []

    @property
    def teachers_words(self) -> str:
        """Their names, with the steps of their weights; empty if there is none."""
        return " and ".join(teacher.words for teacher in self.teachers)


class RunStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`run/status.json`: the trainer's last report. `pid_created` distinguishes a reused process number.

    So does `pid_since_boot`, if the platform has it (else 0), even if the clock is changed.
    """

    state: RunState
    step: Count
    steps: Count
    pid: Annotated[int, Meta(ge=0, lt=1 << 31)]
    pid_created: float
    pid_since_boot: float = 0.0
    time: Time
    message: str = ""


def steps_of(settings: RunSettings, earlier: RunStatus | None) -> int:
    """Return how many steps a run has in all, as far as known; `earlier` is its last trainer's status.

    For a timed run that is the last plan, not the guess in its settings: extending it builds on the plan.
    """
    by_plan = earlier is not None and earlier.step and settings.training.minutes
    return earlier.steps if by_plan and earlier is not None else settings.training.steps


@dataclass(frozen=True)
class RunFolder:
    """The paths inside `MODEL/run`; nothing is created."""

    model: Path

    @property
    def folder(self) -> Path:
        """The folder with everything about the run."""
        return self.model / "run"

    @property
    def settings(self) -> Path:
        """Every setting, resolved."""
        return self.folder / "settings.json"

    @property
    def status(self) -> Path:
        """The trainer's last report, written whole."""
        return self.folder / "status.json"

    @property
    def events(self) -> Path:
        """One event a line, append only."""
        return self.folder / "events.jsonl"

    @property
    def resume(self) -> Path:
        """What is needed to resume exactly."""
        return self.folder / "resume.pt"

    @property
    def live_weights(self) -> Path:
        """The latest weights of a run in training, if they are newer than its best ones; a snapshot's file."""
        return self.folder / "newest.safetensors"

    @property
    def control(self) -> Path:
        """Where any terminal sends its commands."""
        return self.folder / "control"

    @property
    def lock(self) -> Path:
        """Held by the trainer while it lives."""
        return self.folder / "lock"

    @property
    def timeline(self) -> Path:
        """Checkpoints along the way, a file each; see runs/timeline.py."""
        return self.folder / "timeline"

    @property
    def notes(self) -> Path:
        """The user's notes on the run."""
        return self.folder / "notes.txt"

    @property
    def log(self) -> Path:
        """The trainer's stderr."""
        return self.folder / "trainer.log"

    def write_settings(self, settings: RunSettings) -> None:
        """Write the settings. Raises StorageError."""
        write_bytes(
            self.settings, msgspec.json.format(msgspec.json.encode(settings), indent=2) + b"\n", within=self.model
        )

    def read_settings(self) -> RunSettings:
        """Return the settings. Raises NotFoundError, RunError if the file is damaged."""
        return self._read(self.settings, RunSettings)

    def write_status(self, status: RunStatus) -> None:
        """Replace the trainer's last report. Raises StorageError.

        If there is no room for a new file, which is when the report matters most, or a program has the old one open,
        the old file is overwritten: the trainer, which reports every second, must not wait.
        """
        content = msgspec.json.encode(status) + b"\n"
        try:
            write_bytes(self.status, content, within=self.folder, wait_s=0)
        except StorageError:
            if not _written_over(self.status, content):
                raise

    def read_status(self) -> RunStatus:
        """Return the trainer's last report. Raises NotFoundError, RunError if the file is damaged."""
        return self._read(self.status, RunStatus)

    def _read(self, path: Path, kind: type[K]) -> K:
        try:
            return read_json(path, kind)
        except FileNotFoundError:
            raise NotFoundError(
                f"{self.model.name} was not trained here: {path} is missing", "`tinygpt-tui runs` lists the runs"
            ) from None
        except OSError as error:
            raise storage_error(error, path) from error
        except Damage as error:
            raise RunError(
                f"{path} is damaged: {error}", "delete the model's run folder to keep the model alone"
            ) from None


def _written_over(path: Path, content: bytes) -> bool:
    """Overwrite the bytes of `path` with `content`; if it is shorter, spaces, which JSON ignores, fill the rest."""
    try:
        with path.open("rb+", buffering=0) as file:
            return file.write(content.rstrip().ljust(path.stat().st_size - 1) + b"\n") >= len(content)
    except OSError:
        return False
