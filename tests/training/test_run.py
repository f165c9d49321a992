"""A training leaves everything on the disk, goes on from it, and ends with a word whatever happens."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import filelock
import msgspec
import pytest
import torch
from makers import TEXT, make_run, spoil_loss

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.native import load
from tinygpt_tui.errors import CorpusError, RunError, StorageError, UsageError
from tinygpt_tui.events.training import (
    Evaluation,
    Note,
    Paused,
    Progress,
    Resumed,
    RolledBack,
    RunEnded,
    RunStarted,
    Saved,
    Step,
    TrainingEvent,
)
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.extending import check_resumable, extended
from tinygpt_tui.runs.folder import RunFolder, RunSettings, RunStatus
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.index import list_runs
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.settings.training import Extension
from tinygpt_tui.training import recorder
from tinygpt_tui.training import run as run_module
from tinygpt_tui.training.evaluate import whole_loss
from tinygpt_tui.training.evaluations import Evaluations
from tinygpt_tui.training.run import run_training


def ended(events: list[TrainingEvent]) -> RunEnded:
    assert isinstance(events[-1], RunEnded)
    assert not any(isinstance(event, RunEnded) for event in events[:-1])
    return events[-1]


def steps(events: list[TrainingEvent]) -> list[tuple[int, float]]:
    return [(event.step, event.loss) for event in events if isinstance(event, Step)]


def stop_at(run: RunFolder, step: int, settings: RunSettings | None = None) -> list[TrainingEvent]:
    events = []
    for event in run_training(run.model, settings=settings):
        events.append(event)
        if isinstance(event, Step) and event.step == step:
            Control(run.control).send("stop")
    return events


def test_a_whole_run() -> None:
    run = make_run()
    events = []
    for event in run_training(run.model):
        events.append(event)
        assert read_journal(run.events)[-1] == event  # written before it is shown
    assert read_journal(run.events) == events
    assert isinstance(events[0], RunStarted)
    assert (events[0].step, events[0].steps, events[0].device) == (0, 12, "cpu")
    assert events[0].train_tokens + events[0].validation_tokens == len(TEXT)
    end = ended(events)
    evaluations = [event for event in events if isinstance(event, Evaluation)]
    assert (end.reason, end.step, end.message) == ("finished", 12, "")
    assert (end.best_step, end.best_loss) == (evaluations[-1].best_step, evaluations[-1].best_loss)

    status = run.read_status()
    assert (status.state, status.step, status.steps, status.pid) == ("finished", 12, 12, os.getpid())
    assert [card.state for card in list_runs() if card.name == "cat"] == ["finished"]

    checkpoint = load(run.model)
    assert checkpoint.config.trained is not None
    assert (checkpoint.config.trained.step, checkpoint.config.trained.corpus) == (end.best_step, "cat")
    ids = checkpoint.tokenizer.encode(TEXT)
    validation = torch.tensor(ids[int(len(ids) * 0.9) :]).numpy()
    assert whole_loss(checkpoint.model, validation, 8) == pytest.approx(end.best_loss, rel=1e-5)

    settings = run.read_settings()
    assert settings.training.architecture.vocab_size == len(set(TEXT))
    assert settings.corpus.characters == len(TEXT)
    assert len(settings.corpus.sha256) == 64


def test_stopped_and_gone_on_it_is_the_same_run() -> None:
    straight = list(run_training(make_run("straight", dropout=0.2).model))
    run = make_run("halved", dropout=0.2)
    first = stop_at(run, 6)
    assert (ended(first).reason, ended(first).step) == ("stopped", 6)
    assert (run.read_status().state, run.read_status().steps) == ("stopped", 12)
    assert run.resume.exists()
    second = list(run_training(run.model))
    assert isinstance(second[0], RunStarted)
    assert second[0].step == 6
    assert Note(6, "resuming from step 6") in second
    assert (ended(second).reason, ended(second).step) == ("finished", 12)
    assert steps(first) + steps(second) == steps(straight)
    assert read_journal(run.events) == first + second
    one, other = load(run.model), load(paths.models_folder() / "straight")
    assert all(torch.equal(tensor, one.model.state_dict()[name]) for name, tensor in other.model.state_dict().items())


def test_a_finished_run_has_nothing_left_to_do() -> None:
    run = make_run()
    first = list(run_training(run.model))
    again = list(run_training(run.model))
    assert steps(again) == []
    assert (ended(again).reason, ended(again).best_loss) == ("finished", ended(first).best_loss)


def test_the_best_weights_are_kept_not_the_last() -> None:
    run = make_run(steps=40, evaluate_every=10, learning_rate=1e-2)
    for event in run_training(run.model):
        if isinstance(event, Saved) and event.what == "best":
            best = event.step
    trained = load(run.model).config.trained
    assert trained is not None
    assert trained.step == best


def test_what_a_run_ends_with_was_measured_on_all_of_the_split() -> None:
    run = make_run(steps=400, evaluate_every=2, evaluation_tokens=24, learning_rate=3e-2, patience=2)
    on_the_way = []
    for event in run_training(run.model):
        if isinstance(event, Saved) and event.what == "best":
            trained = load(run.model).config.trained
            assert trained is not None
            on_the_way.append(trained.tokens)
    assert on_the_way[0] == 24
    kept = load(run.model)
    assert kept.config.trained is not None
    assert isinstance(event, RunEnded)
    assert kept.config.trained.step == event.best_step < event.step  # the last weights are not the best
    assert (kept.config.trained.tokens, event.best_tokens) == (0, 0)
    assert kept.config.trained.validation_loss == event.best_loss
    ids = kept.tokenizer.encode(TEXT)
    validation = torch.tensor(ids[int(len(ids) * 0.9) :]).numpy()
    assert event.best_loss == pytest.approx(whole_loss(kept.model, validation, 8))
    note = next(event for event in read_journal(run.events) if isinstance(event, Note) and "interim" in event.text)
    assert f"24 of {len(validation)} tokens" in note.text


def test_the_best_weights_get_the_loss_that_was_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the whole split, at the end: on the way they were the best by a part of it."""
    found = iter([(3.0, 3.0, False), (2.0, 2.0, False), (2.5, 2.5, False), (2.3, 2.2, True), (2.1, 2.0, True)])

    def measure(*arguments: object) -> Generator[TrainingEvent, None, tuple[float, float, bool]]:
        yield from ()
        return next(found)

    monkeypatch.setattr(Evaluations, "_measure", measure)
    run = make_run(steps=12, evaluate_every=4, evaluation_tokens=24)
    list(run_training(run.model))
    trained = load(run.model).config.trained
    assert trained is not None
    assert (trained.step, trained.validation_loss, trained.tokens) == (4, 2.1, 0)


def test_a_second_trainer_is_refused() -> None:
    run = make_run()
    events = run_training(run.model)
    next(events)
    with pytest.raises(RunError, match="already") as caught:
        next(run_training(run.model))
    assert caught.value.hint
    rest = list(events)
    assert ended(rest).reason == "finished"
    assert [event for event in read_journal(run.events) if isinstance(event, RunStarted)] != []
    with filelock.FileLock(run.lock).acquire(timeout=0):  # and the lock is free again
        pass


def test_wishes_from_before_are_forgotten_or_heeded() -> None:
    run = make_run()
    Control(run.control).send("stop")
    assert ended(list(run_training(run.model))).reason == "finished"
    other = make_run("dog")
    Control(other.control).send("stop")
    assert ended(list(run_training(other.model, keep_earlier_commands=True))).reason == "stopped"


def test_stop_after_the_last_step_is_no_stop() -> None:
    events = stop_at(make_run(), 12)
    assert (ended(events).reason, ended(events).step) == ("finished", 12)


def test_save_now_is_done_now() -> None:
    run = make_run(evaluate_every=100)
    events: list[TrainingEvent] = []
    for event in run_training(run.model):
        events.append(event)
        if isinstance(event, Step) and event.step == 3:
            Control(run.control).send("save")
    assert [event.step for event in events if event == Saved(event.step, "resume")] == [3, 12]


def test_a_pause_saves_the_state_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its user may close the lid."""
    run = make_run(evaluate_every=100)
    control = Control(run.control)
    monkeypatch.setattr("tinygpt_tui.training.commands.time.sleep", lambda seconds: control.cancel("pause"))
    events: list[TrainingEvent] = []
    for event in run_training(run.model):
        events.append(event)
        if isinstance(event, Step) and event.step == 3:
            control.send("pause")
    place = events.index(Paused(3))
    assert events[place + 1 : place + 3] == [Saved(3, "resume"), Resumed(3)]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A disk that is full while the list's only element says so; nobody sleeps."""
    full = [False]
    plain = os.fsync

    def fsync(handle: int) -> None:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(recorder, "ROOM_POLL_S", 0.0)
    return full


def test_a_full_disk_pauses_until_there_is_room(full_disk: list[bool]) -> None:
    run = make_run()
    events: list[TrainingEvent] = []
    for event in run_training(run.model):
        events.append(event)
        if isinstance(event, Step) and event.step == 4:
            full_disk[0] = True
        if isinstance(event, Paused):
            assert "full" in event.reason
            assert "free some space" in event.reason
            assert load(run.model).config.trained is not None  # the old weights are whole
            full_disk[0] = False
    place = next(i for i, event in enumerate(events) if isinstance(event, Paused))
    assert events[place + 1] == Resumed(4)
    assert sum(isinstance(event, Paused) for event in events) == 1
    assert ended(events).reason == "finished"
    assert len(steps(events)) == 12
    assert read_journal(run.events) == events


def test_stop_ends_the_waiting_for_room(full_disk: list[bool]) -> None:
    run = make_run()
    events: list[TrainingEvent] = []
    for event in run_training(run.model):
        events.append(event)
        if isinstance(event, Step) and event.step == 4:
            full_disk[0] = True
        if isinstance(event, Paused):
            Control(run.control).send("stop")
    assert (ended(events).reason, ended(events).step) == ("failed", 4)
    assert "full" in ended(events).message


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))


def test_a_really_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.name == "posix" and os.geteuid() == 0
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if not mounted or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk, and not everywhere")
    try:
        monkeypatch.setenv(paths.HOME_VARIABLE, str(disk))
        monkeypatch.setattr(recorder, "ROOM_POLL_S", 0.0)
        run = make_run(steps=30, evaluate_every=5)
        filler = disk / "filler"
        events: list[TrainingEvent] = []
        for event in run_training(run.model):
            events.append(event)
            if isinstance(event, Step) and event.step == 7:
                with pytest.raises(OSError, match="No space left"):
                    fill(filler)
            if isinstance(event, Paused):
                assert "full" in event.reason
                load(run.model)
                filler.unlink(missing_ok=True)
        assert any(isinstance(event, Paused) for event in events)
        assert any(isinstance(event, Resumed) for event in events)
        assert ended(events).reason == "finished"
        assert [step for step, _ in steps(read_journal(run.events))] == list(range(1, 31))
        assert read_journal(run.events)[-1] == events[-1]
        load(run.model)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def failing(run: RunFolder, *, stays: str = "") -> RunEnded:
    """Train and expect a failure; a run that had ended already `stays` so."""
    end = ended(list(run_training(run.model)))
    assert end.reason == "failed"
    assert end.message
    assert end.hint
    *_, note, last = read_journal(run.events) if stays else [None, end]
    if stays:
        assert isinstance(note, Note)
        assert end.message in note.text
        assert isinstance(last, RunEnded)
        assert last.reason == run.read_status().state == stays
    else:
        assert read_journal(run.events)[-1] == end
        assert run.read_status().state == "failed"
        assert run.read_status().message == end.message
    return end


def test_a_text_that_is_gone() -> None:
    run = make_run()
    Path(run.read_settings().corpus.path).unlink()
    assert "there is no file" in failing(run).message


def test_a_text_that_changed_since() -> None:
    run = make_run()
    stop_at(run, 3)
    Path(run.read_settings().corpus.path).write_text(TEXT + "one more line\n", encoding="utf-8")
    end = failing(run, stays="stopped")
    assert "is not the text that this run started with" in end.message
    assert "put the old text back" in end.hint


def test_a_text_that_is_too_short() -> None:
    assert "needs at least" in failing(make_run(text="short")).message


def test_settings_that_cannot_be() -> None:
    assert "n head" in failing(make_run(n_head=3)).message
    assert "is not a device" in failing(make_run("dog", device="abacus")).message


def test_a_damaged_state_to_go_on_from() -> None:
    run = make_run()
    stop_at(run, 3)
    for content in (run.resume.read_bytes()[:1000], b"", b"noise"):
        run.resume.write_bytes(content)
        end = failing(run, stays="stopped")
        assert "resume.pt is damaged or was cut off" in end.message
        assert "train --from" in end.hint
        assert not any(
            word in f"{end.message} {end.hint}" for word in ("torch", "zip", "pickle", "Error", "weights_only")
        )
    run.resume.unlink()
    assert ended(list(run_training(run.model))).reason == "finished"


def test_a_state_of_another_net() -> None:
    run = make_run()
    stop_at(run, 3)
    settings = run.read_settings()
    net = msgspec.structs.replace(settings.training.architecture, n_embd=32)
    training = msgspec.structs.replace(settings.training, architecture=net)
    run.write_settings(msgspec.structs.replace(settings, training=training))
    assert "is of another run" in failing(run, stays="stopped").message


def test_damaged_settings() -> None:
    run = make_run()
    run.settings.write_bytes(b"{")
    assert "is damaged" in failing(run).message


def test_a_loss_that_is_no_number_goes_back_once_and_keeps_the_best_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    spoil_loss(monkeypatch, 6, value=float("inf"), times=2)
    end = failing(run)
    assert "not a number, although the rate was halved" in end.message
    assert end.cause == "diverged"
    journal = read_journal(run.events)
    assert journal[journal.index(RolledBack(4, 6, "the loss", 0.5)) + 1] == Saved(4, "resume")  # with the lower rate
    assert end.best_loss is not None
    trained = load(run.model).config.trained
    assert trained is not None
    assert (trained.step, trained.validation_loss) == (end.best_step, end.best_loss)


def test_patience_ends_a_run_in_plain_words_and_more_steps_go_on() -> None:
    run = make_run(steps=400, evaluate_every=2, learning_rate=1e-2, patience=2)
    end = ended(list(run_training(run.model)))
    assert end.reason == "finished"
    assert end.step < 400
    assert "no better validation loss in 2 evaluations" in end.message
    assert ended(list(run_training(run.model))).step == end.step  # nothing is left to do
    longer = extended(run, f"{end.step + 2}")
    assert ended(list(run_training(run.model, settings=longer))).step == end.step + 2


def test_a_finished_run_is_made_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "RESUME_AFTER_EVALUATION_S", 0.0)
    rates, weights = [], []
    for name, stop in (("straight", 0), ("stopped", 17)):
        run = make_run(name, dropout=0.2)
        first = list(run_training(run.model))
        longer = extended(run, "+12")
        assert longer.training.steps == 24
        with pytest.raises(UsageError, match="not more than"):
            extended(run, "12")
        second = stop_at(run, stop, longer) + (list(run_training(run.model)) if stop else [])
        assert second[-1].step == 24
        made = [event for event in first + second if isinstance(event, Step)]
        assert [event.step for event in made] == list(range(1, 25))
        rates.append([event.learning_rate for event in made])
        weights.append(load(run.model).model.state_dict())
        assert run.read_settings().extensions == [Extension(at=12, steps_before=12)]
        notes = [event.text for event in read_journal(run.events) if isinstance(event, Note)]
        assert any("24 steps instead of 12, as of step 12" in text for text in notes)
    assert rates[0] == rates[1]
    assert rates[0][11] < rates[0][12] > rates[0][23]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tr"
        ),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:83] data. DefaultCPUAllocator: not enough memory: you tried to al"
        ),
        MemoryError(),
    ],
)
def test_too_little_memory_is_said_as_such(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(run_module.Training, "take_step", refuse)
    monkeypatch.setattr("tinygpt_tui.planning.shortage.free_memory", lambda: 0.45e9)
    end = failing(make_run(batch_size=4096, block_size=64))
    assert "this machine has not enough memory for this run: about 8" in end.message
    assert "MB needed, 450.0 MB free" in end.message
    assert end.hint == "start again with batch_size 1024 (--batch-size 1024)"


def test_what_nobody_expected_is_written_down_and_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*arguments: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(run_module.Training, "take_step", break_down)
    run = make_run()
    with pytest.raises(ZeroDivisionError):
        list(run_training(run.model))
    end = ended(read_journal(run.events))
    assert (end.reason, end.message) == ("failed", "unexpected: ZeroDivisionError: oh")
    assert str(run.log) in end.hint
    assert "ZeroDivisionError: oh" in run.log.read_text(encoding="utf-8")  # a message names no log that is not there
    assert str(run.log) in end.hint


def test_whoever_stops_pulling_has_interrupted_it() -> None:
    run = make_run()
    events = run_training(run.model)
    while not isinstance(next(events), Step):
        pass
    events.close()  # type: ignore[attr-defined]
    end = ended(read_journal(run.events))
    assert (end.reason, end.message) == ("stopped", "interrupted")
    assert run.read_status().state == "stopped"
    with filelock.FileLock(run.lock).acquire(timeout=0):
        pass


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"in the way")
    with pytest.raises(StorageError):
        next(run_training(tmp_path / "model"))


@pytest.mark.parametrize("state", ["finished", "stopped"])
@pytest.mark.parametrize("what", ["text", "state"])
def test_a_run_that_cannot_continue_stays_as_it_was(state: str, what: str) -> None:
    run = make_run(steps=12)
    if state == "finished":
        list(run_training(run.model))
    else:
        stop_at(run, 5)
    before = run.read_status(), run.read_settings(), [card.state for card in list_runs() if card.name == "cat"]
    place = Path(run.read_settings().corpus.path) if what == "text" else run.resume
    kept = place.read_bytes()
    longer = extended(run, "+20")
    place.write_bytes(kept[: len(kept) // 2])
    for _ in range(2):  # the second attempt finds what the first one found
        with pytest.raises((CorpusError, RunError)) as caught:
            check_resumable(run)
        end = ended(list(run_training(run.model, settings=longer)))
        assert end.reason == "failed"
        if what == "text":
            assert "train --from cat" in caught.value.hint
            assert "train --from cat" in end.hint
        assert (run.read_status().state, run.read_status().step, run.read_status().steps) == (state, *_place(before[0]))
        assert run.read_settings() == before[1]
        assert [card.state for card in list_runs() if card.name == "cat"] == before[2]
    place.write_bytes(kept)
    assert ended(list(run_training(run.model, settings=longer))).step == 32


def _place(status: RunStatus) -> tuple[int, int]:
    return status.step, status.steps


def test_saving_a_large_state_reports_its_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "STATE_BYTES_AT_ONCE", 4096)
    monkeypatch.setattr(recorder, "LARGE_MODEL", 0)
    monkeypatch.setattr(recorder, "PROGRESS_S", -1.0)
    run = make_run(steps=2)
    events = list(run_training(run.model))
    end = max(place for place, event in enumerate(events) if isinstance(event, Saved) and event.what == "resume")
    start = next(place for place, event in enumerate(events) if isinstance(event, Progress) and event.what == "saving")
    shares = [event.share for event in events[start:end] if isinstance(event, Progress)]
    assert len(shares) > 3
    assert shares == sorted(shares)
    assert read_journal(run.events) == events
    history = RunHistory(2)
    history.add(events[: end - 1])
    assert history.progress_words.startswith("saving the state ")
