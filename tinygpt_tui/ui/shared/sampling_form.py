"""The sampling settings as a form: made from the settings' own fields, checked while the user types."""

from __future__ import annotations

from textual import events, on
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input, Static

from tinygpt_tui.settings.fields import changed, fields_of, parse_all, stepped, written
from tinygpt_tui.settings.sampling import SamplingSettings, without_effect
from tinygpt_tui.ui.shared.binding import bind, bind_over
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.setting_row import WRONG, SettingRow
from tinygpt_tui.ui.shared.wrapping import wrap

FILL_AFTER_S = 0.15
PLACEHOLDERS = {"seed": "new", "stop": "never", "banned": "none", "allowed": "all"}
LEAST_NOTE = 2  # lines
MORE = "… F1"
HINTS = {
    "stop": r"Several with ` | ` between; \n is a new line, \| a bar.",
    "banned": r"\n is a new line.",
    "allowed": r"\n is a new line.",
}


class SamplingForm(Vertical):
    """One box a setting. `settings` are the values of all boxes; None while one is invalid."""

    HELP = (
        "How the next token is sampled, and when the text ends. Temperature, top k, top p and min p apply from the "
        "next token, the others from the next Enter. Invalid values are marked ✗; the reason is shown below.\n\n"
        "Tab goes from box to box. ↑ and ↓ change a number; in a box with `‹ ›`, Space, → and ← change the value. "
        "Ctrl+Z puts a box back to its default; what differs from it is in colour. `\\n` is a new line, `\\t` a tab, "
        "`\\\\` a backslash; put ` | ` between several texts in `stop`.\n\n"
        + "\n".join(f"- **{field.title}**: {field.description}" for field in fields_of(SamplingSettings).values())
    )
    DEFAULT_CSS = """
    SamplingForm {
        width: 38;
        padding: 0 0 0 1;
        & > SettingBoxes { height: 1fr; scrollbar-size-vertical: 1; }
        & > .-note { height: auto; padding: 0 1 0 0; color: $text-muted; }
        & .-changed > .-title { color: $accent; text-style: bold; }
        & > .-note.-wrong, & .-invalid > .-title { color: $text-error; text-style: bold; }
        & Input, & ChoiceBox { background: $panel; }
        & Input:focus, & ChoiceBox:focus { background: $primary 25%; }
        & .-invalid > Input { background: $error 25%; }
    }
    """
    # With priority, so that keys typed right after an arrow go to the next box.
    BINDINGS = [
        bind("up", "step(1)", "More", "sampling.more", "A larger number", priority=True),
        bind("down", "step(-1)", "Less", "sampling.less", "A smaller number", priority=True),
        bind_over("down", "go(1)", "Next box", "sampling.next", "The next box"),
        bind_over("up", "go(-1)", "Previous box", "sampling.previous", "The previous box"),
        bind("ctrl+z", "default", "Default", "sampling.default", "This box's default value", priority=True),
    ]

    class Changed(Message):
        """The values changed; `problem` is why they are invalid, or empty.

        `typed`: by the user, not by `set_values`.
        """

        settings: SamplingSettings | None
        problem: str
        typed: bool

    class Submitted(Message):
        """Enter was pressed in a box."""

    def __init__(self, settings: SamplingSettings | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "sampling"
        self.settings: SamplingSettings | None = settings or SamplingSettings()
        self.problem = ""
        self._rows = {
            name: SettingRow(
                field,
                written(getattr(self.settings, name)),
                box_id=f"sampling-{name}",
                placeholder=PLACEHOLDERS.get(name, ""),
            )
            for name, field in fields_of(SamplingSettings).items()
        }
        self._mark_changed()
        self._focused: SettingRow | None = None
        self._note = Static("", classes="-note", markup=False)

    def on_mount(self) -> None:
        """Add the boxes after the first picture: they are half of all widgets, and are not needed at once."""
        self.set_timer(FILL_AFTER_S, self._fill)

    def focus_first(self) -> None:
        """Focus the first box, or the first invalid one."""
        self._fill()
        rows = list(self._rows.values())
        first = next((row for row in rows if row.problem), rows[0])
        self.call_after_refresh(first.focus_box)

    def action_go(self, by: int) -> None:
        """Focus the next box, or the previous one; wraps around."""
        rows, row = list(self._rows.values()), self._row_in_focus
        here = -by if row is None else rows.index(row)
        rows[(here + by) % len(rows)].focus_box()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Up and Down change a number, and go from box to box elsewhere."""
        row = self._row_in_focus
        in_number = row is not None and bool(row.setting.step)
        return in_number if action == "step" else not in_number if action == "go" else True

    @property
    def _row_in_focus(self) -> SettingRow | None:
        focused = self.screen.focused
        return next((row for row in self._rows.values() if focused and row in focused.ancestors), None)

    def action_step(self, by: int) -> None:
        row = self._row_in_focus
        if row is not None:
            self.turn(row.setting.name, by)

    def action_default(self) -> None:
        row = self._row_in_focus
        if row is not None:
            self.put(row.setting.name, row.setting.default)

    def turn(self, name: str, by: int) -> None:
        """Move a number by this many steps, as Up and Down in its box do."""
        row = self._rows[name]
        values, _ = parse_all(SamplingSettings(), {name: stepped(row.setting, row.text, by)})
        self.put(name, values.get(name, row.text))

    def put(self, name: str, value: object) -> None:
        """Set one value, as if the user had typed it."""
        row, text = self._rows[name], written(value)
        if text == row.text:
            self.app.bell()
            return
        row.set_text(text)
        if row.is_mounted and isinstance(row.box, Input):
            row.box.select_all()  # so that typing replaces it
        self._check()

    def _fill(self) -> None:
        if not self.children:
            self.mount(SettingBoxes(*self._rows.values()), self._note)

    def set_values(self, settings: SamplingSettings) -> None:
        for name, row in self._rows.items():
            row.set_text(written(getattr(settings, name)))
        self._check(typed=False)

    def on_setting_row_changed(self, message: SettingRow.Changed) -> None:
        message.stop()
        self._check()

    def _check(self, typed: bool = True) -> None:
        values, wrong = parse_all(SamplingSettings(), {name: row.text for name, row in self._rows.items()})
        for name, row in self._rows.items():
            row.show_problem(wrong[name].problem if name in wrong else "")
        self._mark_changed()
        settings = None if wrong else changed(SamplingSettings(), values)
        problem = next((error.message for error in wrong.values()), "")
        self._explain()
        if (settings, problem) != (self.settings, self.problem):
            self.settings, self.problem = settings, problem
            self.post_message(self.Changed(settings, problem, typed))

    def _mark_changed(self) -> None:
        for row in self._rows.values():
            row.set_class(row.text != written(row.setting.default), "-changed")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self._focused = next((row for row in self._rows.values() if row in event.widget.ancestors), None)
        self._explain()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        self._focused = None
        self._explain()

    def _explain(self) -> None:
        """Explain the focused setting below the boxes, or why its value is invalid."""
        row = self._focused or next((row for row in self._rows.values() if row.problem), None)
        wrong = row is not None and bool(row.problem)
        if row is None:
            said = ""
        elif wrong:
            said = f"{WRONG}{row.setting.title}: {row.problem}"
        else:
            said = f"{row.setting.title}: {row.setting.description}. {HINTS.get(row.setting.name, '')}".strip()
            if self.settings is not None and row.setting.name in without_effect(self.settings):
                said = f"{said} No effect at temperature 0."
        self._note.set_class(wrong, "-wrong")
        self._note.update(self._fitted(said))

    def _fitted(self, note: str) -> str:
        """Cut a note to the lines below the boxes; help has all of it."""
        room = max(LEAST_NOTE, self.content_size.height - len(self._rows))
        width = self.content_size.width - 1
        lines = wrap(note, 0, width) if width > len(MORE) else []
        if len(lines) <= room:
            return note
        last = lines[room - 1]
        return note[: min(last.end, last.start + width - len(MORE))].rstrip() + MORE

    def on_resize(self, event: events.Resize) -> None:
        self._explain()

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.post_message(self.Submitted())


class SettingBoxes(VerticalScroll, can_focus=False, inherit_bindings=False):
    """The boxes; they scroll only to show the focused one, as the arrows go from box to box."""
