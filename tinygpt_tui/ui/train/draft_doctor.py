"""The doctor before a start: what may be wrong with the training in the form, and what Enter does about it."""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from tinygpt_tui.doctor.rounds import summary, worst_first
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.training import Finding
from tinygpt_tui.ui.shared.text_place import TextPlaceScreen
from tinygpt_tui.ui.train.doctor import TrainDoctor
from tinygpt_tui.workers.draft_examiner import Case, DraftExaminer
from tinygpt_tui.workers.examiner import text_of

TITLE = "the doctor, before a start"
LOOKING = "looking at the text, then at a fresh net…"


class DraftDoctorScreen(ModalScreen[dict[str, str] | None]):
    """Shows findings as a process of its own finds them; answers with the settings that would help, or with None."""

    HELP = """## The doctor, before a start

What can be wrong with a training and often goes unnoticed. First the text: damage, repetitions, a part to judge by that
stands in the other part too. Then a fresh net of these settings: an untrained one should guess, and any net should be
able to learn one small batch by heart. ✓ is fine, · a hint, ! a warning, ✗ bad.

Enter on a finding puts the settings that help into the form, or shows the place in the text. Nothing is started.
"""
    DEFAULT_CSS = """
    DraftDoctorScreen {
        align: center middle;
        & > Vertical {
            width: 76; max-width: 100%; height: auto; max-height: 90%; padding: 0 1;
            background: $panel; border: round $border;
            border-title-color: $foreground; border-subtitle-color: $quiet;
        }
        & TrainDoctor, & TrainDoctor:focus { border: none; }
        & TrainDoctor { height: auto; max-height: 100%; min-height: 3; padding: 0; background: $panel; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="draft-doctor.close", tooltip="Back to the form"),
    ]

    def __init__(self, case: Case, known: list[Finding]) -> None:
        """`known` is what the form itself has to say of the training."""
        super().__init__()
        self._case = case
        self._findings = list(known)
        self._examiner: DraftExaminer | None = None

    def compose(self) -> ComposeResult:
        """Yield the findings."""
        with Vertical() as box:
            box.border_title = TITLE
            yield TrainDoctor(before=True)

    def on_mount(self) -> None:
        """Begin to look."""
        self._show(LOOKING)
        self._examine()

    def on_unmount(self) -> None:
        """Nobody wants to know any more."""
        if self._examiner is not None:
            self._examiner.close()

    @work(thread=True, exclusive=True, group="examine", exit_on_error=False)
    def _examine(self) -> None:
        try:
            examiner = self._examiner = DraftExaminer(self._case)
        except OSError as error:
            self._tell(self._heard, Finding(0, "doctor", "hint", f"no process could be started: {error.strerror}"))
        else:
            for finding in examiner:
                self._tell(self._heard, finding)
        self._tell(self._show, "that is all")

    def _tell(self, take: object, what: object) -> None:
        if self.is_attached:
            self.app.call_from_thread(take, what)  # type: ignore[arg-type]

    def _heard(self, finding: Finding) -> None:
        self._findings.append(finding)
        self._show(LOOKING)

    def _show(self, state: str) -> None:
        doctor = self.query_one(TrainDoctor)
        doctor.show(worst_first(self._findings))
        box = self.query_one(Vertical)
        box.border_title = f"{TITLE}: {summary(self._findings)}"
        box.border_subtitle = f"{state}  ⏎: what helps  esc: close"
        doctor.focus()

    def on_train_doctor_wanted(self, message: TrainDoctor.Wanted) -> None:
        """Do what helps against a finding."""
        message.stop()
        finding = message.finding
        if finding.remedy:
            self.dismiss(finding.remedy)
        elif finding.place is not None:
            self._show_place(finding.place)

    @work(thread=True, exclusive=True, group="place", exit_on_error=False)
    def _show_place(self, place: int) -> None:
        corpus = self._case.corpus
        try:
            text = text_of(corpus).text
        except TinyGPTError as error:
            self.app.call_from_thread(self.notify, error.message, severity="error", markup=False)
            return
        self.app.call_from_thread(self.app.push_screen, TextPlaceScreen(corpus.name, corpus.path, text, place))

    def action_close(self) -> None:
        """Change nothing."""
        self.dismiss(None)
