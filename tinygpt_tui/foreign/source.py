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
from tinygpt_tui.foreign.readers.gguf import MAGIC, read_gguf
from tinygpt_tui.foreign.readers.llama2c import HEADER, read_llama2c
from tinygpt_tui.foreign.readers.pickled import PickledObject, TensorRef
from tinygpt_tui.foreign.readers.safetensors_file import read_safetensors
from tinygpt_tui.foreign.readers.torch_zip import Saved, is_torch_file, read_torch
from tinygpt_tui.foreign.sidecars import check_inside, read_json, sidecar
from tinygpt_tui.foreign.tensors import MOST_TENSORS, TensorPlace, checked
from tinygpt_tui.reading import open_file

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".gguf")
# The names that programs give to a folder's weights, the most common first.
USUAL_NAMES = (
    "model.safetensors", "pytorch_model.bin", "ckpt.pt", "model.pth", "model.pt", "model.ckpt", "lit_model.pth",
    "model.gguf",
)  # fmt: skip
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
WRAPPERS = ("model", "model_state_dict", "state_dict", "model_state", "weights", "params", "net", "network", "ema")
PREFIXES = ("_orig_mod.", "module.")
GGUF = "gguf"  # under which a GGUF's metadata are in `extras`
DEEPEST_WRAPPING = 3
# Other files with such names: llama2.c's vocabularies, and the state of trainers.
NO_WEIGHTS = re.compile(r"tok(enizer|\d+)\.bin|(optimizer|scheduler)\.(pt|bin)|training_args\.bin|rng_state.*\.pth")
DEEPEST_MODULE = 32


@dataclass(frozen=True)
class Source:
    """A checkpoint's files: `tensors` by their names without wrappers; `wrapped_in` says what was taken off.

    `extras` is what lay beside the tensors in the file, `module` the class names of a pickled module's parts by their
    path ("" is the whole), `metadata` a safetensors file's.
    """

    path: Path  # as it was given
    folder: Path
    files: tuple[Path, ...]  # of the weights
    tensors: Mapping[str, TensorPlace]
    extras: Mapping[str, Any] = field(default_factory=dict)
    module: Mapping[str, PickledObject] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    wrapped_in: tuple[str, ...] = ()

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
        return self.path.stem if self.path in self.files and self.path.stem not in common else folder_name(self.folder)

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
        """How large the weights' files are."""
        return sum(file.stat().st_size for file in self.files if is_file(file))


def may_hold_weights(path: Path) -> bool:
    """Whether something is called as a checkpoint's file is; nothing is looked at but the name."""
    return path.suffix in SUFFIXES and not NO_WEIGHTS.fullmatch(path.name)


def open_source(path: Path) -> Source:
    """Look at a file or a folder; reads headers alone.

    Raises NotFoundError where there is nothing, CheckpointError where it is damaged or no checkpoint, StorageError.
    """
    if is_file(path):
        files: tuple[Path, ...] = (path,)
        folder = path.parent
    elif is_folder(path):
        files = weights_in(path)
        folder = files[0].parent if files else path
        if not files:
            raise CheckpointError(f"{path} holds no weights", f"a checkpoint is a {' or '.join(SUFFIXES)} file")
    else:
        raise NotFoundError(f"there is no file or folder at {path}", "check the path")
    places: list[TensorPlace] = []
    extras: dict[str, Any] = {}
    module: dict[str, PickledObject] = {}
    metadata: dict[str, str] = {}
    wrapped: tuple[str, ...] = ()
    for file in files:
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
        state, extras, module, wrapped = _taken_apart(saved)
        _check_count(file, len(places) + len(state))
        places.extend(saved.place(name, ref) for name, ref in state.items())
    _check_count(files[0], len(places))
    tensors, prefixes = _without_prefixes(checked(places))
    return Source(path, folder, files, tensors, extras, module, metadata, (*wrapped, *prefixes))


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
            beginning = opened.read(HEADER.size)
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


def _taken_apart(
    saved: Saved,
) -> tuple[dict[str, TensorRef], dict[str, Any], dict[str, PickledObject], tuple[str, ...]]:
    """Return the state dict of what was saved, what lay beside it, the parts of a pickled module, and its wrapper."""
    content = saved.content
    extras: dict[str, Any] = {}
    wrapped: tuple[str, ...] = ()
    if isinstance(content, tuple | list):  # the weights, and something else
        content = next((value for value in content if isinstance(value, dict) and _is_state(value)), content)
    while isinstance(content, dict) and not _is_state(content) and len(wrapped) < DEEPEST_WRAPPING:
        key = _wrapper_in(content)
        if key is None:
            raise CheckpointError(
                f"{saved.path.name} holds no weights", f"it holds {_words(content)}; give a file with a state dict"
            )
        extras |= {str(name): value for name, value in content.items() if name != key and isinstance(name, str)}
        content, wrapped = content[key], (*wrapped, key)
    if isinstance(content, PickledObject):
        if content.kind.module.split(".")[0] == "__torch__":
            raise CheckpointError(
                f"{saved.path.name} is a program of TorchScript, which is not run here",
                "give its weights: torch.save(torch.jit.load(FILE).state_dict(), OTHER_FILE)",
            )
        parts = dict(_modules(saved, content))
        if not any(isinstance(part.attribute("_parameters"), dict) for part in parts.values()):
            raise CheckpointError(
                f"{saved.path.name} holds a {content.kind}, which is no model", "give a file with a model's weights"
            )
        state = {
            f"{at}.{name}" if at else name: ref
            for at, part in parts.items()
            for kind in ("_parameters", "_buffers")
            for name, ref in _dict(part.attribute(kind)).items()
            if isinstance(ref, TensorRef) and isinstance(name, str)
        }
        return state, extras, parts, wrapped
    if not isinstance(content, dict) or not _is_state(content):
        raise CheckpointError(f"{saved.path.name} holds no weights", "give a file with a model's state dict")
    return {name: ref for name, ref in content.items() if isinstance(ref, TensorRef)}, extras, {}, wrapped


def _wrapper_in(content: dict[Any, Any]) -> str | None:
    """Return the entry that holds the weights: one of the usual names, or the one with the most tensors."""
    common = next((key for key in WRAPPERS if isinstance(content.get(key), dict | PickledObject)), None)
    if common is not None:
        return common
    held = {key: value for key, value in content.items() if isinstance(key, str)}
    states = {key: len(value) for key, value in held.items() if isinstance(value, dict) and _is_state(value)}
    if states:
        return max(states, key=states.__getitem__)
    modules = (key for key, value in held.items() if isinstance(value, PickledObject) and value.attribute("_modules"))
    inside = (key for key, value in held.items() if isinstance(value, dict) and _wraps(value))
    return next(modules, next(inside, None))


def _wraps(content: dict[Any, Any]) -> bool:
    return any(isinstance(value, dict) and _is_state(value) for value in content.values())


def _is_state(content: dict[Any, Any]) -> bool:
    """Whether a dict is a state dict: names and tensors, and at most a few other things."""
    refs = sum(isinstance(value, TensorRef) for value in content.values())
    return refs > 0 and all(isinstance(name, str) for name in content) and 2 * refs >= len(content)


def _modules(saved: Saved, whole: PickledObject) -> Iterator[tuple[str, PickledObject]]:
    """Yield each part of a pickled module with its path; a part that is in itself has no end, and is refused."""
    waiting: list[tuple[str, PickledObject, int]] = [("", whole, 0)]
    count = 0
    while waiting:
        at, part, depth = waiting.pop()
        count += 1
        if depth > DEEPEST_MODULE or count > MOST_TENSORS:
            raise CheckpointError(f"{saved.path.name}: its module has no end", "the file is damaged; do not trust it")
        yield at, part
        for name, inner in reversed(_dict(part.attribute("_modules")).items()):
            if isinstance(inner, PickledObject) and isinstance(name, str):
                waiting.append((f"{at}.{name}" if at else name, inner, depth + 1))


def _dict(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _words(content: dict[Any, Any]) -> str:
    names = [str(name)[:30] for name in list(content)[:5]]
    return ", ".join(names) or "nothing"


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
