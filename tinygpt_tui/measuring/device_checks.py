"""The checks of `tinygpt-tui check-device`, in a process of their own: results leave as JSON lines on stdout.

A check is an iterator of sentences: each says what has been found so far, the last one is its result; the numbers go
into a dict. It raises Failed where the device does not do what it should, and Skipped where there is nothing to check.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

import tinygpt_tui
from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.table import build
from tinygpt_tui.errors import ExitCode, TinyGPTError
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.measuring.device_bench import VOCABULARY, Bench, apart, steps
from tinygpt_tui.measuring.device_report import CheckResult, DeviceFacts, Message, Status
from tinygpt_tui.planning.shortage import is_shortage, shortage
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.settings.windows import policy_for
from tinygpt_tui.training.device import choose_device
from tinygpt_tui.training.loop import Training
from tinygpt_tui.training.state import copied
from tinygpt_tui.words import in_one_line, size

# One preset for each architecture that learns from any text.
NAMES = ("nanogpt", "modern", "rnn-nano", "gru", "lstm", "cnn", "mlp", "backpack-nano", "bigram")
CPU = torch.device("cpu")
FP32_LOSS, BF16_LOSS = 1e-3, 0.1  # how far losses may be from the processor's, from those in fp32
LOGITS = 1e-2
WAITS_A_STEP = 1
WARM_UP, MEASURED_S, MOST_STEPS = 4, 1.0, 50
LEFT_BYTES = 256 << 20

Found = dict[str, Any]
Check = Callable[[Bench, Found], Iterator[str]]


class Failed(Exception):
    """The device does not do what it should; in words."""


class Skipped(Exception):
    """There is nothing to check here; in words."""


def losses(bench: Bench, found: Found) -> Iterator[str]:
    """The first steps in fp32 have the processor's losses, for every architecture."""
    for name in NAMES:
        here, there = (steps(bench.training(name, device), 3) for device in (CPU, bench.device))
        found[name] = apart(here, there)
        yield f"{len(found)} architectures within {max(found.values()):.2g} of the processor's losses"
    worst = max(found, key=lambda name: found[name])
    if not found[worst] <= FP32_LOSS:
        raise Failed(f"the losses of {worst} are {found[worst]:.2g} from the processor's")


def bf16(bench: Bench, found: Found) -> Iterator[str]:
    """In bf16 every architecture that can learn in it learns as in fp32."""
    if bench.device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise Skipped("this GPU is not built for bf16")
    count = 5 if bench.quick else 20
    for name in NAMES:
        if bench.settings(name).architecture.is_stateful:
            continue  # recurrent nets learn in fp32
        whole, half = (steps(bench.training(name, precision=precision), count) for precision in ("fp32", "bf16"))
        found[name] = apart(whole[-3:], half[-3:])
        yield f"{len(found)} architectures within {max(found.values()):.2g} of their losses in fp32"
    worst = max(found, key=lambda name: found[name])
    if not found[worst] <= BF16_LOSS:
        raise Failed(f"the losses of {worst} in bf16 are {found[worst]:.2g} from those in fp32")


def resume(bench: Bench, found: Found) -> Iterator[str]:
    """A training that continues from a saved state does what it would have done, with dropout too."""
    net = bench.settings("modern").architecture
    change: dict[str, Any] = {"architecture": msgspec.structs.replace(net, dropout=0.1)}
    count = 4 if bench.quick else 10
    first = bench.training("modern", **change)
    steps(first, count)
    state = copied(first.state() | {"good": None})
    straight = steps(first, count)
    second = bench.training("modern", **change)
    second.load_state(state)
    resumed = steps(second, count)
    found["largest_difference"], found["exact"] = apart(straight, resumed), straight == resumed
    if not found["largest_difference"] <= FP32_LOSS:
        raise Failed(f"after a saved state the losses are {found['largest_difference']:.2g} from those without it")
    yield "bit for bit" if found["exact"] else f"within {found['largest_difference']:.2g}, not bit for bit"


def syncs(bench: Bench, found: Found) -> Iterator[str]:
    """The processor waits for the device once a step."""
    if bench.device.type != "cuda":
        raise Skipped(f"waits cannot be counted on {bench.device.type}")
    for name in ("modern", "nanogpt"):
        training = bench.training(name, precision="auto")
        steps(training, 3)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                steps(training, 5)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        waits = [each for each in caught if "synchroniz" in str(each.message)]
        found[name] = len(waits) / 5
        found[f"{name}, where"] = dict(Counter(f"{Path(each.filename).name}:{each.lineno}" for each in waits))
        yield f"{name}: {found[name]:g} waits a step"
        if found[name] > WAITS_A_STEP:
            raise Failed(f"{name} waits {found[name]:g} times a step")


def generation(bench: Bench, found: Found) -> Iterator[str]:
    """Every architecture has the processor's next-token logits, from its memory too; how fast it writes."""
    ids = [int(id) for id in np.random.default_rng(1).integers(VOCABULARY, size=24)]
    for name in NAMES:
        net = bench.settings(name).architecture
        torch.manual_seed(0)
        model = build(net).eval()
        answers = []
        for device in (CPU, bench.device):
            engine = TorchEngine(model.to(device), policy_for("auto", net))
            answers += [np.stack([engine.prefill(ids[:8]), *(engine.step(id) for id in ids[8:])]).ravel().tolist()]
        found[name] = apart(*answers)
        yield f"{len(found)} architectures within {max(found.values()):.2g} of the processor's logits"
    worst = max(found, key=lambda name: found[name])
    if not found[worst] <= LOGITS:
        raise Failed(f"the logits of {worst} are {found[worst]:.2g} from the processor's")
    torch.manual_seed(0)
    speed = _tokens_written(build(bench.settings("modern").architecture).to(bench.device).eval(), ids)
    found["tokens_per_s"] = round(speed)
    yield f"all {len(NAMES)} architectures have the processor's logits; modern writes {speed:,.0f} tokens a second"


def _tokens_written(model: LanguageModel, ids: list[int]) -> float:
    engine = TorchEngine(model, policy_for("auto", model.settings))
    engine.prefill(ids[:4])
    began, count = time.perf_counter(), 0
    while count < 400 and time.perf_counter() - began < MEASURED_S:
        engine.step(ids[count % len(ids)])
        count += 1
    return count / (time.perf_counter() - began)


def memory(bench: Bench, found: Found) -> Iterator[str]:
    """Too little memory is said in words that help, and the device works on afterwards."""
    device = bench.device
    if device.type == "cuda":
        total = torch.cuda.mem_get_info(device)[1]
        limit: Callable[[float], None] = partial(torch.cuda.set_per_process_memory_fraction, device=device)
        torch.cuda.empty_cache()
        used = torch.cuda.memory_reserved(device)
    elif device.type == "mps":
        total, limit = torch.mps.recommended_max_memory(), torch.mps.set_per_process_memory_fraction
        torch.mps.empty_cache()
        used = torch.mps.driver_allocated_memory()
    else:
        raise Skipped("the processor's memory is everyone's: it is not filled for a check")
    limit(min(1.0, (used + LEFT_BYTES) / total))
    try:
        settings = bench.settings("tinygpt", batch_size=4096)
        training = bench.training("tinygpt", batch_size=4096)
        steps(training, 1)
    except Exception as error:
        if not is_shortage(error):
            raise
        traceback.clear_frames(error.__traceback__)
        message, hint = shortage(settings, device)
        found["message"], found["hint"] = message, hint
    else:
        raise Failed(f"a training took {size(LEFT_BYTES)} and more, where no more was allowed")
    finally:
        limit(1.0)
    if not found["hint"]:
        raise Failed("nothing says what to do about it")
    steps(bench.training("small"), 2)
    yield f"said in words, and the next training works: {found['hint']}"


def two_processes(bench: Bench, found: Found) -> Iterator[str]:
    """Two processes on this machine train, or say in words why they cannot."""
    if bench.quick:
        raise Skipped("not in the quick form")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        text = Path(folder, "text.txt")
        text.write_text(
            "the cat sat on the mat and looked at the old red moon.\n" * 400, encoding="utf-8", newline="\n"
        )
        arguments = ["train", "--corpus", str(text), "--preset", "small", "--steps", "10", "--name", "two"]
        arguments += ["--processes", "2", "--device", str(bench.device)]
        done = _ended(
            [sys.executable, "-P", "-m", "tinygpt_tui", *arguments],
            folder,
            max(1.0, bench.seconds_left - 3),
        )
    said = [line for line in done.stderr.splitlines() if line.strip()]
    found["exit_code"], found["said"] = done.returncode, said[-3:]
    if done.returncode == ExitCode.OK:
        yield "two processes trained"
    elif done.returncode in (ExitCode.USAGE, ExitCode.RUN) and "Traceback" not in done.stderr:
        yield f"refused in words: {' '.join(said[-2:])[:160]}"
    else:
        raise Failed(f"two processes ended with exit code {done.returncode}: {' '.join(said[-2:])[:160]}")


def _ended(command: list[str], home: str, seconds: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            env={**os.environ, "TINYGPT_TUI_HOME": home},
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"two processes neither trained nor gave up in {seconds:.0f} s") from None


def speed(bench: Bench, found: Found) -> Iterator[str]:
    """Tokens a second of every preset, with the precision that a user gets; then compiled, while there is time."""
    names = ["seconds", "small"] if bench.quick else list(ALL_PRESETS)
    for name in names:
        found[name] = {"eager": round(_training_speed(bench, bench.training(name, precision="auto")))}
        yield f"{len(found)} presets, uncompiled"
    compiled = 0
    for name in names:
        settings = bench.settings(name)
        if bench.quick or settings.architecture.is_stateful:
            continue
        if bench.seconds_left < 30:
            yield f"{len(found)} presets; {compiled} of them compiled, then the time was over"
            return
        training = bench.training(name, precision="auto", compile="always")
        notes = [getattr(event, "text", "") for event in training._try_compiling()]
        if notes:
            found["torch.compile"] = notes[0]
            yield f"{len(found) - 1} presets; {notes[0]}"
            return
        found[name]["compiled"] = round(_training_speed(bench, training))
        compiled += 1
        yield f"{len(found)} presets, {compiled} of them compiled"


def _training_speed(bench: Bench, training: Training) -> float:
    """Return the tokens a second of steps after the first few; one that takes seconds is enough."""
    began = time.perf_counter()
    for _ in range(WARM_UP):
        steps(training, 1)
        if time.perf_counter() - began > 4 * MEASURED_S:
            break
    bench.wait()
    began, count = time.perf_counter(), 0
    while count < MOST_STEPS and time.perf_counter() - began < (MEASURED_S / 4 if bench.quick else MEASURED_S):
        steps(training, 1)
        count += 1
    bench.wait()
    settings = training.settings
    tokens = settings.batch_size * settings.architecture.training_length
    return count * tokens / (time.perf_counter() - began)


CHECKS: dict[str, Check] = {
    "losses": losses,
    "bf16": bf16,
    "resume": resume,
    "syncs": syncs,
    "generation": generation,
    "memory": memory,
    "two_processes": two_processes,
    "speed": speed,
}


def run_check(name: str, bench: Bench) -> Iterator[Message]:
    """Run a check; yield what it has found so far, and its result last."""
    began = time.monotonic()
    found: Found = {}
    words = ""

    def told(status: Status, words: str) -> CheckResult:
        return CheckResult(name=name, status=status, seconds=time.monotonic() - began, words=words, found=found)

    try:
        for words in CHECKS[name](bench, found):
            yield Message(so_far=told("failed", words))
        yield Message(result=told("passed", words))
    except Skipped as reason:
        yield Message(result=told("skipped", str(reason)))
    except Failed as reason:
        yield Message(result=told("failed", str(reason)))
    except Exception as error:
        found["traceback"] = traceback.format_exception(error)[-3:]
        yield Message(result=told("failed", in_one_line(error)))


def facts_of(device: torch.device) -> DeviceFacts:
    """Return what is known of the device and of what runs on it."""
    versions = {
        "tinygpt-tui": tinygpt_tui.__version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }
    name, room = platform.processor() or platform.machine(), 0.0
    if device.type == "cuda":
        about = torch.cuda.get_device_properties(device)
        name, room = f"{about.name}, capability {about.major}.{about.minor}", float(about.total_memory)
        versions["cuda"] = str(torch.version.cuda)
    elif device.type == "mps":
        room = float(torch.mps.recommended_max_memory())
    else:
        name += ", one thread"
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return DeviceFacts(device=str(device), name=name, memory_bytes=room, versions=versions, system=system)


def main(device: str, quick: str, *checks: str) -> int:
    """Run `checks`, each given as `name=seconds`, and write a line for each result; after a failure the process ends.

    A device on which something failed may not work any more: the next check gets a process of its own.
    """
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints

    def send(message: Message) -> None:
        output.write(msgspec.json.encode(message) + b"\n")

    try:
        place = choose_device(device)
        facts = facts_of(place)
    except TinyGPTError as error:
        send(Message(error=(error.message, error.hint)))
        return int(error.exit_code)
    torch.set_num_threads(1)  # what the processor computes here is so small that other threads only wait
    send(Message(facts=facts))
    for check in checks:
        name, _, seconds = check.partition("=")
        bench = Bench(place, quick == "quick", time.monotonic() + float(seconds))
        for message in run_check(name, bench):
            send(message)
        if message.result is not None and message.result.status == "failed":
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
