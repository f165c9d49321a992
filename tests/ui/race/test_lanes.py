"""The race's logic without a screen: where texts first differ, how much agrees, and what is remembered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent, GenerationStarted, Token
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.race.lanes import FEWEST, MOST, Contender, Race, differences, report, share, verdict

TEXTS = st.text(alphabet="ab\n", max_size=12)
JOBS = 100  # the number of the first lane's job


def running(lanes: int = 2, prompt: str = "x", **kinds: Any) -> Race:
    """A race whose lanes have started."""
    race = Race([Contender(f"model {number}", f"/{number}") for number in range(1, lanes + 1)])
    race.start(prompt, "reading", **kinds)
    for number in range(lanes):
        take(race, [GenerationStarted(JOBS + number, len(prompt), 16, race.seed or 0)])
    return race


def take(race: Race, events: list[GenerationEvent]) -> None:
    """Give each lane its own events, as its job would."""
    for number, lane in enumerate(race.lanes):
        mine = [event for event in events if getattr(event, "job", None) == JOBS + number]
        if mine:
            race.apply_events(lane, mine)


def tokens(lane: int, text: str) -> list[GenerationEvent]:
    """Tokens of a lane, a character each."""
    return [Token(JOBS + lane, 0, 0, character, 1) for character in text]


def ended(lane: int, reason: Any = "length", **words: str) -> GenerationEnded:
    """The end of a lane's job."""
    return GenerationEnded(JOBS + lane, reason, 3, 2.0, 0.5, **words)


def told(texts: list[str], whole: list[bool]) -> list[int | None]:
    """Where each text leaves the first, found the slow way."""
    found: list[int | None] = []
    for text, is_whole in zip(texts, whole, strict=True):
        places: list[tuple[str, bool]] = []
        for offset in range(max(len(text), len(texts[0]))):
            ours, theirs = text[offset : offset + 1], texts[0][offset : offset + 1]
            missing = (not ours and not is_whole) or (not theirs and not whole[0])
            places.append((ours, missing or ours == theirs))
        found.append(next((offset for offset, (_, fine) in enumerate(places) if not fine), None))
    return found


@given(st.lists(st.tuples(TEXTS, st.booleans()), min_size=FEWEST, max_size=MOST), st.randoms(use_true_random=False))
def test_however_the_texts_arrive_the_first_difference_is_the_same(lanes: list[tuple[str, bool]], order: Any) -> None:
    race, left = running(len(lanes)), [text for text, _ in lanes]
    open_lanes = set(range(len(lanes)))
    while open_lanes:
        lane = order.choice(sorted(open_lanes))
        count = order.randint(0, 4)
        if left[lane]:
            take(race, tokens(lane, left[lane][:count]))
            left[lane] = left[lane][count:]
        else:
            take(race, [ended(lane, "end of text" if lanes[lane][1] else "length")])
            open_lanes.remove(lane)
    texts, whole = [text for text, _ in lanes], [is_whole for _, is_whole in lanes]
    expected = told(texts, whole)
    assert [lane.text for lane in race.lanes] == texts
    assert [lane.differs_at for lane in race.lanes[1:]] == expected[1:]
    assert race.first_difference == min((offset for offset in expected[1:] if offset is not None), default=None)
    for lane in race.lanes[1:]:
        pairs = list(zip(race.lanes[0].text, lane.text, strict=False))
        assert (lane.compared, lane.same) == (len(pairs), sum(ours == theirs for ours, theirs in pairs))
    for index, lane in enumerate(race.lanes):
        for mark in race.marks(index):
            assert mark <= len(lane.text)


@given(st.lists(TEXTS, min_size=3, max_size=MOST), st.data())
def test_without_a_lane_the_others_are_compared_as_if_it_had_never_run(texts: list[str], data: st.DataObject) -> None:
    race = running(len(texts))
    for lane, text in enumerate(texts):
        take(race, tokens(lane, text))
    gone = data.draw(st.integers(0, len(texts) - 1))
    race.remove(gone)
    rest = [text for lane, text in enumerate(texts) if lane != gone]
    fresh = running(len(rest))
    for lane, text in enumerate(rest):
        take(fresh, tokens(lane, text))
    facts = [(lane.text, lane.differs_at, lane.compared, lane.same) for lane in race.lanes[1:]]
    assert facts == [(lane.text, lane.differs_at, lane.compared, lane.same) for lane in fresh.lanes[1:]]


def test_one_seed_for_all_and_another_when_asked_again() -> None:
    race = running(3)
    assert race.seed is not None
    assert {lane.asked.sampling.seed for lane in race.lanes if lane.asked} == {race.seed}
    race.set_sampling(1, SamplingSettings(seed=41))
    race.start("x", "reading")
    assert race.seed == 41
    assert [lane.asked.sampling.seed for lane in race.lanes if lane.asked] == [41] * 3
    race.start("x", "reading", new_seed=True)
    assert [lane.asked.sampling.seed for lane in race.lanes if lane.asked] == [race.seed] * 3
    assert race.lanes[0].contender.sampling.seed == 41


def test_the_engine_getting_ready_is_seen_in_all_lanes() -> None:
    race = Race([Contender("one", "/1"), Contender("two", "/2")])
    race.start("x", "starting")
    race.engine_is_ready()
    assert [lane.writing.phase for lane in race.lanes] == ["reading", "reading"]


def test_the_first_lanes_settings_are_followed_but_for_what_is_ones_own() -> None:
    race = running(3)
    race.set_sampling(1, SamplingSettings(temperature=1.5))
    race.set_sampling(0, SamplingSettings(temperature=0.5, top_k=7))
    first, second, third = (lane.contender.sampling for lane in race.lanes)
    assert (second.temperature, second.top_k) == (1.5, 7)
    assert third == first
    assert differences(second, first) == "temperature 1.5"
    assert differences(third, first) == ""


def test_differences_are_said_as_one_would_type_them() -> None:
    other = SamplingSettings(stop=("\n\n", "END"), stop_at_blank_line=True, banned="", allowed="ab ", window="exact")
    assert differences(other, SamplingSettings(banned="x", seed=4)) == (
        r"stop '\n\n | END' · stop at blank line yes · banned none · allowed 'ab ' · window exact"
    )


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (("", ""), "nothing to compare yet"),
        (("abc", "ab"), "the same so far: 2 characters"),
        (("abc", "aXc"), "first differs at character 2: 'b' / 'X'"),
        (("a\n", "a\t"), "first differs at character 2: '↵' / '⇥'"),
        (("a\x1b", "ab"), "first differs at character 2: '␛' / 'b'"),
    ],
)
def test_the_verdict_is_a_sentence(texts: tuple[str, str], sentence: str) -> None:
    race = running()
    for lane, text in enumerate(texts):
        take(race, tokens(lane, text))
    assert verdict(race) == sentence


def test_a_text_that_ended_where_another_goes_on_differs_there_unless_it_was_cut() -> None:
    race = running(3)
    take(race, [*tokens(0, "abc"), *tokens(1, "ab"), *tokens(2, "ab")])
    take(race, [ended(1, "stop text"), ended(2, "stopped")])
    assert verdict(race) == "first differs at character 3: 'c' / end / …"
    assert race.marks(0) == race.marks(1) == (2,)
    assert race.marks(2) == ()


def test_equal_to_the_end_is_said_so() -> None:
    race = running()
    take(race, [*tokens(0, "ab"), *tokens(1, "ab"), ended(0), ended(1)])
    assert verdict(race) == "the same: 2 characters"
    assert share(race.lanes[1]) == "100% same as 1"


def test_a_lane_that_fails_says_why_and_the_others_go_on() -> None:
    race = running()
    take(race, [*tokens(0, "ab"), ended(1, "failed", message="no weights", hint="train it")])
    assert race.lanes[1].problem == "no weights; train it"
    assert race.busy
    take(race, [ended(0, "failed", message="no engine")])
    assert race.lanes[0].problem == "no engine"
    assert race.lanes[0].text == "ab"
    assert not race.busy


def test_who_wrote_is_kept_apart_from_who_comes_next() -> None:
    race = running()
    race.change(1, name="other", model="/other")
    take(race, tokens(1, "abc"))
    assert race.lanes[1].asked == Contender("model 2", "/2", sampling=SamplingSettings(seed=race.seed))
    assert "2. model 2" in report(race)


def test_the_report_has_all_that_is_needed_to_do_it_again() -> None:
    race = Race([Contender("one", "/1"), Contender("one", "/1", untrained=True)])
    race.set_sampling(0, SamplingSettings(seed=41, temperature=0.9))
    race.set_sampling(1, SamplingSettings(seed=41, temperature=1.2))
    race.start("ROMEO:", "reading")
    take(race, [*tokens(0, "abcd"), *tokens(1, "abxy"), ended(0), ended(1)])
    race.add(Contender("two", "/2"))
    assert report(race) == (
        "seed 41; first differs at character 3: 'c' / 'x'\n\n"
        "=== 1. one; temperature 0.9; stopped at the 4-token limit\nROMEO:abcd\n\n"
        "=== 2. one, untrained; temperature 1.2; stopped at the 4-token limit; 50% same as 1\nROMEO:abxy\n"
    )


@given(st.lists(st.tuples(st.from_regex(r"[\w. -]*\w", fullmatch=True), st.booleans()), min_size=2, max_size=4))
def test_lanes_are_remembered(lanes: list[tuple[str, bool]]) -> None:
    race = Race([Contender(name, "/somewhere", untrained=untrained) for name, untrained in lanes])
    again = Race.remembered(race.to_remember())
    assert [(lane.contender.name, lane.contender.untrained) for lane in again.lanes] == lanes


@pytest.mark.parametrize("written", ["", "trained one", "\n\n", "untrained \ntrained "])
def test_nothing_usable_remembered_is_a_model_and_its_untrained_twin(written: str) -> None:
    race = Race.remembered(written)
    assert [lane.contender for lane in race.lanes] == [Contender(), Contender(untrained=True)]


def test_more_lanes_than_there_may_be_are_left_out() -> None:
    assert len(Race.remembered("trained a\n" * 9).lanes) == MOST
