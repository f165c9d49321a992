"""Train the shipped models again from nothing: `python tools/train_shipped.py [NAME ...]`.

Each is trained by the project's own trainer on one thread, then put into `models/` with its run (settings, events,
samples) but without what only a trainer needs. Of its timeline as many moments stay as a wheel has room for, rounded to
8 bits. A run that was trained elsewhere is put there by `python tools/train_shipped.py --ship FOLDER`. Tiny Shakespeare
is downloaded first if it is not on this machine.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import msgspec

from tinygpt_tui.checkpoints.moment import read_moment, read_stamp, write_moment
from tinygpt_tui.corpora.catalog import find_corpus
from tinygpt_tui.corpora.corpus import read_text
from tinygpt_tui.corpora.download import download
from tinygpt_tui.events.training import Evaluation, Note, RunEnded
from tinygpt_tui.files import write_bytes
from tinygpt_tui.runs.begin import new_run, reference
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.timeline import list_moments, thinned
from tinygpt_tui.settings.load import resolve
from tinygpt_tui.settings.presets import find_preset
from tinygpt_tui.training.run import run_training

MODELS = Path(__file__).resolve().parents[1] / "models"
# name: corpus, preset, what differs from the preset
SHIPPED: dict[str, tuple[str, str, dict[str, object]]] = {
    "shakespeare": ("shakespeare", "modern", {}),
    "shakespeare-small": ("shakespeare", "small", {}),
    "shakespeare-rnn": ("shakespeare", "rnn-nano", {}),
    "shakespeare-senses": ("shakespeare", "backpack-nano", {}),
    "tales": ("tales", "modern", {"block_size": 512, "sliding": False, "batch_size": 4, "dropout": 0.0}),
}
# How many moments of a run are shipped: 0.8 MB each, 0.06 MB of the small one.
MOMENTS = {"shakespeare": 11, "shakespeare-small": 40}
OF_THE_TEXT = "examination.json"  # what was measured of the text, which a new run does not change


def train(name: str, folder: Path) -> RunFolder:
    """Train the shipped model `name` in `folder`; return its run."""
    corpus, preset, differences = SHIPPED[name]
    entry = find_corpus(corpus)
    if entry.path is None:
        for _ in download(entry):
            pass
        entry = find_corpus(corpus)
    assert entry.path is not None
    training = resolve(find_preset(preset).training, {"threads": 1}, differences)
    run = RunFolder(folder / name)
    run.model.mkdir(parents=True, exist_ok=True)
    run.write_settings(new_run(name, preset, training, reference(entry, read_text(Path(entry.path)))))
    for event in run_training(run.model):
        if isinstance(event, Evaluation | Note | RunEnded):
            print(event, flush=True)
    return run


def ship(run: RunFolder) -> None:
    """Copy a finished run's model to `models/`; paths and processes of this machine are left out."""
    target = MODELS / run.model.name
    examined = target / "run" / OF_THE_TEXT
    kept = examined.read_bytes() if examined.is_file() else None
    shutil.rmtree(target, ignore_errors=True)
    leave_out = shutil.ignore_patterns("resume*.pt", "lock", "control", "timeline", "*.log", ".*")
    shutil.copytree(run.model, target, ignore=leave_out)
    copy = RunFolder(target)
    if kept is not None and not examined.exists():
        write_bytes(examined, kept)
    moments = {moment.step: moment.path for moment in list_moments(run)}
    for step in thinned(sorted(moments), MOMENTS.get(run.model.name, 0)):
        path = moments[step]
        write_moment(copy.timeline / path.name, read_moment(path), read_stamp(path), "int8")
    settings, status = copy.read_settings(), copy.read_status()
    corpus = msgspec.structs.replace(settings.corpus, path=Path(settings.corpus.path).name)
    copy.write_settings(msgspec.structs.replace(settings, corpus=corpus))
    write_bytes(copy.status, msgspec.json.encode(msgspec.structs.replace(status, pid=0, pid_created=0.0)) + b"\n")


def main() -> None:
    """Train the models named on the command line, or all; or ship one that is trained."""
    if sys.argv[1:2] == ["--ship"]:
        ship(RunFolder(Path(sys.argv[2])))
        return
    for name in sys.argv[1:] or SHIPPED:
        with tempfile.TemporaryDirectory() as folder:
            ship(train(name, Path(folder)))


if __name__ == "__main__":
    main()
