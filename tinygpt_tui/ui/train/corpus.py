"""Reads and downloads the text chosen in the form, without blocking the screen."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path

from textual import getters, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.worker import get_current_worker

from tinygpt_tui.corpora.catalog import CorpusEntry, find_corpus, is_address, list_corpora, list_tasks
from tinygpt_tui.corpora.download import Downloaded, download
from tinygpt_tui.corpora.encodings import AUTO
from tinygpt_tui.corpora.formats import AS_IT_IS, Choices, LeftOut
from tinygpt_tui.corpora.tasks import PREFIX
from tinygpt_tui.errors import CorpusError, TinyGPTError
from tinygpt_tui.runs.folder import CorpusReference
from tinygpt_tui.runs.text_facts import CorpusFacts
from tinygpt_tui.ui.shared.choose_file import ChooseFileScreen
from tinygpt_tui.ui.shared.failed import Failed
from tinygpt_tui.ui.train.corpus_picker import TrainCorpusPicker
from tinygpt_tui.workers.text_reader import TextReader

SHOWN_EACH = 0.01  # of a text


class ChooseTextScreen(ChooseFileScreen):
    """Dismisses with a file, a folder or a glob; or with a path that means nothing, where `address` is set."""

    WHAT = "choose a text, or a folder of texts"
    PLACEHOLDER = "a file or folder, *.md (several), https://… or hf:OWNER/NAME"
    FOLDERS = True

    def __init__(self, start: Path) -> None:
        super().__init__(start)
        self.address = ""  # chosen in place of a path

    def _choose(self, typed: str) -> None:
        if is_address(typed.strip()):
            self.address = typed.strip()
            self.dismiss(Path(typed))
        else:
            super()._choose(typed)


class TrainCorpus(Vertical):
    """The picker, with reading and downloading in threads; results for a text no longer chosen are dropped."""

    DEFAULT_CSS = "TrainCorpus { height: auto; }"
    _picker = getters.query_one(TrainCorpusPicker)

    class Read(Message):
        """The chosen text was read; None: there is no usable text."""

        def __init__(self, entry: CorpusEntry, facts: CorpusFacts | None) -> None:
            super().__init__()
            self.name, self.own, self.facts = entry.name, entry.own, facts

    class _Arrived(Message):
        def __init__(
            self,
            entry: CorpusEntry,
            outcome: CorpusFacts | float | Downloaded | TinyGPTError,
            reader: TextReader | None = None,
        ) -> None:
            """`reader`: which reading it comes from; None for a download."""
            super().__init__()
            self.entry, self.outcome, self.reader = entry, outcome, reader

    def __init__(self) -> None:
        super().__init__()
        self._files: list[CorpusEntry] = []
        self._chosen: CorpusEntry | None = None
        self._choices = AS_IT_IS
        self.fetching = False
        self.problem = ""  # why the chosen text is unusable
        self._reader: TextReader | None = None

    @property
    def busy(self) -> bool:
        """Whether a text is being downloaded or read, which can take long."""
        return self.fetching or self._reader is not None

    @property
    def is_own(self) -> bool:
        """Whether the chosen text is the user's, not one of the catalogue."""
        return self._chosen is not None and self._chosen.own

    def compose(self) -> ComposeResult:
        yield TrainCorpusPicker()

    def on_mount(self) -> None:
        """Choose the first text that is on this machine."""
        entries = self._entries()
        first = next((entry for entry in entries if entry.here), entries[0] if entries else None)
        if first is not None:
            self._choose(first)

    def ask_for_file(self) -> None:
        """Let the user choose a text file."""

        def choose(path: Path | None) -> None:
            if path is None:
                return
            try:
                self.choose_file(screen.address or str(path))
            except TinyGPTError as error:
                self.post_message(Failed(error))

        screen = ChooseTextScreen(Path.cwd())
        self.app.push_screen(screen, choose)

    def on_train_corpus_picker_file_wanted(self, message: TrainCorpusPicker.FileWanted) -> None:
        message.stop()
        self.ask_for_file()

    def choose_file(self, path: str, encoding: str = AUTO) -> None:
        """Choose a file, a folder, a glob or an address. Raises NotFoundError."""
        entry = find_corpus(path)
        if entry.name not in {known.name for known in self._files}:
            self._files = [*self._files, entry]
        else:
            self._files = [entry if known.name == entry.name else known for known in self._files]
        self._choose(entry, Choices(encoding))

    def leave_out(self, kind: LeftOut) -> None:
        """Read the chosen text again without what is of that kind."""
        if self._chosen is not None and kind not in self._choices.leave_out:
            self._choose(self._chosen, dataclasses.replace(self._choices, leave_out=(*self._choices.leave_out, kind)))

    def choose_again(self, reference: CorpusReference) -> None:
        """Choose the text of an earlier run. Raises NotFoundError, CorpusError."""
        known = next((entry for entry in self._entries() if entry.name == reference.name and entry.here), None)
        if known is not None:
            self._choose(known, Choices(reference.encoding))
        else:
            self.choose_file(reference.path, reference.encoding)

    def on_unmount(self) -> None:
        self._stop_reading()

    def cancel(self) -> None:
        """Stop downloading or reading; what arrived is discarded."""
        if self._reader is not None and self._chosen is not None:
            self._stop_reading()
            self._picker.show_problem("reading was cancelled; choose the text again to read it")
        if self.fetching and self._chosen is not None:
            self.fetching = False
            self.workers.cancel_group(self, "fetch")
            self._picker.show_away(self._chosen, "cancelled;")
            self.post_message(self.Read(self._chosen, None))

    def _entries(self) -> list[CorpusEntry]:
        own = {entry.name for entry in self._files}
        return [*(entry for entry in (*list_corpora(), *list_tasks()) if entry.name not in own), *self._files]

    def _choose(self, entry: CorpusEntry, choices: Choices = AS_IT_IS) -> None:
        self.cancel()
        if entry.is_task and entry.path is None:
            try:
                entry = find_corpus(f"{PREFIX}{entry.name}")
            except TinyGPTError as error:
                self.post_message(Failed(error))
                return
        choices = choices.or_else(entry.row.documents)
        self._chosen, self.problem, self._choices = entry, "", choices
        self._picker.show_choices(choices, own=entry.own)
        self._picker.show_entries(self._entries(), entry.name)
        self.post_message(self.Read(entry, None))
        if entry.path is None:
            self._picker.show_away(entry)
        else:
            self._picker.show_reading()
            self._reader = TextReader(Path(entry.path), entry.name, entry.row.entropy, choices)
            self._read(entry, self._reader)

    def _stop_reading(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @work(thread=True, exclusive=True, group="read")
    def _read(self, entry: CorpusEntry, reader: TextReader) -> None:
        progress = reader.fractions()
        outcome: float | CorpusFacts | TinyGPTError = 0.0
        shown = 0.0
        while isinstance(outcome, float):
            try:
                outcome = next(progress)
            except StopIteration as end:
                outcome = end.value
            except TinyGPTError as error:
                outcome = error
            if reader is not self._reader:
                return  # cancelled, or another text is chosen now
            if not isinstance(outcome, float) or outcome - shown >= SHOWN_EACH:
                shown = outcome if isinstance(outcome, float) else shown
                self.post_message(self._Arrived(entry, outcome, reader))

    @work(thread=True, exclusive=True, group="fetch")
    def _fetch(self, entry: CorpusEntry) -> None:
        worker = get_current_worker()
        try:
            with closing(download(entry)) as progress:  # type: ignore[type-var]
                shown = -1
                for part in progress:
                    if worker.is_cancelled:
                        return
                    percent = part.done * 100 // part.total if part.total else part.done >> 20
                    if percent > shown or part.path is not None:
                        shown = percent
                        self.post_message(self._Arrived(entry, part))
        except TinyGPTError as error:
            if not worker.is_cancelled:
                self.post_message(self._Arrived(entry, error))

    def on_train_corpus_picker_chosen(self, message: TrainCorpusPicker.Chosen) -> None:
        message.stop()
        self._choose(message.entry)

    def on_train_corpus_picker_choices_changed(self, message: TrainCorpusPicker.ChoicesChanged) -> None:
        """Read the text in another encoding, other fields of its records, or other documents."""
        message.stop()
        choices = dataclasses.replace(self._choices, **message.changes)
        if self._chosen is not None and choices != self._choices:  # a list reports the value that it begins with, too
            self._choose(self._chosen, choices)

    def on_train_corpus_picker_download_wanted(self, message: TrainCorpusPicker.DownloadWanted) -> None:
        message.stop()
        if self._chosen is not None and not self.fetching:
            self.fetching = True
            self._picker.show_progress(0, self._chosen.row.bytes)
            self._fetch(self._chosen)
            self.post_message(self.Read(self._chosen, None))

    def on_train_corpus_picker_cancel_wanted(self, message: TrainCorpusPicker.CancelWanted) -> None:
        message.stop()
        self.cancel()

    def on_train_corpus__arrived(self, message: TrainCorpus._Arrived) -> None:
        message.stop()
        entry, outcome = message.entry, message.outcome
        if self._chosen is None or entry.name != self._chosen.name or entry.path != self._chosen.path:
            return
        if message.reader is not self._reader:
            return  # the same text was chosen to be read otherwise meanwhile
        if isinstance(outcome, float):
            self._picker.show_reading(outcome)
            return
        if not isinstance(outcome, Downloaded):
            self._reader = None
        if isinstance(outcome, CorpusFacts):
            self._picker.show_facts(outcome)
            self.post_message(self.Read(entry, outcome))
        elif isinstance(outcome, Downloaded):
            self._show_download(outcome)
        elif entry.path is None:
            self.fetching = False
            self._picker.show_away(entry, f"✗ {outcome.message}; {outcome.hint};")
        else:
            self._picker.show_problem(f"{outcome.message}; {outcome.hint}", unsure=isinstance(outcome, CorpusError))
            self.problem = outcome.message
            self.post_message(self.Read(entry, None))

    def _show_download(self, part: Downloaded) -> None:
        if not self.fetching or self._chosen is None:
            return
        self._picker.show_progress(part.done, part.total)
        if part.path is not None:
            self.fetching = False
            if self._chosen.own:
                self.choose_file(self._chosen.row.url)
            else:
                self._choose(find_corpus(self._chosen.name))
