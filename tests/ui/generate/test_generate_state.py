"""What the Generate tab keeps, without a screen: the window, the history, the numbers of a generation."""

from __future__ import annotations

import filelock
import pytest
from rich.cells import cell_len

from tinygpt_tui import paths
from tinygpt_tui.errors import StorageError
from tinygpt_tui.events.generation import GenerationEnded, GenerationStarted, Token
from tinygpt_tui.ui.generate.status_line import status_text
from tinygpt_tui.ui.shared.context_window import ContextWindow
from tinygpt_tui.ui.shared.generation_view import Asked, GenerationView
from tinygpt_tui.ui.shared.prompt_history import LONGEST, MOST_CHARACTERS, PromptHistory


def test_the_window_begins_at_its_first_token() -> None:
    window = ContextWindow()
    window.begin("abcdef", 6, block_size=8)
    assert (window.start, window.used) == (0, 6)
    for offset in range(6, 10):
        window.add(offset, min(offset, 8))
    assert (window.start, window.used) == (2, 8)


def test_where_a_new_beginning_is_read_the_window_jumps_to_it() -> None:
    window = ContextWindow()
    window.begin("abcdefgh", 8, block_size=8)
    window.add(8, 8)
    assert (window.start, window.used) == (1, 8)
    window.add(9, 4)  # reanchored: the half that was kept, and the token before
    assert (window.start, window.used) == (5, 5)


def test_the_window_of_a_character_is_what_was_in_sight_when_it_was_drawn() -> None:
    window = ContextWindow()
    assert window.start_at(3) == 0
    window.begin("abcdef", 6, block_size=4)
    window.add(6, 4)
    window.add(7, 2)  # reanchored
    assert [window.start_at(offset) for offset in range(9)] == [0, 0, 0, 0, 0, 1, 2, 5, 5]
    endless = ContextWindow()
    endless.begin("abc", 3, block_size=0)
    assert endless.start_at(2) == 0


def test_characters_that_are_no_tokens_do_not_count() -> None:
    window = ContextWindow()
    window.begin("ébécd", 3, block_size=2, unknown="é")
    assert (window.start, window.used) == (3, 2)


def test_a_long_prompt_falls_out_before_the_first_token() -> None:
    window = ContextWindow()
    window.begin("a" * 100, 100, block_size=10)
    assert window.start == 90


def test_tokens_longer_than_a_character_are_placed_by_estimate() -> None:
    window = ContextWindow()
    window.begin("a" * 100, 25, block_size=10)
    assert window.start == 60


def test_a_damaged_history_gives_what_can_be_read() -> None:
    paths.home().mkdir(parents=True)
    paths.prompts_file().write_bytes(b'"one"\n{broken\n\xff\xfe\n3\n"two\\nlines"\n"cut off')
    history = PromptHistory.load()
    assert history.older("") == "two\nlines"
    assert history.older("") == "one"
    assert history.older("") is None


def test_what_cannot_be_read_of_the_history_is_set_aside_and_not_overwritten() -> None:
    paths.home().mkdir(parents=True)
    damaged = b'"one"\n{broken\n[[["deep"\n'
    aside = paths.prompts_file().with_name(f"{paths.prompts_file().name}.damaged")
    for _ in range(2):
        paths.prompts_file().write_bytes(damaged)
        history = PromptHistory.load()
        history.add("new")
        history.save()
        assert paths.prompts_file().read_bytes() == b'"one"\n"new"\n'
    assert [path.read_bytes() for path in (aside, aside.with_name(f"{aside.name}-2"))] == [damaged, damaged]
    history.add("newer")
    history.save()
    assert len(list(paths.home().glob("*.damaged*"))) == 2


def test_the_history_is_bounded_and_says_nothing_twice() -> None:
    history = PromptHistory()
    for number in range(LONGEST + 5):
        assert history.add(f"prompt {number}")
    assert not history.add(f"prompt {LONGEST + 4}")
    assert not history.add("  ")
    history.save()
    assert len(paths.prompts_file().read_bytes().splitlines()) == LONGEST


def test_two_apps_at_once_keep_the_prompts_of_both() -> None:
    one, other = PromptHistory.load(), PromptHistory.load()
    one.add("of one")
    one.save()
    other.add("of the other")
    other.save()
    one.add("of one again")
    one.save()
    one.save()
    kept = PromptHistory.load()
    assert [kept.older("") for _ in range(4)] == ["of one again", "of the other", "of one", None]


def test_prompts_of_a_megabyte_do_not_pile_up() -> None:
    history = PromptHistory()
    for letter in "abc":
        history.add(letter * MOST_CHARACTERS)
    history.save()
    kept = PromptHistory.load()
    assert kept.older("") == "c" * MOST_CHARACTERS
    assert kept.older("") is None


def test_a_history_that_another_holds_is_said_and_kept_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinygpt_tui.ui.shared.prompt_history.PATIENCE_S", 0.01)
    history = PromptHistory()
    history.add("waits")
    paths.home().mkdir(parents=True)
    with (
        filelock.FileLock(paths.prompts_file().with_name(f".{paths.prompts_file().name}.lock")),
        pytest.raises(StorageError),
    ):
        history.save()
    history.save()
    assert PromptHistory.load().older("") == "waits"


class Clock:
    """Shows the time that a test says."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def written(tokens: int, block_size: int = 128) -> tuple[GenerationView, Clock]:
    clock = Clock()
    writing = GenerationView(Asked("ab", 2), "reading", clock)
    writing.apply_event(GenerationStarted(1, 2, block_size, 7), 2)
    clock.now = 0.5
    for index in range(tokens):
        writing.apply_event(Token(1, index, 0, "c", 3), 2 + index)
    return writing, clock


def test_the_speed_counts_from_the_first_token() -> None:
    writing, clock = written(101)
    clock.now = 2.5
    assert writing.seconds_to_first == 0.5
    assert writing.tokens_per_s == 50
    writing.apply_event(GenerationEnded(1, "length", 101, seconds=1.5, seconds_to_first=0.5), 103)
    assert writing.tokens_per_s == 100
    assert writing.reason == "stopped at the 101-token limit"


@pytest.mark.parametrize("width", [*range(1, 30), 48, 78, 200])
def test_the_status_is_one_line_that_does_not_jump(width: int) -> None:
    few, many = (status_text(written(tokens)[0], width) for tokens in (3, 3000))
    assert cell_len(few.plain) == cell_len(many.plain) == width
    assert "\n" not in few.plain
    if width >= 48:
        assert few.plain.index("tok") == many.plain.index("tok")
        assert "128" in few.plain


def test_a_net_without_a_window_has_numbers_too() -> None:
    line = status_text(written(3, block_size=0)[0], 78).plain
    assert "3 tok" in line
    assert "no window" in line
