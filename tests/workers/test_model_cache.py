"""What was opened last stays open."""

from __future__ import annotations

import pytest

from tinygpt_tui.workers.model_cache import LRUCache


def test_what_is_unused_longest_goes_and_what_has_changed_is_opened_again() -> None:
    kept = LRUCache[str, int, str](lambda values: len(values) > 2)

    def found(key: str, state: int = 0) -> bool:
        value, was_open = kept.open(key, state, lambda: f"{key}{state}")
        assert value == f"{key}{state}"
        return was_open

    assert [found(key) for key in "abab"] == [False, False, True, True]
    assert not found("a", state=1)
    assert found("a", state=1)
    assert not found("c")  # for which b went, unused longest
    assert found("a", state=1)
    assert not found("b")


def test_one_is_kept_however_large_and_none_that_could_not_be_opened() -> None:
    kept = LRUCache[str, int, str](lambda values: sum(map(len, values)) > 3)
    assert not kept.open("large", 0, lambda: "x" * 9)[1]
    assert kept.open("large", 0, lambda: "x" * 9)[1]
    with pytest.raises(OSError, match="gone"):
        kept.open("large", 1, _gone)
    assert not kept.open("large", 0, lambda: "x" * 9)[1]


def _gone() -> str:
    raise OSError("gone")
