"""Two processes train what one would, go on with it, and say so when one of them is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest
import torch
from makers import TEXT, make_run, small_training
from torch import Tensor

from tinygpt_tui import paths, platforms
from tinygpt_tui.checkpoints.card import read_config
from tinygpt_tui.checkpoints.native import load
from tinygpt_tui.corpora import read
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.errors import RunError, UsageError
from tinygpt_tui.events.training import Evaluation, RunEnded, RunStarted, Step, TrainingEvent
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.folder import RunFolder, StartingModel
from tinygpt_tui.runs.index import find_run
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.tokenizers.documents import BOUNDARY
from tinygpt_tui.training import distributed, loop
from tinygpt_tui.training.distributed import SUMMING, WAITING, Action, ProcessGroup, Setup, join, rendezvous_store
from tinygpt_tui.training.gradients import Gradients
from tinygpt_tui.training.helper import help_train
from tinygpt_tui.training.loop import Training
from tinygpt_tui.training.run import run_training
from tinygpt_tui.training.vocabulary import tokenizer_for
from tinygpt_tui.workers.processes import process_group_of

MODERN = {"positions": "rotary", "qk_norm": True, "token_shift": 2, "tied_head": False, "ngram_rows": 32}


def train(run: RunFolder) -> list[TrainingEvent]:
    with process_group_of(run) as team:
        return list(run_training(run.model, group=team))


def losses(events: list[TrainingEvent]) -> list[float]:
    return [event.loss for event in events if isinstance(event, Step)]


def helpers() -> list[psutil.Process]:
    return [
        child for child in psutil.Process().children() if "tinygpt_tui.training.helper" in " ".join(child.cmdline())
    ]


def ended(events: list[TrainingEvent]) -> RunEnded:
    assert isinstance(events[-1], RunEnded)
    return events[-1]


@pytest.mark.slow
def test_the_same_curve_as_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    one = train(make_run("one", batch_size=5, **MODERN))
    monkeypatch.setattr(read, "LARGEST_IN_MEMORY", 100)  # both processes read the ids from one file
    run = make_run("two", batch_size=5, processes=2, **MODERN)  # five windows: two and three
    two = train(run)
    assert (ended(two).reason, ended(two).step) == ("finished", 12)
    assert losses(two) == pytest.approx(losses(one), rel=2e-4)
    assert [event.validation_loss for event in two if isinstance(event, Evaluation)] == pytest.approx(
        [event.validation_loss for event in one if isinstance(event, Evaluation)], rel=2e-4
    )


@pytest.mark.slow
def test_an_adapter_has_the_same_curve_as_in_one_process() -> None:
    """The helper gets the base's weights and the embeddings of new characters with the first step."""

    def adapter(name: str, **changes: int) -> RunFolder:
        run = make_run(name, batch_size=5, lora=2, **changes)
        path = paths.models_folder() / "base"
        config = read_config(path)
        start = StartingModel(name="base", path=str(path), tokens=config.architecture.vocab_size)
        settings = run.read_settings()
        training = msgspec.structs.replace(settings.training, architecture=config.architecture)
        run.write_settings(msgspec.structs.replace(settings, start=start, training=training))
        return run

    train(make_run("base", TEXT[:1500].replace("a", "e"), steps=4))
    one, two = train(adapter("one")), train(adapter("two", processes=2))
    assert (ended(two).reason, ended(two).message) == ("finished", "")
    # Sums in another order differ in the last bits; the steps of a small adapter amplify that about threefold each.
    assert losses(two)[:6] == pytest.approx(losses(one)[:6], rel=2e-4)
    assert losses(two)[-1] < losses(two)[0]


def test_two_processes_have_the_gradient_of_one_however_long_their_documents_are() -> None:
    names = "".join(f"{name}{BOUNDARY}" for name in ("ann", "bob", "cleopatra", "dan", "eve", "al") * 8)
    text = CorpusText.of(names, names.count(BOUNDARY))
    settings = small_training(windows="documents", batch_size=7)
    corpus = text.split(settings, tokenizer_for("characters", text, settings.validation_share))
    architecture = msgspec.structs.replace(settings.architecture, vocab_size=corpus.tokenizer.size)
    settings = msgspec.structs.replace(settings, architecture=architecture)

    def backward(rank: int, size: int) -> tuple[float, Tensor, float]:
        group = ProcessGroup(rank, size)
        training = Training(settings, corpus, torch.device("cpu"), group=group)
        loss = training.gradients.add(training.step).item()
        gradient = torch.cat([one.grad.flatten() for one in training.model.parameters() if one.grad is not None])
        return loss, gradient, group.share(7)

    whole, gradient, _ = backward(0, 1)
    halves = [backward(rank, 2) for rank in range(2)]
    assert sum(loss * share for loss, _, share in halves) == pytest.approx(whole, rel=1e-5)
    torch.testing.assert_close(halves[0][1] * halves[0][2] + halves[1][1] * halves[1][2], gradient)


@pytest.mark.slow
def test_resuming_is_exact_with_dropout_and_after_a_stop_within_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    straight = train(make_run("straight", batch_size=5, processes=2, dropout=0.3, **MODERN))
    run = make_run("halved", batch_size=5, processes=2, dropout=0.3, **MODERN)
    add = Gradients.add

    def endless_step_six(self: Gradients, step: int) -> Tensor:
        loss = add(self, step)
        if step == 5:
            Control(run.control).send("stop")
            while True:
                time.sleep(0.001)
        return loss

    with monkeypatch.context() as patch:
        patch.setattr(Gradients, "add", endless_step_six)
        patch.setattr(loop, "SLOW_S", 0.0)
        first = train(run)
    assert (ended(first).reason, ended(first).step, ended(first).message) == ("stopped", 5, "")
    assert helpers() == []
    assert run.log.read_text("utf-8") == ""  # the helper ended because it was told to
    second = train(run)
    assert isinstance(second[0], RunStarted)
    assert losses(first + second) == losses(straight)
    assert read_journal(run.events) == first + second
    one, other = load(run.model), load(paths.models_folder() / "straight")
    assert all(torch.equal(tensor, one.model.state_dict()[name]) for name, tensor in other.model.state_dict().items())


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_a_process_that_is_gone_ends_the_run_with_a_word() -> None:
    run = make_run(processes=2, steps=100_000, evaluate_every=100_000, sample_tokens=0)
    events = []
    with process_group_of(run) as team:
        for event in run_training(run.model, group=team):
            events.append(event)
            if isinstance(event, Step) and event.step == 3:
                (helper,) = helpers()
                os.kill(helper.pid, signal.SIGKILL)
    end = ended(events)
    assert end.reason == "failed"
    assert "a process of this training ended unexpectedly" in end.message
    assert "resume" in end.hint
    assert run.read_status().state == "failed"
    assert helpers() == []


def test_what_cannot_be_shared() -> None:
    run = make_run(processes=2, batch_size=1)
    end = ended(train(run))
    assert end.reason == "failed"
    assert "batch size: 1 cannot be split among 2 processes" in end.message
    assert helpers() == []


def test_shares_are_whole_and_leave_nothing_out() -> None:
    import numpy as np

    batch = np.arange(14).reshape(7, 2)
    for size in (1, 2, 3, 7):
        team = [ProcessGroup(rank, size) for rank in range(size)]
        parts = [each.rows((batch,))[0] for each in team]
        assert np.array_equal(np.concatenate(parts), batch)
        assert sum(each.share(7) for each in team) == pytest.approx(1)
        assert all(len(part) == pytest.approx(7 * each.share(7)) for part, each in zip(parts, team, strict=True))
    with pytest.raises(UsageError, match="cannot be split"):
        ProcessGroup(0, 9).check(make_run("few", batch_size=8).read_settings().training)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="torchrun's gloo wants POSIX")
def test_under_torchrun(tmp_path: Path) -> None:
    corpus = tmp_path / "cats.txt"
    corpus.write_text(TEXT, encoding="utf-8")
    net = ["--preset", "small", "--n-layer", "1", "--n-embd", "16", "--n-head", "2", "--device", "cpu"]
    short = ["--steps", "6", "--evaluate-every", "3", "--sample-tokens", "5", "--threads", "1", "--batch-size", "4"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m"]
    done = subprocess.run(
        [*command, "tinygpt_tui", "train", "--corpus", str(corpus), *net, *short],
        capture_output=True,
        encoding="utf-8",
        timeout=240,
        check=False,
        env={**os.environ, "GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else None,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("step 6/6") == 1
    run = find_run("cats")
    assert [event.step for event in read_journal(run.events) if isinstance(event, Step)] == [1, 2, 3, 4, 5, 6]
    assert "2 processes share each step" in done.stderr


@pytest.mark.parametrize(
    ("gpus", "wanted", "size", "found"),
    [
        (0, "auto", 2, "cpu"),
        (2, "auto", 2, "cuda"),
        (2, "cpu", 3, "cpu"),
        (1, "auto", 2, "choose processes 1, or device cpu"),
        (2, "cuda", 3, "choose processes 2, or device cpu"),
        (0, "cuda", 2, "choose auto or cpu"),
        (0, "mps", 2, "choose processes 1, or device cpu"),
    ],
)
def test_each_process_has_a_gpu_of_its_own(
    monkeypatch: pytest.MonkeyPatch, gpus: int, wanted: str, size: int, found: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    if not found.startswith("choose"):
        assert ProcessGroup(0, size).device(wanted).type == found
        return
    with pytest.raises(UsageError) as caught:
        ProcessGroup(0, size).device(wanted)
    assert caught.value.hint == found


def test_a_helper_without_a_gpu_of_its_own_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under torchrun: the first process cannot know what another machine has."""
    team = ProcessGroup(1, 2)
    setup = Setup(training=make_run().read_settings().training, device="cuda", threads=1, type="uint8", ids=1)
    monkeypatch.setattr(team, "receive", lambda: (Action.START, 0, 0.0))
    monkeypatch.setattr(team, "receive_setup", lambda: (setup, None, None))
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(RunError, match="needs cuda:1, and this machine has 1 GPU"):
        help_train(team)


def test_gradients_are_waited_for_minutes_and_words_for_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """NCCL does not notice a process that is gone; with a time-out of its own the run ends with a word."""
    asked = {}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(distributed.dist, "is_nccl_available", lambda: True)
    monkeypatch.setattr(distributed.dist, "init_process_group", lambda backend, **named: asked.update(words=named))
    monkeypatch.setattr(distributed.dist, "new_group", lambda **named: asked.update(gradients=named) or "gpus")
    monkeypatch.delenv("TORCH_NCCL_BLOCKING_WAIT", raising=False)
    team = join(0, 2)
    assert asked["words"]["timeout"] == WAITING
    assert asked["gradients"] == {"backend": "nccl", "timeout": SUMMING}
    assert os.environ["TORCH_NCCL_BLOCKING_WAIT"] == "1"  # else NCCL ends the process, and nothing is said
    assert team._on_gpus == "gpus"


def test_nothing_that_is_imported_later_keeps_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "torch.distributed.nn.functional"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(distributed.dist, "new_group", lambda **_: None)
    monkeypatch.setattr(distributed.dist, "init_process_group", lambda *_, **__: imported.append(name in sys.modules))
    imported: list[bool] = []
    join(0, 1)
    assert imported == [True]


@pytest.mark.parametrize("uses_libuv", [True, False])
def test_processes_meet_where_torch_was_built_without_libuv(uses_libuv: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.setattr(platforms, "store_uses_libuv", lambda: uses_libuv)
    first = rendezvous_store(0, 2, first=True)
    assert first.libuvBackend is uses_libuv
    rendezvous_store(first.port, 2, first=False).set("word", "heard")
    assert first.get("word") == b"heard"
