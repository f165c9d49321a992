"""Train the shipped models again from nothing: `python tools/train_shipped.py [NAME ...]`.

Each is trained by the project's own trainer on one thread, then put into `models/` with its run (settings, events,
samples) but without what only a trainer needs. To fit a small wheel, its timeline keeps a few rounded moments, its
weights 16 significant bits, the numbers of its events six digits. A run that was trained elsewhere is put there by
`python tools/train_shipped.py --ship FOLDER`. Tiny Shakespeare is downloaded first if it is not on this machine.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import safetensors.numpy

from tinygpt_tui.checkpoints.card import WEIGHTS
from tinygpt_tui.checkpoints.snapshot import read_snapshot, read_stamp, write_snapshot
from tinygpt_tui.corpora.catalog import find_corpus
from tinygpt_tui.corpora.download import download
from tinygpt_tui.corpora.encodings import AUTO
from tinygpt_tui.corpora.read import read_text
from tinygpt_tui.events.training import Evaluation, Note, RunEnded
from tinygpt_tui.files import write_bytes
from tinygpt_tui.runs.folder import RunFolder, StartingModel
from tinygpt_tui.runs.new_run import new_run, reference
from tinygpt_tui.runs.timeline import list_moments, thinned
from tinygpt_tui.settings.load import resolve
from tinygpt_tui.settings.presets import find_preset
from tinygpt_tui.training.fine_tuning import origin_of
from tinygpt_tui.training.run import run_training

MODELS = Path(__file__).resolve().parents[1] / "models"
# name: corpus, preset, what differs from the preset
SHIPPED: dict[str, tuple[str, str, dict[str, object]]] = {
    "shakespeare": ("shakespeare", "modern", {"steps": 9000, "dropout": 0.05, "calibration_share": 0.0}),
    "shakespeare-small": ("shakespeare", "small", {}),
    "shakespeare-rnn": ("shakespeare", "rnn-nano", {}),
    "shakespeare-senses": ("shakespeare", "backpack-nano", {}),
    "tales-chat": (
        "tales-chat",
        "modern",
        {"block_size": 384, "n_embd": 64, "sliding": False, "dropout": 0.0, "windows": "documents"}
        | {"batch_size": 12, "steps": 1800, "evaluate_every": 150},
    ),
    "tales": ("tales", "modern", {"block_size": 512, "sliding": False, "batch_size": 4, "dropout": 0.0}),
}
# Trained first, and not shipped: what a model learns the probabilities of.
TEACHERS: dict[str, dict[str, tuple[str, str, dict[str, object]]]] = {
    "shakespeare": {
        "four-layers": ("shakespeare", "modern", {}),
        "five-layers": ("shakespeare", "modern", {"n_layer": 5, "hidden": 496, "steps": 10_000}),
    }
}
# How many moments of a run are shipped: 0.5 MB each in a wheel, 0.04 MB of the small one.
MOMENTS = {"shakespeare": 6, "shakespeare-small": 12}
SIGNIFICANT_BITS = 16  # of a weight: two bytes that compress, and a hundredth of what half precision rounds
FEWER_BITS = {"tales-chat": 8}  # as many as bfloat16 has
DIGITS = 6  # of a number in the events
OF_THE_TEXT = "examination.json"  # what was measured of the text, which a new run does not change


def train_with_teachers(name: str, folder: Path) -> RunFolder:
    """Train the shipped model `name` in `folder`, after its teachers; return its run."""
    taught_by = TEACHERS.get(name, {})
    teachers = [train(teacher, recipe, folder) for teacher, recipe in taught_by.items()]
    return train(name, SHIPPED[name], folder, [origin_of(str(teacher.model)).model for teacher in teachers])


def train(
    name: str, recipe: tuple[str, str, dict[str, object]], folder: Path, teachers: Sequence[StartingModel] = ()
) -> RunFolder:
    """Train a model in `folder`; return its run."""
    corpus, preset, differences = recipe
    entry = find_corpus(corpus)
    if entry.path is None:
        for _ in download(entry):
            pass
        entry = find_corpus(corpus)
    assert entry.path is not None
    training = resolve(find_preset(preset).training, {"threads": 1}, differences)
    run = RunFolder(folder / name)
    run.model.mkdir(parents=True, exist_ok=True)
    text = reference(entry, read_text(Path(entry.path)), AUTO)
    run.write_settings(new_run(name, preset, training, text, teachers=teachers))
    for event in run_training(run.model):
        if isinstance(event, Evaluation | Note | RunEnded):
            print(event, flush=True)
    return run


def ship(run: RunFolder) -> None:
    """Copy a finished run's model to `models/`; paths and processes of this machine are left out."""
    target = MODELS / run.model.name
    examined = target / "run" / OF_THE_TEXT
    saved = examined.read_bytes() if examined.is_file() else None
    shutil.rmtree(target, ignore_errors=True)
    leave_out = shutil.ignore_patterns("resume*.pt", "lock", "control", "timeline", "*.log", ".*")
    shutil.copytree(run.model, target, ignore=leave_out)
    copy = RunFolder(target)
    if saved is not None and not examined.exists():
        write_bytes(examined, saved)
    ship_moments(run, copy)
    round_weights(target / WEIGHTS, FEWER_BITS.get(run.model.name, SIGNIFICANT_BITS))
    round_events(copy.events)
    settings, status = copy.read_settings(), copy.read_status()
    corpus = msgspec.structs.replace(settings.corpus, path=Path(settings.corpus.path).name)
    first, *others = [
        msgspec.structs.replace(teacher, path=teacher.name, corpus=corpus) for teacher in settings.teachers
    ] or [None]
    copy.write_settings(msgspec.structs.replace(settings, corpus=corpus, teacher=first, other_teachers=others))
    write_bytes(copy.status, msgspec.json.encode(msgspec.structs.replace(status, pid=0, pid_created=0.0)) + b"\n")


def ship_moments(run: RunFolder, copy: RunFolder) -> None:
    """Write some of a run's moments, rounded, into a copy of it."""
    moments = {moment.step: moment.path for moment in list_moments(run)}
    for step in thinned(sorted(moments), MOMENTS.get(run.model.name, 0)):
        path = moments[step]
        write_snapshot(copy.timeline / path.name, read_snapshot(path), read_stamp(path), "int8")


def round_weights(path: Path, significant_bits: int = SIGNIFICANT_BITS) -> None:
    """Round fp32 weights to `significant_bits`, in place; the file says the same of itself as before."""
    with safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata()
    dropped = 24 - significant_bits
    rounded = {}
    for name, tensor in safetensors.numpy.load_file(path).items():
        assert tensor.dtype == np.float32, name
        bits = tensor.view(np.uint32)
        rounded[name] = ((bits + (1 << dropped - 1)) >> dropped << dropped).astype(np.uint32).view(np.float32)
    write_bytes(path, safetensors.numpy.save(rounded, metadata))


def round_events(path: Path) -> None:
    """Round the numbers in a journal to DIGITS, times to milliseconds, in place; what was in progress is left out."""
    events = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    rounded = [_rounded(event) for event in events if event["type"] != "Progress"]
    write_bytes(path, b"".join(msgspec.json.encode(event) + b"\n" for event in rounded))


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 3) if abs(value) >= 10**DIGITS else float(f"{value:.{DIGITS}g}")
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return {key: _rounded(part) for key, part in value.items()} if isinstance(value, dict) else value


def main() -> None:
    """Train the models named on the command line, or all; or ship one that is trained."""
    if sys.argv[1:2] == ["--ship"]:
        ship(RunFolder(Path(sys.argv[2])))
        return
    for name in sys.argv[1:] or SHIPPED:
        with tempfile.TemporaryDirectory() as folder:
            ship(train_with_teachers(name, Path(folder)))


if __name__ == "__main__":
    main()
