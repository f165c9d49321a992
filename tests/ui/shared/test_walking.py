"""Walking through wrapped text: rows, columns, what lies above and below."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tinygpt_tui.ui.shared.walking import above_or_below, at_column, column_of, last_of, row_of
from tinygpt_tui.ui.shared.wrapping import wrap

TEXTS = st.text(alphabet="ab \n\tcé日\u0301👍", min_size=1, max_size=60)


@given(TEXTS, st.integers(1, 20))
@settings(deadline=None)
def test_every_character_stands_on_one_line_at_its_column(text: str, width: int) -> None:
    lines = wrap(text, 0, width)
    for offset, character in enumerate(text):
        line = lines[row_of(lines, offset)]
        assert line.start <= offset <= last_of(text, line)
        found = at_column(text, line, column_of(text, line, offset))
        # Marks stand in the column of what follows them.
        assert found == offset or set(text[offset:found]) <= {"\u0301"} or text[found] == "\u0301"
        assert character == "\n" or offset < line.end


@given(TEXTS, st.integers(1, 20), st.integers(-5, 5), st.integers(0, 25))
@settings(deadline=None)
def test_rows_are_walked_one_by_one_and_end_at_the_texts_ends(text: str, width: int, rows: int, column: int) -> None:
    lines = wrap(text, 0, width)
    reach = row_of(lines, len(text) - 1)
    for offset in range(len(text)):
        found = above_or_below(text, lines, offset, column, rows)
        row = row_of(lines, found)
        assert row == min(max(row_of(lines, offset) + rows, 0), reach)
        assert found == last_of(text, lines[row]) or column_of(text, lines[row], found + 1) > column


def test_a_column_is_kept_over_short_lines_by_who_remembers_it() -> None:
    text = "abcdef\nab\n\tx\n"
    lines = wrap(text, 0, 10)
    assert above_or_below(text, lines, 5, 5, 1) == 9  # the newline of the short line
    assert above_or_below(text, lines, 9, 5, 1) == 12
    assert above_or_below(text, lines, 12, 2, -1) == 9
    assert above_or_below(text, lines, 12, 0, 1) == 10  # nothing stands below: a line that is empty is not walked
