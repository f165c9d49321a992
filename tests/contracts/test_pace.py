"""A paced text, of every engine: it never runs ahead of what is allowed, and is the text of full speed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from makers import STANDARD_VARIANTS, VARIANTS, make_model

from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent, SamplingChanged, Token
from tinygpt_tui.events.requests import Allow, ChangeSampling, Generate, StopJob
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.sampling import SamplingChange, SamplingSettings
from tinygpt_tui.workers.service import EngineService

SAMPLING = SamplingSettings(temperature=1.0, max_new_tokens=12, seed=3)
# Each net by torch, and by the native engine where that can.
every_engine = pytest.mark.parametrize(
    ("settings", "native"),
    [
        pytest.param(settings, native, id=f"{name}, {'torch' if native else 'native'}")
        for name, settings in VARIANTS.items()
        for native in ("", "off")
        if native or name in STANDARD_VARIANTS
    ],
)


class Paced:
    """An engine service with one job, advanced as the engine process does."""

    def __init__(
        self,
        folder: Path,
        *,
        allowed: int | None,
        sampling: SamplingSettings = SAMPLING,
        changes: tuple[SamplingChange, ...] = (),
    ) -> None:
        self.service = EngineService()
        self.events: list[GenerationEvent] = []
        self.service.handle(0.0, Generate(str(folder), "abc", sampling, allowed=0, changes=changes, job=1))
        self.allow(allowed)

    def run(self) -> None:
        """Advance while there is something to do."""
        while self.service.busy:
            self.events += self.service.advance()

    def allow(self, tokens: int | None) -> None:
        self.service.handle(0.0, Allow(1, tokens, candidates=3))
        self.run()

    @property
    def tokens(self) -> list[Token]:
        return [event for event in self.events if isinstance(event, Token)]

    @property
    def changes(self) -> tuple[SamplingChange, ...]:
        return tuple(event.change for event in self.events if isinstance(event, SamplingChanged))

    @property
    def ids(self) -> list[int]:
        return [token.id for token in self.tokens]

    @property
    def reason(self) -> str:
        last = self.events[-1]
        return last.reason if isinstance(last, GenerationEnded) else ""


@every_engine
def test_a_paced_text_waits_at_every_token_and_is_the_same(
    settings: ArchitectureSettings, native: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYGPT_TUI_NATIVE", native)
    make_model(tmp_path, settings)
    fast, slow = Paced(tmp_path, allowed=None), Paced(tmp_path, allowed=0)
    assert (fast.reason, len(fast.ids)) == ("length", 12)
    for allowed, drawn in ((0, 0), (1, 1), (2, 2), (5, 5), (3, 5), (6, 6)):
        slow.allow(allowed)
        assert slow.ids == fast.ids[:drawn]
    slow.allow(None)
    assert slow.tokens == fast.tokens
    assert slow.reason == "length"


def test_a_text_that_waits_can_be_stopped_and_needs_no_permit_to_end(tmp_path: Path) -> None:
    make_model(tmp_path)
    waiting = Paced(tmp_path, allowed=2)
    waiting.service.handle(0.0, StopJob(1))
    waiting.run()
    assert (len(waiting.ids), waiting.reason) == (2, "stopped")
    assert Paced(tmp_path, allowed=12).reason == "length"


def test_other_settings_apply_from_the_next_token(tmp_path: Path) -> None:
    make_model(tmp_path)
    alone, greedy = Paced(tmp_path, allowed=None), Paced(tmp_path, allowed=4)
    greedy.service.handle(0.0, ChangeSampling(1, msgspec.structs.replace(SAMPLING, temperature=0.0)))
    greedy.allow(None)
    assert greedy.ids[:4] == alone.ids[:4]
    assert greedy.ids != alone.ids
    for token in greedy.tokens[4:]:
        assert token.chance is not None
        assert (token.chance.rank, token.chance.drawn) == (1, (1.0, 0.0, 0.0))


@pytest.mark.parametrize("native", ["", "off"], ids=["native", "torch"])
def test_a_text_is_the_same_again_with_its_seed_and_its_changes(
    native: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYGPT_TUI_NATIVE", native)
    make_model(tmp_path)
    first = Paced(tmp_path, allowed=4)
    for allowed, temperature in ((7, 5.0), (9, 5.0), (None, 0.3)):  # the second changes nothing
        changed = msgspec.structs.replace(SAMPLING, temperature=temperature)
        first.service.handle(0.0, ChangeSampling(1, changed))
        first.allow(allowed)
    assert first.changes == (SamplingChange(4, 5.0), SamplingChange(9, 0.3))
    again = Paced(tmp_path, allowed=None, changes=first.changes)
    assert (again.ids, again.changes) == (first.ids, first.changes)


def test_the_probabilities_of_a_draw_are_those_of_its_settings(tmp_path: Path) -> None:
    make_model(tmp_path)
    cut = msgspec.structs.replace(SAMPLING, temperature=0.5, top_k=2)
    for token in Paced(tmp_path, allowed=None, sampling=cut).tokens:
        assert token.chance is not None
        own = np.array([candidate.probability for candidate in token.chance.candidates])
        kept = own[:2] ** 2
        assert token.chance.drawn == pytest.approx([*(kept / kept.sum()), 0.0])
        assert token.id in [candidate.id for candidate in token.chance.candidates[:2]]
