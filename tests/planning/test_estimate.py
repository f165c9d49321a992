"""What a training would take: counted right, warned of in words, and kept per machine; what suits a time and a text."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import msgspec
import pytest
import torch
from makers import small_training

from tinygpt_tui.planning.cost import EVALUATED_TOKENS, memory_bytes, step_seconds
from tinygpt_tui.planning.estimate import advice, estimate, in_words, rare_in, read_apart, warnings
from tinygpt_tui.planning.fitting import fitted
from tinygpt_tui.planning.machine import Machine, machine_file, read_machine, save_machine
from tinygpt_tui.settings.presets import PRESETS
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training import measure
from tinygpt_tui.training.evaluate import TOKENS_AT_ONCE
from tinygpt_tui.training.measure import choose, measure_machine, try_steps

CPU = torch.device("cpu")
HERE = Machine()

# Milliseconds a step and megabytes at the peak, measured on the core of the fit: see benchmarks/README.md.
MEASURED = {
    "small": (10.1, 98.0),
    "nanogpt": (76.5, 162.0),
}


@pytest.mark.parametrize("preset", MEASURED)
def test_the_model_agrees_with_what_was_measured(preset: str) -> None:
    step_ms, megabytes = MEASURED[preset]
    settings = PRESETS[preset].training
    assert step_seconds(settings, HERE) * 1e3 == pytest.approx(step_ms, rel=0.25)
    assert memory_bytes(settings) / 1e6 == pytest.approx(megabytes, rel=0.2)


def test_the_native_forms_keep_less(monkeypatch: pytest.MonkeyPatch) -> None:
    modern = PRESETS["modern"].training
    assert memory_bytes(modern, native=True) / 1e6 == pytest.approx(213, rel=0.2)
    assert memory_bytes(modern) / 1e6 == pytest.approx(267, rel=0.2)
    assert memory_bytes(modern) < memory_bytes(msgspec.structs.replace(modern, optimizer="adamw"))
    monkeypatch.setattr("tinygpt_tui.planning.cost.load_library", lambda: None)
    without = estimate(modern, 1_000_000, HERE).memory
    monkeypatch.setattr("tinygpt_tui.planning.cost.load_library", lambda: object())
    assert estimate(modern, 1_000_000, HERE).memory < without
    several = msgspec.structs.replace(HERE, threads=2)  # torch's own forms are the quicker ones then
    assert estimate(modern, 1_000_000, several).memory == without


def test_what_would_mend_it() -> None:
    quick = PRESETS["quick"].training

    def mending(settings: TrainingSettings, characters: int, free: float = 1e12) -> dict[str, dict[str, str]]:
        found = estimate(settings, characters, HERE)
        return {finding.check: finding.remedy for finding in advice(settings, found, "", free)}

    assert mending(quick, 1_000_000, free=1e6)["memory"] == {"batch_size": "2"}
    assert mending(quick, 2_000)["judges"] == {"validation_share": "0.25"}
    assert mending(quick, 2_000)["by-heart"] == {"dropout": "0.2"}
    many = msgspec.structs.replace(quick, batch_size=64, minutes=60.0)
    assert mending(many, 20_000)["short-text"] == {"batch_size": "17"}
    forgetful = msgspec.structs.replace(many, architecture=msgspec.structs.replace(many.architecture, dropout=0.3))
    rounds = mending(forgetful, 20_000)["rounds"]
    assert rounds["minutes"] == "0"
    assert (
        estimate(msgspec.structs.replace(forgetful, minutes=0.0, steps=int(rounds["steps"])), 20_000, HERE).epochs
        <= 100
    )


def test_what_is_read_at_once_is_what_the_evaluator_reads() -> None:
    assert EVALUATED_TOKENS == TOKENS_AT_ONCE


def test_a_slower_machine_is_slower_in_proportion() -> None:
    settings = PRESETS["modern"].training
    assert step_seconds(settings, HERE.scaled(3)) == pytest.approx(3 * step_seconds(settings, HERE))
    assert step_seconds(settings, Machine(calls=2)) > step_seconds(settings, HERE)


def test_counts() -> None:
    settings = small_training(steps=100, batch_size=8, evaluate_every=50)
    found = estimate(settings, 10_000, HERE)
    assert (found.train_tokens, found.validation_tokens, found.tokens_per_step) == (9000, 1000, 64)
    assert found.epochs == pytest.approx(6400 / 9000)
    assert found.evaluations == 3
    assert found.seconds > 100 * found.step_s
    assert estimate(settings, 10_000, HERE, measured_step_s=1.0).seconds >= 100


def test_of_pairs_an_epoch_reads_each_pair_once() -> None:
    settings = small_training(steps=100, batch_size=8)
    assert [read_apart(settings, path, 2_500) for path in ("dates.pairs", "tales.txt")] == [2_500, 0]
    documents = msgspec.structs.replace(settings, windows="documents")
    assert [read_apart(documents, "names.txt", count) for count in (2_500, 0)] == [2_500, 0]
    found, whole = estimate(settings, 10_000, HERE, documents=2_500), estimate(settings, 10_000, HERE)
    assert (found.train_tokens, found.tokens_per_step) == (9000, 32)  # a pair has four tokens, a window eight
    assert found.epochs == pytest.approx(100 * 8 / 2_250)
    assert found.step_s < whole.step_s
    assert estimate(settings, 10_000, HERE, documents=10).tokens_per_step == whole.tokens_per_step


def test_by_the_clock_the_steps_follow_from_the_time() -> None:
    found = estimate(small_training(minutes=2.0), 10_000, HERE, measured_step_s=0.1)
    assert found.seconds == 120
    assert 1000 < found.steps <= 1200
    assert "by the clock" in " ".join(in_words(small_training(minutes=2.0), found, HERE, 4e9))


def warned(settings: TrainingSettings, characters: int, rare: str = "", free: float = 1e12) -> str:
    return "\n".join(warnings(settings, estimate(settings, characters, HERE), rare, free))


def test_nothing_to_warn_of() -> None:
    assert warned(PRESETS["quick"].training, 1_000_000) == ""


def test_warnings() -> None:
    quick = PRESETS["quick"].training
    assert "the text is short: 3 windows of 256" in warned(quick, 1000)
    assert "the validation split has only 100 characters" in warned(quick, 1000)
    assert "memorise the text" in warned(quick, 30_000)
    assert "memorise the text" not in warned(
        msgspec.structs.replace(quick, architecture=msgspec.structs.replace(quick.architecture, dropout=0.2)), 30_000
    )
    assert "114 epochs" in warned(msgspec.structs.replace(PRESETS["small"].training, steps=40_000), 100_000)
    assert "of memory" in warned(quick, 1_000_000, free=1e6)
    assert warned(quick, 1_000_000, rare="é") == "1 character occurs only once (é): the model cannot learn it"
    assert "4 characters occur only once (\\nabc)" in warned(quick, 1_000_000, rare="abc\n")
    assert rare_in(Counter("abracadabra!")) == "!cd"


def test_without_torch() -> None:
    code = (
        "import sys; import tinygpt_tui.planning.fitting, tinygpt_tui.planning.estimate; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("minutes", [0.1, 1, 10, 120, 2000])
@pytest.mark.parametrize("characters", [400, 30_000, 1_000_000, 50_000_000])
def test_what_suits_a_time_and_a_text(minutes: float, characters: int) -> None:
    for vocab_size in (2, 65, 5000):
        for machine in (HERE, HERE.scaled(20), HERE.scaled(0.02)):
            chosen = fitted(minutes, characters, vocab_size, machine)
            found = estimate(chosen, characters, machine)
            assert found.steps >= 1
            assert chosen.minutes == minutes
            assert found.train_tokens > chosen.architecture.training_length
            assert found.validation_tokens >= 2
            assert chosen.architecture.n_embd % chosen.architecture.n_head == 0
            assert not (chosen.architecture.ngram_rows and found.epochs > 5)


def test_a_longer_time_a_larger_net_and_a_short_text_a_smaller_one() -> None:
    def width(minutes: float, characters: int) -> int:
        return fitted(minutes, characters, 65, HERE).architecture.n_embd

    assert width(0.2, 10**6) < width(1, 10**6) < width(60, 10**6)
    assert width(60, 30_000) < width(60, 10**6)
    assert fitted(10, 30_000, 65, HERE).architecture.dropout >= 0.2
    assert fitted(1, 10**6, 65, HERE).architecture.dropout == 0
    # what takes a minute there takes an hour here
    assert width(60, 10**6) > fitted(60, 10**6, 65, HERE.scaled(60)).architecture.n_embd


def test_a_machine_is_remembered_and_another_one_is_not_taken_for_it() -> None:
    assert not read_machine().measured
    save_machine(Machine(compute=2.0))
    assert (read_machine().compute, read_machine().measured) == (2.0, True)
    other = msgspec.structs.replace(read_machine(), name="another")
    machine_file().write_bytes(msgspec.json.encode(other))
    assert read_machine() == Machine()
    machine_file().write_bytes(b"noise")
    assert read_machine() == Machine()


def test_trying_steps_leaves_no_trace() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert 0 < try_steps(small_training(), CPU, 0.01) < 60
    assert torch.equal(torch.get_rng_state(), before)


def test_measuring_a_machine_finds_the_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Machine(compute=3.0, memory=1.5, calls=2.0)
    monkeypatch.setattr(measure, "try_steps", lambda net, device, seconds: step_seconds(net, real))
    found = measure_machine()
    for settings in (PRESETS["quick"].training, PRESETS["modern"].training, PRESETS["nanogpt"].training):
        assert step_seconds(settings, found) == pytest.approx(step_seconds(settings, real), rel=0.15)
    assert read_machine().measured


@pytest.mark.parametrize(
    ("speeds", "threads"), [((1.0, 0.6, 0.5), 4), ((1.0, 1.3, 0.1), 1), ((1.0, 0.97, 0.96), 1), ((1.0, 0.7, 0.69), 2)]
)
def test_the_quickest_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, speeds: tuple[float, ...], threads: int
) -> None:
    by_threads = dict(zip((1, 2, 4), speeds, strict=True))
    now = [1]
    monkeypatch.setattr(measure, "_thread_counts", lambda: [1, 2, 4])
    monkeypatch.setattr(measure.torch, "set_num_threads", lambda count: now.__setitem__(0, count))
    monkeypatch.setattr(measure, "devices", lambda: [CPU])
    monkeypatch.setattr(measure, "try_steps", lambda settings, device, seconds, hopeless_s=0.0: by_threads[now[0]])
    choice = choose(small_training(threads=0, device="auto"))
    assert (choice.threads, now[0], choice.device) == (threads, threads, CPU)
    assert f"cpu, {threads} thread" in choice.words
    assert "no accelerator" in choice.words


@pytest.mark.parametrize(("on_gpu", "wanted"), [(0.1, "cuda"), (2.0, "cpu")])
def test_the_quickest_device(monkeypatch: pytest.MonkeyPatch, on_gpu: float, wanted: str) -> None:
    monkeypatch.setattr(measure, "_thread_counts", lambda: [1])
    monkeypatch.setattr(measure, "devices", lambda: [CPU, torch.device("cuda")])
    monkeypatch.setattr(
        measure, "try_steps", lambda settings, device, seconds, hopeless_s=0.0: on_gpu if device.type == "cuda" else 1.0
    )
    choice = choose(small_training(threads=0, device="auto"))
    assert choice.device.type == wanted
    assert "cuda" in choice.words
