"""Walking through wrapped text: rows, columns, what lies above and below."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tinygpt_tui.ui.shared.wrapped_text import WrappedText

TEXTS = st.text(alphabet="ab \n\tcé日\u0301👍", min_size=1, max_size=60)


@given(TEXTS, st.integers(1, 20))
@settings(deadline=None)
def test_every_character_stands_on_one_line_at_its_column(text: str, width: int) -> None:
    wrapped = WrappedText(text, width)
    for offset, character in enumerate(text):
        line = wrapped.line_of(offset)
        assert line.start <= offset <= wrapped.last_of(line)
        found = wrapped.at_column(wrapped.row_of(offset), wrapped.column_of(offset))
        # Marks stand in the column of what follows them.
        assert found == offset or set(text[offset:found]) <= {"\u0301"} or text[found] == "\u0301"
        assert character == "\n" or offset < line.end


@given(TEXTS, st.integers(1, 20), st.integers(-5, 5), st.integers(0, 25))
@settings(deadline=None)
def test_rows_are_walked_one_by_one_and_end_at_the_texts_ends(text: str, width: int, rows: int, column: int) -> None:
    wrapped = WrappedText(text, width)
    reach = wrapped.row_of(len(text) - 1)
    for offset in range(len(text)):
        found = wrapped.above_or_below(offset, column, rows)
        row = wrapped.row_of(found)
        assert row == min(max(wrapped.row_of(offset) + rows, 0), reach)
        assert found == wrapped.last_of(wrapped.lines[row]) or wrapped.column_of(found + 1) > column


def test_a_column_is_kept_over_short_lines_by_who_remembers_it() -> None:
    text = "abcdef\nab\n\tx\n"
    wrapped = WrappedText(text, 10)
    assert wrapped.above_or_below(5, 5, 1) == 9  # the newline of the short line
    assert wrapped.above_or_below(9, 5, 1) == 12
    assert wrapped.above_or_below(12, 2, -1) == 9
    assert wrapped.above_or_below(12, 0, 1) == 10  # nothing stands below: a line that is empty is not walked
