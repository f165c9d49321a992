"""The branches of a session as a list, a line each; in a dialog, or beside the text where that is wide."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tinygpt_tui.sessions.document import Branch
from tinygpt_tui.sessions.walk import rows
from tinygpt_tui.ui.generate.session_editor import SessionEditor
from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.branch_words import STAR, row_text
from tinygpt_tui.ui.shared.message import Message

VERY_WIDE = 200  # columns of the terminal from which the branches are beside the text
LOOK_EVERY_S = 0.5  # while text streams into a branch


class BranchList(OptionList):
    """A branch per line; the guides lead to the branch it forked from."""

    HELP = f"""## Branches

Each line is one continuation. The tree shows what it branched from; `▸` in the preview marks where. `↳` continues at
the end of the one above. `▸` in front marks the branch shown in the Generate tab, `{STAR}` a starred one, `●` one
that is being generated.

Enter shows a branch. Starred branches (`*`) stay when all others are dropped (`D`), and when a branch above them is
deleted. `z` restores what was deleted last.
"""
    BINDINGS = [
        bind("enter", "select", "Show", "branches.choose", "Show this branch in the Generate tab"),
    ]

    def __init__(self, editor: SessionEditor, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._editor = editor
        self._rows: list[tuple[int, Text]] = []

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """An empty list has nothing to choose."""
        return bool(self.option_count) if action == "select" else True

    @property
    def order(self) -> list[int]:
        """The branches that are shown, from the top."""
        return [id for id, _ in self._rows]

    @property
    def branch(self) -> Branch | None:
        at = self.highlighted  # not stored: keys may arrive before messages
        id = self._rows[at][0] if at is not None and at < len(self._rows) else None
        return None if id is None else self._editor.session.branches.get(id)

    def show_session(self, at: int | None = None) -> None:
        """Show the session as it is, with the highlight on branch `at`; None: where it is, or on the current one."""
        editor, session = self._editor, self._editor.session
        now, width = editor.store.clock(), max(20, self.scrollable_content_region.width - 2)  # a scroll bar may come
        found = [
            (
                row.branch.id,
                row_text(row, width, row.branch.id == session.current, row.branch.id == editor.writing, now),
            )
            for row in rows(session)
        ]
        if at is None:
            at = session.current if self.branch is None else self.branch.id
        with self.prevent(OptionList.OptionHighlighted):
            if [id for id, _ in found] != self.order:
                self.set_options([Option(text, id=str(id)) for id, text in found])
            else:
                for index, ((_, text), (_, before)) in enumerate(zip(found, self._rows, strict=True)):
                    if text != before:
                        self.replace_option_prompt_at_index(index, text)
            self.highlighted = next((i for i, (id, _) in enumerate(found) if id == at), None)
        self._rows = found


class BranchesBeside(BranchList):
    """The list beside the text; follows the session by itself while it is visible."""

    class Chosen(Message):
        """Another branch is to be shown."""

        branch: int

    def __init__(self, editor: SessionEditor, *, id: str | None = None) -> None:
        super().__init__(editor, id=id)
        self.border_title = "branches"
        self._drawn: tuple[int, int | None, int] | None = None

    def on_mount(self) -> None:
        self.set_interval(LOOK_EVERY_S, self.update_rows)

    def update_rows(self) -> None:
        """Show the session if that is needed; the highlight goes to the current branch when another one becomes it."""
        current = self._editor.session.current
        state = self._editor.version, current, self.size.width
        if self.size.width and state != self._drawn:
            is_new = self._drawn is None or self._drawn[1] != current
            self._drawn = state
            self.show_session(current if is_new else None)

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self.post_message(self.Chosen(int(message.option.id or 0)))
