"""Every event and request is one line, and comes back from it."""

from __future__ import annotations

import typing

import msgspec
import pytest

from tinygpt_tui.events import generation, requests, tracing, training, wire
from tinygpt_tui.reading import Damage
from tinygpt_tui.settings.sampling import SamplingChange, SamplingSettings

EXAMPLES: list[typing.Any] = [
    generation.EngineReady(1, {"torch": "2"}),
    generation.ModelOpened("/m", 8, 13, 100, 0.5),
    generation.GenerationStarted(1, 2, 8, (1 << 63) - 1, "Ж\n", 3, 1.5),
    generation.Token(1, 0, 5, '"\n\u2028\x00é', 3),
    generation.Token(
        1, 0, 5, "e", 3, generation.TokenProbabilities(0.25, 2, 1.5, (generation.Candidate(5, "é", 0.5),)), sample=3
    ),
    generation.Explained(1, (generation.TokenSeen(0, 1, 5, None), generation.TokenSeen(1, 2, -1, None))),
    generation.Attributed(1, 0.25, 3, (generation.Attribution(4, 5, -0.5),)),
    generation.TextChecked(1, 1.0, 5, 8, "a text", "", 9, 8, ("é",), ((0, 20),), generation.CopiedPassage(0, 20, 3)),
    generation.Compared(
        1, (generation.TensorCompared("w", (2, 3), None), generation.TensorCompared("v", (2,), (2,), 0.5, 1.0))
    ),
    generation.SensesSeen(
        1,
        (generation.SenseToken(0, 1, 5, (0.25, 1.0)),),
        {5: (generation.Sense((generation.Candidate(5, "é", 0.5),), ("a", "\n")),)},
    ),
    tracing.TraceStarted(1, "gpt", ("a", "\n"), (5, 0), 2, left_out=3, unknown="Ж", empty=False),
    tracing.Traced(
        1,
        steps=(
            tracing.TraceStep(
                number=1,
                name="q",
                title="queries",
                place=("block 1",),
                symbols="B, T, C",
                shape=(1, 2, 1),
                formula="q = x Wᵀ",
                source="gpt.py:1",
                code="x = y",
                inputs=(0,),
                kind="numbers",
                pictures=(tracing.Picture(2, 1, 3, b"\x00\x3c\xff\xfb"),),
                least=-1.0,
                most=1.0,
                mean=0.0,
                spread=1.0,
            ),
        ),
        lens=(tracing.LensRow("block 1", 1, ((tracing.Guess("é", 0.5),), ())),),
    ),
    generation.SamplingChanged(1, SamplingChange(3, 1.5, top_p=0.5)),
    generation.GenerationEnded(1, "stop text", 3, 0.5, None, "rest"),
    generation.Adapted(1, 2, 5, 1, (generation.LearnedWord("Vera", 3.1, 0.4),)),
    generation.CopySaved(1, "m-adapted"),
    generation.EngineFailed("it died", "ask again"),
    requests.OpenModel("/m"),
    requests.Generate("/m", "To be\r\n", SamplingSettings(seed=3, stop=("\n", "é|")), job=1),
    requests.Attribute("/m", "To be", 4, SamplingSettings(), untrained=True, job=1),
    requests.CheckText("/m", "To be", 2, quick=True, job=1),
    requests.Explain("/m", "To be", 2, 5, SamplingSettings(window="reanchor"), 10, untrained=True, job=1),
    requests.Generate("/m", "", SamplingSettings(), gains=((requests.EVERY_TOKEN, 0, 0.5), (5, 1, -1.0)), job=1),
    requests.LookAtSenses("/m", "To be", job=1),
    requests.CompareWeights("/m", "/n", job=1),
    requests.Trace("/m", "To be", untrained=True, job=1),
    requests.SaveCopy("/m", "To be", job=1),
    requests.StopJob(1),
    requests.Allow(1, None, 10),
    requests.ChangeSampling(1, SamplingSettings(temperature=1.5)),
    training.RunStarted(1.5, 0, 10, 100, 90, 10, "cpu", 1),
    training.Step(1, 2.5, 1e-3, 0.5, 1000.0, 0.1),
    training.Evaluation(1, 2.5, 2.4, 1, 2.5, 0.1),
    training.Sample(1, "a\nb"),
    training.Saved(1, "best"),
    training.Calibrated(9, 0.8, 2000, 1.25),
    training.OldText(9, "plays", 1.4, 1.7, "diary"),
    training.TeacherMeasured(0, 1.5),
    training.Paused(1, "full"),
    training.Resumed(1),
    training.RolledBack(1, 3, "the loss", 0.5),
    training.Planned(4, 90, 0.1),
    training.Note(1, "text", "warning"),
    training.Progress(7, "reading", 0.5),
    training.Finding(7, "rate", "warning", "the rate is too high", "it jumps", {"learning_rate": "0.001"}, 12),
    training.RunEnded(1.5, 1, "stopped", 1, None, 0.1),
]
READERS = {
    generation.GenerationEvent: wire.generation_event,
    requests.Request: wire.request,
    training.TrainingEvent: wire.training_event,
}


def test_every_kind_has_an_example() -> None:
    kinds = {kind for union in READERS for kind in typing.get_args(union)}
    assert kinds == {type(example) for example in EXAMPLES}


def test_a_diverged_run_of_an_older_journal_has_its_cause() -> None:
    """Older versions named it in the message alone."""
    ended = training.RunEnded(1.5, 9, "failed", 1, 2.5, 0.1, "the loss after step 9 is not a number")
    line = wire.to_line(ended).replace(b',"cause":""', b"")
    assert b"cause" not in line
    assert wire.training_event(line) == msgspec.structs.replace(ended, cause="diverged")
    full = msgspec.structs.replace(ended, message="the disk is full")
    assert wire.training_event(wire.to_line(full)) == full


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_it_is_one_line_and_comes_back(message: typing.Any) -> None:
    line = wire.to_line(message)
    assert line.endswith(b"\n")
    assert len(line.splitlines()) == 1
    read = next(read for union, read in READERS.items() if type(message) in typing.get_args(union))
    assert read(line) == message
    assert msgspec.json.decode(line)["type"] == type(message).__name__


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"noise\n",
        b"{}\n",
        b'{"type":"Tomorrow"}\n',
        b'{"type":"Step"}\n',
        b'{"type":"Note","step":1,"text":"\xff"}',
        b'{"type":"Note","more":' + b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("read", READERS.values())
def test_noise_is_refused_in_one_family_of_errors(line: bytes, read: typing.Any) -> None:
    with pytest.raises(Damage):
        read(line)


def test_a_newer_versions_fields_are_ignored() -> None:
    line = b'{"type":"Resumed","step":3,"mood":"good"}\n'
    assert wire.training_event(line) == training.Resumed(3)
