"""GarbagePolicy is looked for when nobody presses keys."""

from __future__ import annotations

import os
import subprocess
import sys

from tinygpt_tui.ui.shell.gc_policy import AT_LEAST_EVERY_S, EVERY_S, QUIET_S, GarbagePolicy


class Bench:
    """A collector that counts, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now, self.collected = 0.0, 0
        self.garbage = GarbagePolicy(self.collect, lambda: self.now)

    def collect(self) -> None:
        self.collected += 1

    def look_at(self, now: float) -> int:
        self.now = now
        self.garbage.collect_if_due()
        return self.collected


def test_it_is_collected_now_and_then_while_it_is_quiet() -> None:
    bench = Bench()
    assert bench.look_at(EVERY_S / 2) == 0
    assert bench.look_at(EVERY_S) == 1
    assert bench.look_at(EVERY_S * 1.5) == 1
    assert bench.look_at(EVERY_S * 2) == 2


def test_keys_put_it_off_but_not_for_ever() -> None:
    bench = Bench()
    step = QUIET_S / 2
    while bench.now < AT_LEAST_EVERY_S - step:
        bench.garbage.key()
        assert bench.look_at(bench.now + step) == 0
    bench.garbage.key()
    assert bench.look_at(AT_LEAST_EVERY_S) == 1


def test_a_pause_between_keys_is_enough() -> None:
    bench = Bench()
    bench.now = EVERY_S
    bench.garbage.key()
    assert bench.look_at(EVERY_S + QUIET_S / 2) == 0
    assert bench.look_at(EVERY_S + QUIET_S) == 1


def test_what_the_start_made_is_not_looked_at_again() -> None:
    # In a process of its own: frozen objects stay frozen.
    program = (
        "import gc; from tinygpt_tui.ui.shell.gc_policy import GarbagePolicy; gc.disable(); garbage = GarbagePolicy();"
        "garbage.take_over(); garbage.started(); print(gc.isenabled(), gc.get_freeze_count() > 1000)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.split() == ["True", "True"]


def test_keys_are_shown_at_twice_textuals_own_ticks_where_nobody_said_otherwise() -> None:
    program = "import tinygpt_tui.ui; from textual.constants import MAX_FPS; print(MAX_FPS)"
    shown = []
    for said in ({}, {"TEXTUAL_FPS": "30"}):
        environment = {name: value for name, value in os.environ.items() if name != "TEXTUAL_FPS"} | said
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True, env=environment
        )
        shown.append(done.stdout.strip())
    assert shown == ["120", "30"]
