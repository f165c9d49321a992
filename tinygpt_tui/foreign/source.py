"""The content of a checkpoint of unknown layout: tensors by name, and what else its files hold."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinygpt_tui.errors import CheckpointError, NotFoundError, storage_error
from tinygpt_tui.files import is_file, is_folder
from tinygpt_tui.foreign.hub import folder_name
from tinygpt_tui.foreign.plain_weights import plain_weights
from tinygpt_tui.foreign.readers.gguf import MAGIC, read_gguf
from tinygpt_tui.foreign.readers.llama2c import BEGINNING, read_llama2c
from tinygpt_tui.foreign.readers.pickled import PickledObject
from tinygpt_tui.foreign.readers.safetensors_file import read_safetensors
from tinygpt_tui.foreign.readers.torch_zip import is_torch_file, read_torch
from tinygpt_tui.foreign.sidecars import check_inside, read_json, sidecar
from tinygpt_tui.foreign.tensors import MOST_TENSORS, TensorPlace, checked
from tinygpt_tui.foreign.unwrapping import taken_apart
from tinygpt_tui.foreign.wrong_files import is_of_a_model, wrong_file
from tinygpt_tui.reading import open_file

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".gguf", ".pth.tar", ".pt.tar")
PICKLES = (".pkl", ".pickle")  # Python's own files, of which most hold other things
# The names that programs give to a folder's weights, the most common first.
USUAL_NAMES = (
    "model.safetensors", "pytorch_model.bin", "ckpt.pt", "model.pth", "model.pt", "model.ckpt", "lit_model.pth",
    "model.gguf",
)  # fmt: skip
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
PREFIXES = ("_orig_mod.", "module.")
GGUF = "gguf"  # under which a GGUF's metadata are in `extras`
# Other files with such names: vocabularies, and the state of trainers.
NO_WEIGHTS = re.compile(
    r"tok\d+\.bin|(optimizer|scheduler)\.(pt|bin)|training_args\.bin|rng_state.*\.pth"
    r"|(.*[_-])?(vocab|vocabulary|tokeni[sz]er|meta|chars|characters|stoi|itos|encoder|mappings?)\.(pt|pth|bin|pkl|pickle)"
    r"|(.*[_-])?(data|dataset|train|val|test|config|args|history|loss(es)?|metrics|optimizer|results)\.(pkl|pickle)",
    re.IGNORECASE,
)
PART = re.compile(r"(.+-)(\d{5})(-of-)(\d{5})(\.safetensors|\.bin)")
MOST_PARTS = 100
MOST_SHOWN, MOST_EXAMINED = 4, 50  # files of a folder that is no model


@dataclass(frozen=True)
class Source:
    """A checkpoint's files: `tensors` by their names without wrappers; `wrapped_in` says what was taken off.

    `extras` is what lay beside the tensors in the file, `module` the class names of a pickled module's parts by their
    path ("" is the whole), `metadata` a safetensors file's. `copies` are what averaged weights were
    called, which are left out.
    """

    path: Path  # as it was given
    folder: Path
    files: tuple[Path, ...]  # of the weights
    tensors: Mapping[str, TensorPlace]
    extras: Mapping[str, Any] = field(default_factory=dict)
    module: Mapping[str, PickledObject] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    wrapped_in: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()

    def has(self, *names: str) -> bool:
        """Whether all these tensors are there."""
        return all(name in self.tensors for name in names)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape. Raises CheckpointError where it is not there."""
        if name not in self.tensors:
            raise CheckpointError(f"{self.name} has no tensor {name}", "a part of the model is missing")
        return self.tensors[name].shape

    def sidecar(self, name: str) -> Path | None:
        """Return a file beside the weights; see sidecars.sidecar."""
        return sidecar(self.folder, name)

    @property
    def name(self) -> str:
        """What to call it: its folder's name, or its file's where that was given and is not what all are called."""
        common = {Path(common).stem for common in USUAL_NAMES}
        alone = self.files == (self.path,)
        return self.path.stem if alone and self.path.stem not in common else folder_name(self.folder)

    def unwrapped(self) -> Source | None:
        """Return it without what all names begin with: `model.`, `net.`, whatever it was called. None: nothing."""
        first = {name.partition(".")[0] for name in self.tensors}
        prefix = f"{first.pop()}." if len(first) == 1 else ""
        if not prefix or not all(name.startswith(prefix) for name in self.tensors):
            return None
        tensors = {name.removeprefix(prefix): place for name, place in self.tensors.items()}
        return dataclasses.replace(self, tensors=tensors, wrapped_in=(*self.wrapped_in, prefix))

    @property
    def size_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.files if is_file(file))


def may_hold_weights(path: Path) -> bool:
    """Whether something is called as a checkpoint's file is; nothing is looked at but the name."""
    return path.name.endswith((*SUFFIXES, *PICKLES)) and not NO_WEIGHTS.fullmatch(path.name)


def open_source(path: Path) -> Source:
    """Look at a file or a folder; reads headers alone.

    Raises NotFoundError where there is nothing, CheckpointError where it is damaged or no checkpoint, StorageError.
    """
    if is_file(path):
        files = _with_other_parts(path)
        folder = path.parent
    elif is_folder(path):
        files = weights_in(path)
        folder = files[0].parent if files else path
        if not files:
            raise no_weights_in(path)
    else:
        raise NotFoundError(f"there is no file or folder at {path}", "check the path")
    places: list[TensorPlace] = []
    extras: dict[str, Any] = {}
    module: dict[str, PickledObject] = {}
    metadata: dict[str, str] = {}
    wrapped: tuple[str, ...] = ()
    for file in files:
        wrong = wrong_file(file)
        if wrong is not None:
            raise wrong
        if _is_safetensors(file):
            found, metadata = read_safetensors(file)
            places.extend(found.values())
            continue
        if _begins(file, MAGIC):
            of_file, of_header = read_gguf(file)
            places.extend(of_file)
            extras = {GGUF: of_header}
            continue
        plain = _of_llama2c(file)
        if plain is not None:
            places.extend(plain[0])
            extras = {"model_args": plain[1]}
            continue
        saved = read_torch(file)
        state, extras, module, wrapped = taken_apart(saved)
        _check_count(file, len(places) + len(state))
        places.extend(saved.place(name, ref) for name, ref in state.items())
    _check_count(files[0], len(places))
    tensors, prefixes = _without_prefixes(checked(places))
    tensors, copies = plain_weights(tensors)
    return Source(path, folder, files, tensors, extras, module, metadata, (*wrapped, *prefixes), copies)


def _check_count(file: Path, count: int) -> None:
    if count > MOST_TENSORS:
        raise CheckpointError(f"{file.name} has more than {MOST_TENSORS:,} tensors", "no tiny model has that many")


def weights_in(folder: Path) -> tuple[Path, ...]:
    """Return the weights' files of a folder, all parts of one model; empty where there are none.

    A folder that holds nothing but one folder with a model is that model. Raises CheckpointError where an index names
    files that are missing or in another folder.
    """
    for name in INDEXES:
        index = sidecar(folder, name)
        if index:
            return tuple(_named_in(index))
    for name in USUAL_NAMES:
        if is_file(folder / name):
            check_inside(folder / name, folder)
            return (folder / name,)
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise storage_error(error, folder) from error
    loose = [entry for entry in entries if may_hold_weights(entry) and is_file(entry)]
    loose = [entry for entry in loose if entry.suffix not in PICKLES] or loose
    if loose and (parts := _with_other_parts(loose[0])) == tuple(loose):
        return parts
    if len(loose) == 1:
        check_inside(loose[0], folder)
        return (loose[0],)
    if loose:
        raise CheckpointError(
            f"{folder.name} holds {len(loose)} checkpoints: {', '.join(entry.name for entry in loose[:5])}",
            "name one of them",
        )
    inside = [entry for entry in entries if is_folder(entry) and not entry.is_symlink() and holds_weights(entry)]
    return weights_in(inside[0]) if len(inside) == 1 else ()


def no_weights_in(folder: Path) -> CheckpointError:
    """Return the error for a folder without a checkpoint: it says what there is instead."""
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        return CheckpointError(f"no weights in {folder}: {error}", "check the path")
    shown = ", ".join(repr(entry.name)[1:-1][:60] for entry in entries[:MOST_SHOWN])
    there = f"there are {shown}" if len(entries) > 1 else f"there is {shown}" if entries else "it is empty"
    more = f" and {len(entries) - MOST_SHOWN} more" if len(entries) > MOST_SHOWN else ""
    hint = f"a checkpoint is a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file"
    for entry in entries[:MOST_EXAMINED]:
        wrong = wrong_file(entry) if is_file(entry) and not may_hold_weights(entry) and is_of_a_model(entry) else None
        if wrong is not None:
            hint = f"{wrong.message}: {wrong.hint}"
            break
    return CheckpointError(f"no weights in {folder}; {there}{more}", hint)


def _with_other_parts(file: Path) -> tuple[Path, ...]:
    """Return all files of the model of which `file` is a part, by its index or by its name; itself where it is whole.

    Raises CheckpointError where one is missing.
    """
    if file.name in INDEXES:
        return tuple(_named_in(file))
    for name in INDEXES:
        index = sidecar(file.parent, name)
        if index and file in (parts := tuple(_named_in(index))):
            return parts
    named = PART.fullmatch(file.name)
    if not named or not 0 < int(named[4]) <= MOST_PARTS:
        return (file,)
    before, _, of, count, suffix = named.groups()
    parts = tuple(file.with_name(f"{before}{place:05}{of}{count}{suffix}") for place in range(1, int(count) + 1))
    missing = next((part for part in parts if not is_file(part)), None)
    if missing is not None:
        raise CheckpointError(
            f"{file.name} is one of {len(parts)} parts of a model, and {missing.name} is not there",
            "copy all parts of the model into one folder",
        )
    for part in parts:
        check_inside(part, file.parent)
    return parts


def models_in(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder that holds several, as TinyGPT's `models/` does: folders, then loose files.

    Empty where the folder is a model itself, or holds none.
    """
    if not is_folder(folder) or any(is_file(folder / name) for name in ("config.json", *INDEXES, *USUAL_NAMES)):
        return []
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise storage_error(error, folder) from error
    folders = [entry for entry in entries if is_folder(entry) and not entry.is_symlink() and holds_weights(entry)]
    loose = [entry for entry in entries if may_hold_weights(entry) and is_file(entry) and not entry.is_symlink()]
    return [*folders, *loose]


def holds_weights(folder: Path) -> bool:
    """Whether a checkpoint is in `folder` itself."""
    if any(is_file(folder / name) for name in (*INDEXES, *USUAL_NAMES)):
        return True
    try:
        return any(may_hold_weights(entry) and is_file(entry) for entry in folder.iterdir())
    except OSError:
        return False


def _named_in(index: Path) -> Iterator[Path]:
    """Yield the files that an index of parts names, each once."""
    table = read_json(index).get("weight_map")
    if not isinstance(table, dict) or not all(isinstance(name, str) for name in table.values()):
        raise CheckpointError(f"{index.name} has no weight_map", "the file is damaged")
    for name in sorted(set(table.values())):
        if Path(name).name != name or name in ("", ".", ".."):
            raise CheckpointError(
                f"{index.name} names a file elsewhere: {name}", "its parts must be in the same folder"
            )
        part = sidecar(index.parent, name)
        if part is None:
            raise CheckpointError(f"{index.name} names {name}, which is not there", "copy all parts of the model")
        yield part


def _of_llama2c(file: Path) -> tuple[list[TensorPlace], dict[str, int]] | None:
    """Return what llama2.c's own file holds; None where it is another file."""
    try:
        with open_file(file) as opened:
            beginning = opened.read(BEGINNING)
        return None if is_torch_file(beginning) else read_llama2c(file, beginning, file.stat().st_size)
    except OSError as error:
        raise storage_error(error, file) from error


def _begins(file: Path, magic: bytes) -> bool:
    try:
        with open_file(file) as opened:
            return opened.read(len(magic)) == magic
    except OSError as error:
        raise storage_error(error, file) from error


def _is_safetensors(file: Path) -> bool:
    try:
        with open_file(file) as opened:
            beginning = opened.read(9)
    except OSError as error:
        raise storage_error(error, file) from error
    if file.suffix == ".safetensors":
        return True
    return not is_torch_file(beginning) and beginning[8:9] == b"{"


def _without_prefixes(tensors: dict[str, TensorPlace]) -> tuple[dict[str, TensorPlace], tuple[str, ...]]:
    """Take off what torch.compile and DistributedDataParallel put before every name, perhaps both."""
    taken: list[str] = []
    while tensors:
        prefix = next((prefix for prefix in PREFIXES if all(name.startswith(prefix) for name in tensors)), None)
        if prefix is None:
            break
        taken.append(prefix)
        tensors = {name.removeprefix(prefix): place for name, place in tensors.items()}
    return tensors, tuple(taken)
