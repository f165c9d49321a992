"""Damages checkpoints in thousands of ways and opens each: `python tests/fuzzing/fuzz.py --count 10000`.

Whatever a file holds, opening it must end in a model or in an error of ours, soon, within bounded memory, and without
running anything. An audit hook of the interpreter watches for what would be code.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import whole_files
from damage import damage_plain, damage_safetensors, damage_zip

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.foreign.opening import inspect_checkpoint

LONGEST_S = 5.0  # of processor time for one file
MEMORY = 1 << 30  # bytes beyond what the process has at its start
CODE = frozenset(
    {"pickle.find_class", "exec", "compile", "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.remove",
     "os.rename", "os.putenv", "socket.connect", "ctypes.dlopen", "marshal.loads"}
)  # fmt: skip
IMPORTING = frozenset({"exec", "compile", "marshal.loads"})
OWN = sys.stdlib_module_names | {"tinygpt_tui", "tokenizers", "numpy"}


@dataclass
class Outcome:
    """How many files were opened, how many refused, and what should not have happened."""

    opened: int = 0
    refused: int = 0
    crashed: int = 0
    slowest_s: float = 0.0
    wrong: list[str] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)

    @property
    def files(self) -> int:
        """How many there were."""
        return self.opened + self.refused + self.crashed


class _Watch:
    """Sees what the interpreter is asked to do while a file is opened.

    Where a part of Python itself is imported for the first time (a codec, say), its code is run, and kept in its
    compiled form: that is no sin.
    """

    def __init__(self) -> None:
        self.on, self.seen, self._importing = False, list[str](), False
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "import" and str(arguments[0]).partition(".")[0] in OWN:
            self._importing = True
        elif self._importing and (event in IMPORTING or (event == "os.rename" and _is_compiled(arguments[1]))):
            return
        elif event in CODE:
            self.seen.append(event)


def _is_compiled(path: Any) -> bool:
    return str(path).endswith(".pyc")


_watch: list[_Watch] = []  # a hook cannot be taken away again: there is one


def fuzz(kind: str, count: int, seed: int, folder: Path) -> Outcome:
    """Open `count` damaged files of a kind in `folder`; those that go wrong are left there."""
    if not _watch:
        _watch.append(_Watch())
    make, damage = KINDS[kind]
    originals = make()
    chance = random.Random(f"{kind} {seed}")
    outcome = Outcome()
    place = folder / kind
    place.mkdir(parents=True, exist_ok=True)
    for original in originals:  # what is imported is imported now; and none of them is wrong
        _write(place, original)
        _open(place)
    for number in range(count):
        files = dict(chance.choice(originals))
        damage(files, chance)
        _judge(outcome, place, files, f"{kind} {seed} {number}")
    return outcome


def _judge(outcome: Outcome, place: Path, files: dict[str, bytes], name: str) -> None:
    watch = _watch[0]
    watch.seen.clear()
    began = time.process_time()
    _write(place, files)
    watch.on = True
    try:
        _open(place)
        outcome.opened += 1
    except TinyGPTError as error:
        outcome.refused += 1
        outcome.words[error.message.split(":")[-1][:40]] += 1
    except BaseException as error:
        watch.on = False
        if isinstance(error, KeyboardInterrupt):
            raise
        outcome.crashed += 1
        outcome.wrong.append(f"{name}: {type(error).__name__}: {traceback.format_exc(limit=-3)}")
    finally:
        watch.on = False
    took = time.process_time() - began
    outcome.slowest_s = max(outcome.slowest_s, took)
    if took > LONGEST_S:
        outcome.wrong.append(f"{name}: {took:.1f} s")
    if watch.seen:
        outcome.wrong.append(f"{name}: {', '.join(watch.seen)}")


def _write(place: Path, files: dict[str, bytes]) -> None:
    for old in place.iterdir():
        if old.name not in files:
            old.unlink()
    for name, content in files.items():
        (place / name).write_bytes(content)


def _open(place: Path) -> None:
    inspection = inspect_checkpoint(place)
    inspection.weights()
    inspection.tokenizer.encode("ROMEO:")


_JSONS = ("config.json", "vocab.json", "merges.txt", "tokenizer.json", "model.safetensors.index.json")


KINDS: dict[str, tuple[Callable[[], list[dict[str, bytes]]], Callable[[dict[str, bytes], random.Random], None]]] = {
    "zip": (whole_files.pt, damage_zip("model.pt")),
    "legacy": (whole_files.legacy, damage_plain("model.pt")),
    "pickle": (whole_files.pickled, damage_plain("model.pkl")),
    "tar": (whole_files.tar, damage_plain("model.pt")),
    "module": (whole_files.whole_module, damage_zip("model.pth")),
    "meta": (whole_files.meta, damage_plain("meta.pkl")),
    "safetensors": (whole_files.safetensors, damage_safetensors),
    "hugging-face": (whole_files.hugging_face, damage_plain(*_JSONS)),
    "llama2c": (whole_files.llama2c, damage_plain("stories.bin")),
    "pieces": (whole_files.pieces, damage_plain("tokenizer.bin", "tokenizer.model")),
    "gguf": (whole_files.gguf, damage_plain("model.gguf")),
}


def main() -> int:
    """Fuzz from the command line; returns 1 where anything went wrong."""
    parser = argparse.ArgumentParser(prog="python tests/fuzzing/fuzz.py", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="files of each kind (default: 1000)")
    parser.add_argument("--kind", action="append", choices=sorted(KINDS), help="one kind alone; once for each")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    import torch  # noqa: F401 - before memory is bounded
    from mutator import bound_memory  # which only POSIX has

    bound_memory(MEMORY)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in chosen.kind or KINDS:
            found = fuzz(kind, chosen.count, chosen.seed, Path(folder))
            wrong += len(found.wrong)
            print(
                f"{kind:13} {found.files:,} files: {found.opened:,} opened, {found.refused:,} refused, "
                f"{len(found.wrong)} wrong; slowest {found.slowest_s:.2f} s",
                flush=True,
            )
            for line in found.wrong[:5]:
                print(line, flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
