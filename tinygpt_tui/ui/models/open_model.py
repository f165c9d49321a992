"""Open a model from anywhere: another program's file, a folder, or hf:NAME of the Hugging Face Hub."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.widgets import DirectoryTree, Input
from textual.worker import get_current_worker

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.card import is_native
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.files import is_file, is_folder
from tinygpt_tui.foreign.calibration_cache import cached_calibration
from tinygpt_tui.foreign.hub import fetch, is_hub_name
from tinygpt_tui.foreign.opening import inspect_checkpoint
from tinygpt_tui.foreign.source import holds_weights, may_hold_weights, weights_in
from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.choose_file import ChooseFileScreen, VisibleTree
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.words import bar, size


class ModelTree(VisibleTree):
    """Folders, and files that may be a model."""

    HELP: ClassVar[str] = """## Folders

Enter opens a file, or a folder that is a model; it unfolds any other folder. Space unfolds every folder. `o` opens what
the cursor is on. The tree shows files that may be a model: `.pt`, `.pth`, `.bin`, `.ckpt`, `.pkl`, `.safetensors`,
`.gguf`. Files beside the model (`meta.pkl`, `vocab.json`, `config.json`, a tokenizer, its text) are read, too. No code
in any of them is ever run.

The line below the path shows the settings that are tried where the file does not tell them; Esc cancels. A path that
you drop on the terminal is taken with its quotes or escapes.
"""

    BINDINGS = [
        bind("o", "open_this", "Open this", "open.this", "Open this file or folder as a model"),
    ]

    class Opened(Message):
        """The user opens this file or folder."""

        path: Path

    def action_open_this(self) -> None:
        node = self.cursor_node
        if node is not None and node.data is not None:
            self.post_message(self.Opened(node.data.path))

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Leave out hidden files and files of other kinds."""
        return [path for path in super().filter_paths(paths) if may_hold_weights(path) or is_folder(path)]


class OpenModelScreen(ChooseFileScreen):
    """Dismisses with the file or the folder, or with None; a model on the Hub is downloaded first."""

    WHAT = "open a model: a file or a folder"
    PLACEHOLDER = "path of a file or a folder, or hf:NAME for the Hugging Face Hub"
    KEYS = "enter: choose  tab: tree  o: open this  ctrl+↑: above  esc: cancel"
    TREE = ModelTree

    def __init__(self, start: Path) -> None:
        super().__init__(start)
        self._fetching = ""

    def on_directory_tree_directory_selected(self, message: DirectoryTree.DirectorySelected) -> None:
        """Open a folder that is a model; else use it for names typed without a path."""
        if _is_one_model(message.path):
            message.stop()
            self._open(message.path)
        else:
            super().on_directory_tree_directory_selected(message)

    def on_model_tree_opened(self, message: ModelTree.Opened) -> None:
        """Open what the cursor is on, if it is a model."""
        message.stop()
        if is_folder(message.path) and not _is_one_model(message.path):
            self._show_problem(f"✗ there is no model in {message.path}")
        else:
            self._open(message.path)

    def on_directory_tree_file_selected(self, message: DirectoryTree.FileSelected) -> None:
        message.stop()
        self._open(message.path)

    def _choose(self, typed: str) -> None:
        typed = typed.strip()
        if is_hub_name(typed):
            if not self._fetching:
                self._fetching = typed
                self._show_problem(f"looking for {typed} …")
                self._fetch(typed)
            return
        path = self._folder / paths.pasted_path(typed)
        if typed and (is_file(path) or (is_folder(path) and _is_model(path))):
            self._open(path)
        else:
            super()._choose(typed)

    def _open(self, path: Path) -> None:
        """Dismiss with a model of ours at once, with another program's when it was measured."""
        path = path.resolve()
        if is_native(path):
            self.dismiss(path)
        else:
            self._show_problem(f"reading {path.name} …  esc: cancel")
            self._measure(path)

    @work(exclusive=True, group="fetch", exit_on_error=False)
    async def _measure(self, path: Path) -> None:
        from tinygpt_tui.workers import exporter

        try:
            if not await asyncio.to_thread(_is_measured, path):
                await exporter.measure_model(str(path), lambda words: self._show_problem(f"{words}  esc: cancel"))
        except TinyGPTError as error:
            self._failed(f"✗ {error.message} · {error.hint}")
        else:
            self.dismiss(path)

    @work(thread=True, exclusive=True, group="fetch", exit_on_error=False)
    def _fetch(self, name: str) -> None:
        worker = get_current_worker()
        folder = ""
        try:
            for fetched in fetch(name):
                if worker.is_cancelled:
                    return  # what was downloaded stays
                folder = fetched.path or folder
                share = fetched.done / fetched.total if fetched.total else 0.0
                words = (
                    f"{bar(share, 20).ljust(20)} {size(fetched.done)} of {size(fetched.total)}  esc: stop, resume later"
                )
                self.app.call_from_thread(self._show_problem, words)
        except TinyGPTError as error:
            self.app.call_from_thread(self._failed, f"✗ {error.message} · {error.hint}")
        else:
            self.app.call_from_thread(self.dismiss, Path(folder))

    def _failed(self, words: str) -> None:
        self._fetching = ""
        self._show_problem(words)
        self.query_one("#path", Input).focus()

    def action_cancel(self) -> None:
        """Open nothing; what is tried ends, and a download stops, and continues the next time."""
        self.workers.cancel_group(self, "fetch")
        super().action_cancel()


def _is_measured(path: Path) -> bool:
    """Whether nothing of another program's checkpoint is left to measure. Raises TinyGPTError."""
    return cached_calibration(inspect_checkpoint(path)) is not None


def _is_model(folder: Path) -> bool:
    try:
        return is_file(folder / "config.json") or bool(weights_in(folder))
    except TinyGPTError:
        return False


def _is_one_model(folder: Path) -> bool:
    """Whether the folder itself is a model, not a folder of several."""
    return holds_weights(folder) and _is_model(folder)
