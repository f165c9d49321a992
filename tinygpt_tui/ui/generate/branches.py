"""The branches of a session as a tree: choose, name, star and delete branches."""

from __future__ import annotations

from collections.abc import Collection

from textual import getters
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import OptionList, Static

from tinygpt_tui.errors import SessionError
from tinygpt_tui.sessions import tree
from tinygpt_tui.sessions.document import Branch, words_of
from tinygpt_tui.ui.generate.branch_list import LOOK_EVERY_S, BranchList
from tinygpt_tui.ui.generate.session_editor import SessionEditor
from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.branch_words import STAR, facts_line, fitted, preview_text
from tinygpt_tui.ui.shared.confirm import ConfirmScreen
from tinygpt_tui.ui.shared.dialog import Dialog
from tinygpt_tui.ui.shared.naming_line import NamingLine
from tinygpt_tui.ui.shared.wrapping import shown
from tinygpt_tui.ui.shell.key_bar import KeyBar

BEFORE_WIDE, BEFORE_NARROW = 400, 70  # characters of shared text in the preview
EMPTY = "No text yet. Type a prompt and press Enter."


class BranchesScreen(Dialog[bool]):
    """Dismisses with True if another branch is the current one now. All changes go to the editor."""

    CSS_PATH = "branches.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
    BINDINGS = [
        bind("r", "rename", "Rename", "branches.rename", "Give this branch a name"),
        bind("asterisk", "star", f"Star {STAR}", "branches.keep", "Star this branch, or remove its star"),
        bind("d", "delete", "Delete", "branches.delete", "Delete it and its children (starred ones stay)"),
        bind("z", "undo", "Undo", "branches.undo", "Restore what was deleted last"),
        bind("D", "drop", "Drop unstarred", "branches.drop", "Delete all branches without a star"),
    ]
    listing = getters.query_one(BranchList)

    def __init__(self, editor: SessionEditor, models: Collection[str] = ()) -> None:
        """`models` are the paths of all models; if empty, none is marked as missing."""
        super().__init__("branches")
        self._editor, self._models = editor, models
        self._before = editor.session.current
        self._version = -1

    def compose_body(self) -> ComposeResult:
        with Horizontal(id="branches-panes"):
            yield BranchList(self._editor, id="branches-list")
            with VerticalScroll(id="branches-preview", can_focus=False):
                yield Static("", id="branches-facts", markup=False)
                yield Static("", id="branches-text", markup=False)
        yield NamingLine()
        yield KeyBar()

    def on_mount(self) -> None:
        self.listing.focus()
        self.set_interval(LOOK_EVERY_S, self._show_changes)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_tree)

    @property
    def branch(self) -> Branch | None:
        return self.listing.branch

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.is_mounted:
            return True
        if self.query_one(NamingLine).asking:
            return False
        match action:
            case "rename" | "star" | "delete":
                return self.branch is not None
            case "undo":
                return self._editor.can_undo
            case "drop":
                return bool(tree.unkept(self._editor.session, self._editor.spared))
        return True

    # Keys

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self._editor.choose(int(message.option.id or 0))
        self.action_cancel()

    def on_option_list_option_highlighted(self, message: OptionList.OptionHighlighted) -> None:
        message.stop()
        self._preview()

    def action_rename(self) -> None:
        if self.branch is not None:
            self.query_one(NamingLine).ask(self.branch.name)
            self.refresh_bindings()

    def on_naming_line_named(self, message: NamingLine.Named) -> None:
        branch = self.branch
        if message.name is not None and branch is not None:
            self._editor.rename_branch(branch.id, message.name)
        self.listing.focus()
        self._show_tree()

    def action_star(self) -> None:
        if self.branch is not None:
            self._editor.set_starred(self.branch.id, not self.branch.kept)
            self._show_tree()

    def action_delete(self) -> None:
        """Delete this branch; ask first if it has children."""
        branch = self.branch
        if branch is None:
            return
        more = len(tree.going_with(self._editor.session, branch.id)) - 1
        if not more:
            self._delete(branch.id)
            return
        others = "the branch below it" if more == 1 else f"the {more} branches below it"
        question = f"Delete “{_called(branch)}” and {others}? Starred branches ({STAR}) stay."
        confirm = ConfirmScreen("delete branches", question, "Delete")
        self.app.push_screen(confirm, lambda yes: self._delete(branch.id) if yes else None)

    def action_drop(self) -> None:
        """Delete all branches without a star, after a question."""
        count = len(tree.unkept(self._editor.session, self._editor.spared))
        question = f"Delete {_branches(count)} without a {STAR}? The texts of the starred ones stay whole."
        self.app.push_screen(
            ConfirmScreen("drop unstarred", question, "Delete"), lambda yes: self._drop() if yes else None
        )

    def action_undo(self) -> None:
        count = self._editor.undo()
        self._show_tree(f"{_branches(count)} restored", self._editor.session.current)

    @property
    def answer_now(self) -> bool:
        return self._editor.session.current != self._before

    def _delete(self, branch: int) -> None:
        order = self.listing.order
        place = order.index(branch) if branch in order else 0
        try:
            count = self._editor.delete_branch(branch)
        except SessionError as error:
            self.query_one(NamingLine).set_note(f"{error.message}: {error.hint}", warning=True)
            return
        left = self._editor.session.branches
        near = [id for id in (*order[place:], *reversed(order[:place])) if id in left]
        self._show_tree(f"{_branches(count)} deleted · z to undo", near[0] if near else None)

    def _drop(self) -> None:
        count = self._editor.drop_unkept()
        self._show_tree(f"{_branches(count)} deleted · z to undo")

    # Showing

    def _show_changes(self) -> None:
        if self._version != self._editor.version and not self.query_one(NamingLine).asking:
            self._show_tree(None)

    def _show_tree(self, note: str | None = "", at: int | None = None) -> None:
        """Show the session as it is, with the highlight on branch `at`; a `note` of None leaves the last one."""
        session = self._editor.session
        self._version = self._editor.version
        self.listing.show_session(at)
        found = self.listing.order
        self.set_heading(f"branches · {fitted(shown(session.heading), 40)}" if found else "branches")
        starred = sum(branch.kept for branch in session.branches.values())
        self.set_keys(f"{_branches(len(found))}, {starred} starred")
        if note is not None:
            self.query_one(NamingLine).set_note(note or ("" if found else EMPTY))
        self._preview()
        self.refresh_bindings()

    def _preview(self) -> None:
        branch, session = self.branch, self._editor.session
        facts, text = self.query_one("#branches-facts", Static), self.query_one("#branches-text", Static)
        if branch is None:
            facts.update("")
            text.update("")
            return
        missing = bool(self._models) and branch.model_path not in self._models
        facts.update(shown(facts_line(branch, missing, self._editor.store.clock())))
        text.update(preview_text(session, branch, BEFORE_WIDE if self.has_class("-wide") else BEFORE_NARROW))


def _called(branch: Branch) -> str:
    return fitted(shown(branch.name or words_of(branch)), 40)


def _branches(count: int) -> str:
    return "1 branch" if count == 1 else f"{count} branches"
