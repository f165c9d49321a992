"""Choose a text file: by typing its path, or in the tree of folders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, DirectoryTree, Input, Static

from tinygpt_tui import paths
from tinygpt_tui.corpora.gathering import sources_exist
from tinygpt_tui.files import is_file, is_folder
from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.dialog import Dialog


class PathInput(Input):
    """The path that the user types."""

    HELP = """## Path

The path of a text file. `~` is your home folder; a name alone is a file in the folder shown. Enter chooses it.
"""


class VisibleTree(DirectoryTree):
    """A tree of folders without hidden files."""

    HELP = """## Folders

Enter opens a folder or chooses a file. A path typed in the box above moves the tree there.
"""

    # The width of pictographs differs between terminals.
    ICON_NODE = "▸ "
    ICON_NODE_EXPANDED = "▾ "
    ICON_FILE = "  "

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Leave out names that start with a dot."""
        return [path for path in paths if not path.name.startswith(".")]


class ChooseFileScreen(Dialog[Path]):
    """Dismisses with the file, or with None."""

    WHAT = "choose a text file"
    PLACEHOLDER = "path of a file, or its name in this folder"
    KEYS = "enter: choose  tab: tree  ctrl+↑: above  esc: cancel"
    TREE: type[VisibleTree] = VisibleTree
    FOLDERS = False  # whether a folder as a whole can be chosen, or a glob
    DEFAULT_CSS = """
    ChooseFileScreen {
        & > DialogBox { width: 90%; max-width: 100; height: 90%; }
        & #problem { height: auto; min-height: 1; max-height: 4; }
        & DirectoryTree { height: 1fr; background: $surface; }
    }
    """
    BINDINGS = [
        bind("ctrl+up", "parent", "Folder above", "file.parent", "Show the folder above"),
    ]

    def __init__(self, start: Path) -> None:
        """`start` is the folder shown first."""
        super().__init__(f"{self.WHAT} in {start}", self.KEYS)
        self._start = self._folder = start

    def compose_body(self) -> ComposeResult:
        yield PathInput(id="path", compact=True, placeholder=self.PLACEHOLDER)
        yield Static("", id="problem", markup=False)
        yield self.TREE(self._start)
        with Horizontal(classes="-buttons"):
            yield Button("Choose", id="choose", compact=True, variant="primary")
            if self.FOLDERS:
                yield Button("This folder", id="folder", compact=True, tooltip="All texts in the folder shown")
            yield Button("Cancel", id="cancel", compact=True)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self._choose(message.value)

    def on_directory_tree_file_selected(self, message: DirectoryTree.FileSelected) -> None:
        message.stop()
        self.dismiss(message.path)

    def on_directory_tree_directory_selected(self, message: DirectoryTree.DirectorySelected) -> None:
        """Use this folder for names typed without a path."""
        message.stop()
        self._name_folder(message.path)

    def on_button_pressed(self, message: Button.Pressed) -> None:
        """Choose the typed path, or cancel."""
        message.stop()
        if message.button.id == "choose":
            self._choose(self.query_one("#path", Input).value)
        elif message.button.id == "folder":
            self.dismiss(self._folder.resolve())
        else:
            self.dismiss(None)

    def action_parent(self) -> None:
        tree = self.query_one(VisibleTree)
        self._show_folder(Path(tree.path).resolve().parent)

    def _choose(self, typed: str) -> None:
        # Joining keeps an absolute path as it is.
        path = self._folder / paths.pasted_path(typed)
        if is_file(path):
            self.dismiss(path.resolve())
        elif is_folder(path):
            self._show_folder(path.resolve())
        elif self.FOLDERS and sources_exist(str(path)):
            self.dismiss(path)
        else:
            self._show_problem(f"✗ there is no file {path}")

    def _show_problem(self, problem: str) -> None:
        self.query_one("#problem", Static).update(problem)

    def _show_folder(self, folder: Path) -> None:
        self.query_one("#problem", Static).update("")
        self.query_one("#path", Input).value = ""
        self.query_one(VisibleTree).path = folder
        self._name_folder(folder)

    def _name_folder(self, folder: Path) -> None:
        self._folder = folder
        self.set_heading(f"{self.WHAT} in {folder}")
