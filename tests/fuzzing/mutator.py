"""Mutates checkpoints by what they mean, and opens them in processes with limits.

`python tests/fuzzing/mutator.py --count 5000 [--seed N] [--only NUMBER]`

`fuzz.py` damages bytes. This one knows the formats: it grafts a part of one model on another, puts
hostile values into JSON, safetensors headers and the opcodes of pickles and packs them again, and makes files something
else (a pipe, a device, a link to itself, a sparse file). Each folder is listed, its card is made, and it is opened and
writes a few tokens as `generate` does, with a limit on processor time and memory. Whatever is in the folder, that ends
in a model or in an error of ours. POSIX only.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import os
import pickletools
import random
import resource
import select
import signal
import socket
import struct
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

MOST_CPU_S, MOST_WALL_S = 5.0, 120.0
MEMORY = 1 << 30  # bytes beyond what the process has when it starts
MOST_REPEATED = 64 << 20  # bytes
TOKENS = 20
TOGETHER = 50  # folders are tried in one child, one after another
CODE = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "socket.connect", "pickle.find_class")
SPECIAL = ("pipe", "circle", "socket", "device", "sparse", "folder", "outside")
NAMES = (
    "config.json", "tokenizer.json", "weights.safetensors", "model.safetensors", "pytorch_model.bin", "ckpt.pt",
    "model.pth", "meta.pkl", "vocab.json", "merges.txt", "chars.txt", "tokenizer.model", "tokenizer.bin", "stories.bin",
    "model.safetensors.index.json", "origin.json",
)  # fmt: skip
Files = dict[str, "bytes | str"]  # content, or what else is there (one of SPECIAL)


@dataclass
class Outcome:
    """What became of the folders; `wrong` says what should not have happened."""

    opened: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    largest_mb: int = 0
    layouts: Counter[str] = field(default_factory=Counter)


# Bases: one of everything that can be opened.


ALL = ("classic", "modern", "lecture", "llama", "rnn", "lstm", "cnn", "bigram", "backpack")
FEW = ("classic",)


def bases(scratch: Path, names: tuple[str, ...] = ALL) -> list[Files]:
    """Return small checkpoints of all layouts: other programs', and ours of these names with all their exports."""
    import whole_files
    from makers import VARIANTS, make_model

    from tinygpt_tui import paths
    from tinygpt_tui.errors import TinyGPTError
    from tinygpt_tui.exports.export import export
    from tinygpt_tui.exports.forms import FORMS

    made = (whole_files.pt, whole_files.legacy, whole_files.tar, whole_files.whole_module, whole_files.meta,
            whole_files.safetensors, whole_files.hugging_face, whole_files.pieces, whole_files.llama2c)  # fmt: skip
    found: list[Files] = [dict(one) for make in made for one in make()]
    for name in names:
        model = scratch / name
        make_model(model, VARIANTS[name])
        found.append(_files(model))
        for form in FORMS.values():
            for out in (scratch / f"{name}-{form.name}", scratch / f"{name}-{form.name}-1" / form.file):
                out.parent.mkdir(exist_ok=True)
                with contextlib.suppress(TinyGPTError):
                    export(model, form, out, approximate=True, checking=False)
                    found.append(_files(out if out.is_dir() else out.parent))
    for folder in (paths.shipped_models(), Path(__file__).resolve().parents[3] / "shared" / "fixtures"):
        if folder.is_dir():
            found += [_files(one) for one in sorted(folder.iterdir()) if one.is_dir()]
    return [files for files in found if files]


def _files(folder: Path) -> Files:
    return {entry.name: entry.read_bytes() for entry in sorted(folder.iterdir()) if entry.is_file()}


# Mutations: each changes `files` in place.


class Mutator:
    """Makes the folder number N of a seed, always the same one."""

    def __init__(self, seed: int, originals: list[Files]) -> None:
        self._seed, self._originals = seed, originals

    def make(self, number: int) -> Files:
        """Return a folder, changed in one to four ways."""
        self.chance = random.Random(f"mutator {self._seed} {number}")
        files = dict(self.chance.choice(self._originals))
        ways: list[tuple[Callable[[Files], None], int]] = [
            (self.graft, 3), (self.inside, 10), (self.rename, 2), (self.special, 2), (self.remove, 1), (self.cut, 2),
            (self.blocks, 2),
        ]  # fmt: skip
        for _ in range(self.chance.choice((1, 1, 1, 2, 3, 4))):
            (way,) = self.chance.choices([way for way, _ in ways], [weight for _, weight in ways])
            if files:
                way(files)
        return files

    def _one(self, files: Files) -> str:
        return self.chance.choice(sorted(files))

    def graft(self, files: Files) -> None:
        """Put a file of another model into this one, perhaps in the place of one of its own."""
        other = self.chance.choice(self._originals)
        name = self.chance.choice(sorted(other))
        files[self._one(files) if self.chance.random() < 0.5 else name] = other[name]

    def rename(self, files: Files) -> None:
        """Give a file the name of another kind."""
        files[self.chance.choice(NAMES)] = files.pop(self._one(files))

    def remove(self, files: Files) -> None:
        """Take a file away."""
        del files[self._one(files)]

    def special(self, files: Files) -> None:
        """Make a file, or a new one, something that is no file."""
        name = self._one(files) if self.chance.random() < 0.7 else self.chance.choice(NAMES)
        files[name] = self.chance.choice(SPECIAL)

    def cut(self, files: Files) -> None:
        """End a file too soon, or let it go on."""
        name = self._one(files)
        content = files[name]
        if isinstance(content, bytes):
            end = self.chance.choice(
                (0, 1, 8, len(content) // 2, len(content) - 1, self.chance.randrange(len(content) + 1))
            )
            files[name] = content[:end] if self.chance.random() < 0.7 else content + content[:end]

    def blocks(self, files: Files) -> None:
        """Move a block of a file elsewhere, or overwrite aligned numbers with extreme ones."""
        name = self._one(files)
        content = files[name]
        if not isinstance(content, bytes) or len(content) < 16:
            return
        data = bytearray(content)
        for _ in range(self.chance.choice((1, 2, 8))):
            if len(data) <= 8:  # short numbers replace eight bytes by four
                break
            at = self.chance.randrange(len(data) - 8)
            if self.chance.random() < 0.5:
                size = self.chance.randrange(1, min(4096, len(data)))
                start = self.chance.randrange(len(data) - size + 1)
                data[at : at + size] = data[start : start + size]
            else:
                number = self.chance.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, 1 << 63))
                at &= ~3
                data[at : at + 8] = struct.pack("<Q", number)[: 4 if number < 1 << 32 else 8].ljust(4, b"\0")
        files[name] = bytes(data)

    def inside(self, files: Files) -> None:
        """Change what a file says, and pack it again as its format wants it."""
        name = self._one(files)
        content = files[name]
        if not isinstance(content, bytes):
            return
        with contextlib.suppress(ValueError, KeyError, IndexError, struct.error, zipfile.BadZipFile, RecursionError):
            if content[:4] == b"PK\x03\x04":
                files[name] = self._zip(content)
            elif content[8:9] == b"{":
                files[name] = self._safetensors(content)
            elif content[:1] == b"\x80":
                files[name] = self._pickle(content)
            elif content.lstrip()[:1] in (b"{", b"["):
                files[name] = self._dumped(self._tree(json.loads(content)))
            else:
                files[name] = self._lines(content)

    # Formats.

    def _safetensors(self, content: bytes) -> bytes:
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        for _ in range(self.chance.choice((1, 1, 3))):
            what = self.chance.randrange(5)
            names = sorted(header)
            if what == 0 and isinstance(words := header.get("__metadata__"), dict) and words:
                key = self.chance.choice(sorted(words))
                with contextlib.suppress(ValueError, TypeError):
                    words[key] = self._dumped(self._tree(json.loads(words[key]))).decode("utf-8", "replace")
            elif what == 1:
                header[self.chance.choice(names) + self.chance.choice((".", ".0", "\x1b[2J", "x" * 600))] = header[
                    self.chance.choice(names)
                ]
            elif what == 2:
                many = self.chance.choice((10, 1000, 60_000))
                header |= {f"layers.{n}.w": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(many)}
            else:
                header = self._tree(header)
                if not isinstance(header, dict):
                    break
        packed = self._dumped(header)
        told = len(packed) if self.chance.random() < 0.9 else self.chance.choice((0, len(packed) - 1, 1 << 40))
        return struct.pack("<Q", told) + packed + content[8 + length :]

    def _zip(self, content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
        names = sorted(entries)
        chosen = next((name for name in names if name.endswith("data.pkl")), names[0])
        if self.chance.random() < 0.75:
            entries[chosen] = self._pickle(entries[chosen])
        else:
            chosen = self.chance.choice(names)
            moved = entries.pop(chosen)
            if self.chance.random() < 0.7:
                entries[self.chance.choice((chosen + "x", "../" + chosen, chosen))] = moved[: len(moved) // 2]
        packed = io.BytesIO()
        form = zipfile.ZIP_DEFLATED if self.chance.random() < 0.1 else zipfile.ZIP_STORED
        with zipfile.ZipFile(packed, "w", form) as archive:
            for name, data in entries.items():
                archive.writestr(zipfile.ZipInfo(name), data, compress_type=form)
        return packed.getvalue()

    def _pickle(self, content: bytes) -> bytes:
        """Change the program of a pickle, operation by operation; what follows it stays."""
        operations, end = [], 0
        places = [(place or 0) for _, _, place in pickletools.genops(content)]
        for start, stop in zip(places, [*places[1:], places[-1] + 1], strict=True):
            operations.append(content[start:stop])
            end = stop
        for _ in range(self.chance.choice((1, 2, 5))):
            at = self.chance.randrange(len(operations))
            match self.chance.randrange(7):
                case 0:
                    del operations[at]
                case 1:
                    operations.insert(at, operations[self.chance.randrange(len(operations))])
                case 2:
                    other = self.chance.randrange(len(operations))
                    operations[at], operations[other] = operations[other], operations[at]
                case 3:
                    operations[at : at + 1] = _repeated(operations[at], self.chance.choice((2, 50, 20_000)))
                case 4:
                    operations.insert(at, self.chance.choice(OPERATIONS))
                case 5:
                    operations.insert(at, self._flood())
                case _:
                    operations[at] = self.chance.choice(
                        (b"N", b"]", b"}", b")", b"\x8a\x08" + b"\xff" * 7 + b"\x7f", b"K\x00")
                    )
            if not operations:
                return content[end:]
        return b"".join(operations) + content[end:]

    def _flood(self) -> bytes:
        """Return a dict of many keys whose hashes are all the same."""
        step, many = (1 << 61) - 1, self.chance.choice((100, 5000, 40_000))
        key = b"\x8a\x0c%b" if self.chance.random() < 0.5 else b"K\x01\x8a\x0c%b\x86"
        return b"}(" + b"".join(key % (step * n).to_bytes(12, "little") + b"N" for n in range(1, many)) + b"u0"

    def _lines(self, content: bytes) -> bytes:
        lines = content.split(b"\n")
        at = self.chance.randrange(len(lines))
        lines[at : at + 1] = self.chance.choice(
            (
                [],
                [lines[at]] * 2,
                _repeated(lines[at], 5000),
                [b"\xff\xfe" + lines[at]],
                [b" ".join(lines[at : at + 3])],
                [b"x" * 100_000],
            )
        )
        return b"\n".join(lines)

    def _tree(self, value: Any) -> Any:
        """Replace, remove or double one node of a JSON value."""
        if not isinstance(value, dict | list) or not value or self.chance.random() < 0.1:
            return self.chance.choice(HOSTILE)
        keys: list[Any] = sorted(value) if isinstance(value, dict) else list(range(len(value)))
        key = self.chance.choice(keys)
        match self.chance.randrange(8):
            case 0:
                del value[key]
            case 1:
                value[key] = value[self.chance.choice(keys)]
            case 2 if isinstance(value, dict):
                value[self.chance.choice(("name", "format", "model", "vocab", "type", str(key) + "x"))] = value[key]
            case _:
                value[key] = self._tree(value[key])
        return value

    def _dumped(self, value: Any) -> bytes:
        text = json.dumps(value, ensure_ascii=self.chance.random() < 0.5)
        text = text.replace(
            '"@deep"', "[" * 50_000 + "]" * 50_000 if self.chance.random() < 0.5 else '{"a":' * 3000 + "1" + "}" * 3000
        )
        return text.replace('"@many"', "[" + ",".join(["0"] * 200_000) + "]").encode("utf-8", "surrogatepass")


def _repeated(part: bytes, many: int) -> list[bytes]:
    """Return `part` so many times, fewer where that would be more than this machine has room for."""
    return [part] * max(2, min(many, MOST_REPEATED // max(1, len(part))))


HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 64, 4096, 65_537, 1 << 31, 1 << 53, (1 << 63) - 1, 1 << 64, 10**40, 0.5, -0.0,
    1e308, float("nan"), float("inf"), "", "0", "\x00", "\x1b]0;x\x07", "\ud800", "é" * 1000, "x" * 100_000, [], {},
    [[]], [0] * 100, {"a": {}}, "@deep", "@many", "gpt", "rnn", "backpack", "char", "bpe", "pieces", "padded",
    "numbers", "rotary", "llama", "swiglu",
)  # fmt: skip
OPERATIONS = (
    b"(", b"t", b"l", b"d", b"e", b"u", b"s", b"a", b"R", b"b", b"0", b"1", b"2", b"Q", b"\x81", b"\x92", b"\x85",
    b"\x86", b"\x8b\xff\xff\xff\x7f", b"\x8d" + b"\xff" * 8, b"cposix\nsystem\n", b"cbuiltins\nexec\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n", b"r\xff\xff\xff\x7f", b"j\xff\xff\xff\x7f", b"h\x00",
    b"I" + b"9" * 5000 + b"\n", b"F1e999\n", b"V\\ud800\n", b"\x94", b"P0\n",
)  # fmt: skip


# Trying: a child for each folder.


def put(files: Files, folder: Path) -> None:
    """Write a folder; what is no file is made as the system makes it."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        path = folder / name
        match content:
            case bytes():
                path.write_bytes(content)
            case "pipe":
                os.mkfifo(path)
            case "circle":
                path.symlink_to(name)
            case "device":
                path.symlink_to("/dev/zero")
            case "outside":
                path.symlink_to("/etc/passwd")
            case "folder":
                path.mkdir()
            case "sparse":
                with path.open("wb") as file:
                    file.write(
                        (100).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[50000000000],"data_offsets":'
                    )
                    file.truncate(200 << 30)
            case _:
                with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as made:
                    made.bind(str(path))


def attempt(home: Path) -> str:
    """List the models of a home, make the card of the one that is tried, open it and let it write."""
    from tinygpt_tui.checkpoints.library import list_models
    from tinygpt_tui.errors import TinyGPTError
    from tinygpt_tui.generation.text import GenerationJob, TextGeneration
    from tinygpt_tui.insight.model_facts import model_facts
    from tinygpt_tui.settings.sampling import SamplingSettings
    from tinygpt_tui.words import COMMANDS
    from tinygpt_tui.workers.models import open_model

    model = home / "models" / "tried"
    cards = {card.name: card for card in list_models()}
    assert "shakespeare" in cards, "the others are there all the same"
    with contextlib.suppress(TinyGPTError):
        model_facts(model)
    try:
        opened = open_model(model)
        sampling = SamplingSettings(max_new_tokens=TOKENS, seed=1)
        job = GenerationJob(
            opened.new_engine(),
            TextGeneration(opened.tokenizer, opened.config.architecture.context_length, "ROMEO:", sampling),
        )
        for _ in job:
            pass
    except TinyGPTError as error:
        return "a message that would move the cursor" if COMMANDS.search(error.message) else "refused"
    return f"opened {cards['tried'].layout}"


Tried = tuple[int, str, float, int]  # the folder's number, what became of it, seconds of processor time, MB


def try_batch(batch: list[int], mutator: Mutator, place: Path) -> Iterator[Tried]:
    """Try folders one after another in a child; where one of them ends it, the rest are tried in another."""
    while batch:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            _child(batch, mutator, place, writing)
        os.close(writing)
        done = 0
        for tried in _lines_of(reading, child):
            yield tried
            done += 1
        _, status, used = os.wait4(child, 0)
        batch = batch[done:]
        if batch:
            words = f"ended by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"ended: {status}"
            yield batch[0], words, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024
            batch = batch[1:]


def _lines_of(reading: int, child: int) -> Iterator[Tried]:
    """Yield what the child says; it is killed where it says nothing for long."""
    said = b""
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while True:
            if not select.select([pipe], [], [], MOST_WALL_S)[0]:
                os.kill(child, signal.SIGKILL)
            part = pipe.read(1 << 16)
            if not part:
                return
            *lines, said = (said + part).split(b"\n")
            for line in lines:
                number, words, cpu_s, megabytes = json.loads(line)
                yield number, words, cpu_s, megabytes


def _child(batch: list[int], mutator: Mutator, place: Path, writing: int) -> None:
    """Try the folders of a batch, and say a line of each; never returns."""
    seen: list[str] = []
    try:
        quiet = os.open(os.devnull, os.O_RDWR)
        for handle in (0, 1, 2):
            os.dup2(quiet, handle)
        sys.addaudithook(lambda event, _: seen.append(event) if event in CODE else None)
        for number in batch:
            with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as folder:
                home = Path(folder) / "home"
                os.environ["TINYGPT_TUI_HOME"] = str(home)
                began = time.process_time()
                try:
                    bound_memory(None)  # to make a folder takes more than the program may
                    resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                    put(mutator.make(number), home / "models" / "tried")
                    bound_memory(MEMORY)
                    began = time.process_time()
                    resource.setrlimit(resource.RLIMIT_CPU, (int(began + 2 * MOST_CPU_S) + 1, resource.RLIM_INFINITY))
                    seen.clear()
                    words = attempt(home)
                except BaseException:
                    words = traceback.format_exc(limit=-6)[-3000:]
                if seen:
                    words = f"ran code: {seen}"
                took = time.process_time() - began
            largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            os.write(writing, json.dumps([number, words, took, largest]).encode() + b"\n")
    finally:
        os._exit(0)


def bound_memory(more: int | None) -> None:
    """Let this process have `more` bytes than it has now; None: without a limit. Linux only."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_bytes().split()[0])
        most = resource.RLIM_INFINITY if more is None else pages * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def _warm_up(originals: list[Files], place: Path) -> None:
    """Open some whole folders here, so that no child has to import anything; none of them is refused."""
    before = os.environ.get("TINYGPT_TUI_HOME")
    for number, files in enumerate(originals[:: max(1, len(originals) // 8)]):
        put(files, place / str(number) / "models" / "tried")
        os.environ["TINYGPT_TUI_HOME"] = str(place / str(number))
        attempt(place / str(number))
    os.environ.pop("TINYGPT_TUI_HOME") if before is None else os.environ.update(TINYGPT_TUI_HOME=before)
    gc.freeze()  # a child that looks through what it shares with its parent copies it


def try_many(
    numbers: Iterator[int], seed: int, place: Path, names: tuple[str, ...], say: Callable[[str], None] = print
) -> Outcome:
    """Try the folders of these numbers."""
    import torch

    from tinygpt_tui.native.library import load_library

    torch.set_num_threads(1)
    load_library()  # built now, if it must be
    (place / "bases").mkdir()
    originals = bases(place / "bases", names)
    _warm_up(originals, place / "warm")
    mutator, outcome = Mutator(seed, originals), Outcome()
    waiting = list(numbers)
    batches = (waiting[start : start + TOGETHER] for start in range(0, len(waiting), TOGETHER))
    with contextlib.suppress(KeyboardInterrupt):  # what is done by then is told
        for number, words, cpu_s, largest in (one for batch in batches for one in try_batch(batch, mutator, place)):
            outcome.slowest_s, outcome.largest_mb = max(outcome.slowest_s, cpu_s), max(outcome.largest_mb, largest)
            if words == "refused":
                outcome.refused += 1
            elif words.startswith("opened "):
                outcome.opened += 1
                outcome.layouts[words.removeprefix("opened ")] += 1
            else:
                outcome.wrong.append(f"{number}: {words}")
            if cpu_s > MOST_CPU_S:
                outcome.wrong.append(f"{number}: {cpu_s:.1f} s of processor time")
            if outcome.wrong and outcome.wrong[-1].startswith(f"{number}:"):
                say(outcome.wrong[-1])
    return outcome


def main() -> int:
    """Mutate from the command line; returns 1 where anything went wrong."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the makers of small models
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, metavar="NUMBER")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--few", action="store_true", help="fewer kinds of our own models, to begin sooner")
    parser.add_argument("--only", type=int, help="try this folder alone")
    chosen = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has it ignored in the background
    numbers = range(chosen.first, chosen.first + chosen.count) if chosen.only is None else [chosen.only]
    with tempfile.TemporaryDirectory() as folder:
        names = FEW if chosen.few else ALL
        outcome = try_many(iter(numbers), chosen.seed, Path(folder), names, lambda line: print(line, flush=True))
    print(
        f"{outcome.opened + outcome.refused + len(outcome.wrong):,} folders: {outcome.opened:,} opened, {outcome.refused:,} refused, {len(outcome.wrong)} wrong; "  # noqa: E501
        f"slowest {outcome.slowest_s:.2f} s of processor time, largest process {outcome.largest_mb:,} MB"
    )
    print(", ".join(f"{layout} {count}" for layout, count in outcome.layouts.most_common()))
    return int(bool(outcome.wrong))


if __name__ == "__main__":
    sys.exit(main())
