"""The doctor before the start: what may be wrong with the run in the form, and what Enter does about it."""

from __future__ import annotations

from textual import work
from textual.app import ComposeResult

from tinygpt_tui.doctor.rounds import summary, worst_first
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.training import Finding, Progress
from tinygpt_tui.runs.texts import text_of
from tinygpt_tui.ui.shared.dialog import Dialog
from tinygpt_tui.ui.shared.text_place import TextPlaceScreen
from tinygpt_tui.ui.train.doctor import TrainDoctor
from tinygpt_tui.workers.examiner import Case, Examiner

TITLE = "doctor, before the start"
LOOKING = "examining text and model…"


class DraftDoctorScreen(Dialog[Finding]):
    """Shows findings as a child process finds them; dismisses with the one whose remedy or action to apply, or None."""

    HELP = """## Doctor, before the start

What the text is made of, and problems that often go unnoticed. First the text: documents, copies and near copies,
scripts, markup, e-mail addresses, secret keys, damage, validation text that is also in the training text. Then an
untrained model with these settings: it should guess at random, and be able to memorise one small batch.
✓ is fine, · a hint, ! a warning, ✗ bad.

Enter on a finding puts the settings that help into the form, leaves something out of the text, or shows the place in
it. Nothing is started.
"""
    DEFAULT_CSS = """
    DraftDoctorScreen {
        & > DialogBox { width: 76; max-height: 90%; }
        & TrainDoctor, & TrainDoctor:focus { border: none; }
        & TrainDoctor { height: auto; max-height: 100%; min-height: 3; padding: 0; }
    }
    """

    def __init__(self, case: Case, known: list[Finding]) -> None:
        """`known` are the findings of the form itself."""
        super().__init__(TITLE)
        self._case = case
        self._findings = list(known)
        self._examiner: Examiner | None = None

    def compose_body(self) -> ComposeResult:
        yield TrainDoctor(before=True)

    def on_mount(self) -> None:
        self._show_findings(LOOKING)
        self._examine()

    def on_unmount(self) -> None:
        if self._examiner is not None:
            self._examiner.close()

    @work(thread=True, exclusive=True, group="examine", exit_on_error=False)
    def _examine(self) -> None:
        try:
            examiner = self._examiner = Examiner(self._case)
        except OSError as error:
            self._send(self._add, Finding(0, "doctor", "hint", f"no process could be started: {error.strerror}"))
        else:
            for finding in examiner:
                self._send(self._show_progress if isinstance(finding, Progress) else self._add, finding)
        self._send(self._show_findings, "done")

    def _send(self, receiver: object, what: object) -> None:
        if self.is_attached:
            self.app.call_from_thread(receiver, what)  # type: ignore[arg-type]

    def _show_progress(self, progress: Progress) -> None:
        self._show_findings(f"{LOOKING} {progress.share:.0%}")

    def _add(self, finding: Finding) -> None:
        self._findings = [*(known for known in self._findings if known.check != finding.check), finding]
        self._show_findings(LOOKING)

    def _show_findings(self, state: str) -> None:
        doctor = self.query_one(TrainDoctor)
        doctor.show_findings(worst_first(self._findings))
        self.set_heading(f"{TITLE}: {summary(self._findings)}")
        self.set_keys(f"{state}  enter: what helps  esc: close")
        doctor.focus()

    def on_train_doctor_remedy_requested(self, message: TrainDoctor.RemedyRequested) -> None:
        """Do what helps against a finding."""
        message.stop()
        finding = message.finding
        if finding.remedy or finding.action:
            self.dismiss(finding)
        elif finding.place is not None:
            self._show_place(finding.place)

    @work(thread=True, exclusive=True, group="place", exit_on_error=False)
    def _show_place(self, place: int) -> None:
        corpus = self._case.corpus
        try:
            excerpt = text_of(corpus).around(place)
        except TinyGPTError as error:
            self.app.call_from_thread(self.notify, error.message, severity="error", markup=False)
            return
        self.app.call_from_thread(self.app.push_screen, TextPlaceScreen(corpus.name, corpus.path, excerpt))
