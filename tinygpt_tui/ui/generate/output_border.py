"""What the border of the output says: the model above; below temperature and pace, seed and branch."""

from __future__ import annotations

from textual.markup import escape
from textual.widget import Widget

from tinygpt_tui.sessions.document import Session
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.generate.session_editor import SessionEditor
from tinygpt_tui.ui.generate.status_line import StatusLine
from tinygpt_tui.ui.shared.sampling_words import draw_words

BETWEEN = " · "


def dials(sampling: SamplingSettings, pace: str) -> list[str]:
    """Return what shapes each draw, in colour where it differs from the default, and the pace; as markup."""
    words = [f"[$accent]{escape(text)}[/]" if differs else text for text, differs in draw_words(sampling)]
    return [*words, pace]


def place(session: Session, model: str, sampling: SamplingSettings | None = None) -> list[str]:
    """Return the current text's model if it is not `model`, its seed, and which branch it is; as markup.

    Also how its last token was drawn, if that is another way than by `sampling`.
    """
    if session.current is None:
        return []
    current = session.branches[session.current]
    parts = [f"by {escape(current.model)}"] if current.tokens and current.model not in ("", model) else []
    if current.seed is not None:
        own = draw_words(current.last_sampling)
        differs = sampling is not None and own != draw_words(sampling)
        drawn = f", drawn with {escape(', '.join(words for words, _ in own))}" if differs else ""
        parts.append(f"seed {current.seed}{', settings changed' if current.turned else ''}{drawn}")
    if len(session.branches) > 1:
        number = list(session.branches).index(session.current) + 1
        parts.append(f"branch {number} of {len(session.branches)}")
    return parts


class OutputBorder:
    """The border of the text, and of the first screen in its place; the status line where there is no border."""

    def __init__(self, editor: SessionEditor, output: Widget, welcome: Widget, status: StatusLine) -> None:
        self._editor, self._output, self._welcome, self._status = editor, output, welcome, status
        self._model = ""
        self._sampling = SamplingSettings()
        self.repeats = False  # the text is drawn with settings of its own, not with those that are shown
        self._dials: list[str] = []
        self._has_text = False

    def set_model(self, name: str) -> None:
        """Name the model in use, and the text's own where it is another one."""
        self._model = name
        self._update()

    def set_dials(self, sampling: SamplingSettings, pace: str) -> None:
        """Show how tokens are drawn now, and how fast."""
        self._sampling, self._dials = sampling, dials(sampling, pace)
        self._status.set_dials(BETWEEN.join([*(words for words, _ in draw_words(sampling)), pace]))
        self._update()

    def show_text(self) -> None:
        """Show the seed and the number of the current branch."""
        self._has_text = self._editor.current is not None
        self._update()

    def clear(self) -> None:
        """There is no text."""
        self._has_text = False
        self._update()

    def _update(self) -> None:
        self._output.border_title = escape(f"{self._model or 'output'}{self._stamp}")
        self._welcome.border_title = escape(self._model or "output")
        own = place(self._editor.session, self._model, self._shown) if self._has_text else []
        self._output.border_subtitle = BETWEEN.join([*self._dials, *own])
        self._welcome.border_subtitle = BETWEEN.join(self._dials)

    @property
    def _shown(self) -> SamplingSettings | None:
        """What a text's own settings are compared with; None while it is drawn with what is shown."""
        return self._sampling if self.repeats or self._editor.writing is None else None

    @property
    def _stamp(self) -> str:
        """The training step at which the model in use wrote the text, if it was in training; else empty."""
        branch = self._editor.current
        if branch is None or not branch.in_training or not self._has_text:
            return ""
        return f" · {branch.stamp}" if branch.model == self._model else ""
