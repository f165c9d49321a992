"""Models of the Hugging Face Hub, by `hf:NAME`: fetched into Hugging Face's own cache; no torch here.

The cache is shared with every other program that uses it, interrupted downloads are resumed, and HF_HUB_OFFLINE,
HF_ENDPOINT, HF_HOME and HF_TOKEN mean what they mean there. Only weights, settings and vocabulary are fetched: of what
this program has published, its own folder.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
import queue
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tinygpt_tui.errors import DownloadError, NotFoundError, StorageError, TinyGPTError, UsageError, storage_error
from tinygpt_tui.packages import require

PREFIX = "hf:"
GOOD_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?(@[\w./-]+)?")
SMALL = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt",
    "model.safetensors.index.json", "pytorch_model.bin.index.json",
)  # fmt: skip
WEIGHTS = (re.compile(r"model(-\d+-of-\d+)?\.safetensors"), re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin"))
OURS = "tinygpt-tui"  # a published model's folder in our own format
OUR_FILES = tuple(f"{OURS}/{name}" for name in ("weights.safetensors", "config.json", "tokenizer.json"))
LARGEST, LARGEST_TEXT = 1 << 35, 1 << 28  # bytes: of a model, and of one of its files that is no weights
TOLD_EVERY_S = 0.1
PATIENCE_S = 10.0  # for the first answer


class Fetched(msgspec.Struct, frozen=True):
    """How many bytes of how many have arrived; `path` is the model's folder, with the last one."""

    done: int
    total: int
    path: str | None = None


def is_hub_name(name: str) -> bool:
    """Whether a model's name means one of the Hub."""
    return name.startswith(PREFIX)


def folder_name(folder: Path) -> str:
    """Return what a model in `folder` is called: in the cache, whose folders are called by revisions, as on the Hub."""
    if folder.name == OURS and folder.parent.parent.name == "snapshots":
        folder = folder.parent
    if folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--"):
        return folder.parent.parent.name.split("--")[-1]
    return folder.name


def find_on_hub(name: str) -> Path:
    """Return the folder of the model `hf:NAME`, which is fetched where it is not here. Raises as `fetch`."""
    folder = ""
    for fetched in fetch(name):
        folder = fetched.path or folder
    return Path(folder)


def fetch(name: str) -> Iterator[Fetched]:
    """Fetch the model `hf:NAME` or `hf:NAME@REVISION`; what is here already is not fetched again.

    Stop pulling to cancel: the next call resumes with what has arrived. Raises NotFoundError where the Hub
    has no such model, DownloadError where it cannot be reached or gives nothing that can be opened, StorageError.
    """
    repo, revision = _parts(name)
    hub = library("hf:…")
    here = _cached(hub, repo, revision)
    if hub.constants.HF_HUB_OFFLINE:
        if here is None:
            raise DownloadError(f"{name} is not in the cache, and HF_HUB_OFFLINE says not to fetch it", "unset it")
        yield Fetched(0, 0, str(here))
        return
    try:
        sizes = _files(hub, repo, revision)
    except DownloadError:
        if here is None:
            raise
        yield Fetched(0, 0, str(here))  # the Hub cannot be reached, but the model is here
        return
    total = sum(sizes.values())
    _check_sizes(repo, sizes)
    _check_room(hub, repo, total)
    yield from _fetch_all(hub, repo, revision, sizes, total)


def _fetch_all(hub: Any, repo: str, revision: str | None, sizes: dict[str, int], total: int) -> Iterator[Fetched]:
    finished, folder = 0, ""
    for file, size in sorted(sizes.items(), key=lambda one: one[1]):  # the small ones first: they tell soonest
        for done in _fetch_file(hub, repo, revision, file, size):
            if isinstance(done, str):
                folder = str(Path(done).parent)
            else:
                yield Fetched(min(finished + done, total), total)
        finished += size
    yield Fetched(total, total, folder)


def _fetch_file(hub: Any, repo: str, revision: str | None, file: str, size: int) -> Iterator[int | str]:
    """Yield how many bytes of a file are here, and its path at the end; more than `size` of them are refused."""
    told: queue.SimpleQueue[int | str | Exception] = queue.SimpleQueue()
    cancelled = threading.Event()

    def work() -> None:
        try:
            told.put(
                str(
                    hub.hf_hub_download(
                        repo, file, revision=revision, endpoint=endpoint(), tqdm_class=_bar(told, cancelled)
                    )
                )
            )
        except Exception as error:
            told.put(error)

    threading.Thread(target=work, daemon=True, name=f"fetching {file}").start()
    last = time.monotonic()
    try:
        while True:
            said = told.get()
            if isinstance(said, Exception):
                raise _in_words(hub, said, repo) from said
            if isinstance(said, str):
                yield said
                return
            if said > size:
                raise DownloadError(f"{file} of hf:{repo} is larger than the Hub says", "nothing of it is used")
            if time.monotonic() - last > TOLD_EVERY_S:
                last = time.monotonic()
                yield said
    finally:
        cancelled.set()


def _bar(told: queue.SimpleQueue[int | str | Exception], cancelled: threading.Event) -> type:
    """Return what the library takes for a progress bar: it hands on what it hears, and ends a download."""
    tqdm: Any = importlib.import_module("tqdm").tqdm

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self.here = int(options.get("initial") or 0)
            options = {name: value for name, value in options.items() if name != "name"}
            super().__init__(*arguments, **{**options, "file": io.StringIO(), "disable": True})

        def update(self, n: float | None = 1) -> None:
            if cancelled.is_set():
                raise KeyboardInterrupt
            self.here += int(n or 0)
            told.put(self.here)

    return Bar


def _files(hub: Any, repo: str, revision: str | None) -> dict[str, int]:
    """Return the files that a model needs, and their sizes."""
    try:
        info = hub.HfApi(endpoint=endpoint()).model_info(
            repo, revision=revision, files_metadata=True, timeout=PATIENCE_S
        )
    except Exception as error:
        raise _in_words(hub, error, repo) from error
    sizes = {file.rfilename: int(file.size or 0) for file in info.siblings or ()}
    if sizes.keys() >= set(OUR_FILES):
        return {name: sizes[name] for name in OUR_FILES}
    weights = next((found for kind in WEIGHTS if (found := [name for name in sizes if kind.fullmatch(name)])), [])
    if not weights:
        raise DownloadError(f"hf:{repo} has no weights that can be read here", "wanted: model.safetensors")
    return {name: sizes[name] for name in [*weights, *SMALL] if name in sizes}


def _cached(hub: Any, repo: str, revision: str | None) -> Path | None:
    """Return the folder of a model that is in the cache with its weights; None where it is not."""
    try:
        folder = Path(hub.snapshot_download(repo, revision=revision, local_files_only=True))
        if (folder / OUR_FILES[0]).exists():
            return folder / OURS
        names = [entry.name for entry in folder.iterdir()]
    except Exception:
        return None
    return folder if any(kind.fullmatch(name) for kind in WEIGHTS for name in names) else None


def _check_sizes(repo: str, sizes: dict[str, int]) -> None:
    texts = [size for name, size in sizes.items() if name.endswith((".json", ".txt"))]
    if sum(sizes.values()) > LARGEST or max(texts, default=0) > LARGEST_TEXT:
        raise DownloadError(f"hf:{repo} takes {sum(sizes.values()) / 1e9:.1f} GB", "that is too large for this program")


def _check_room(hub: Any, repo: str, total: int) -> None:
    """Raise StorageError before the disk is full, not after."""
    cache = Path(hub.constants.HF_HUB_CACHE)
    place = next((folder for folder in (cache, *cache.parents) if folder.is_dir()), cache)
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        raise storage_error(error, place) from error
    here = sum(file.stat().st_size for file in (cache / f"models--{repo.replace('/', '--')}").glob("blobs/*"))
    if total - here > free:
        raise StorageError(
            f"hf:{repo} takes {total / 1e9:.1f} GB, and {place} has {free / 1e9:.1f} GB free",
            "free some space, or set HF_HOME to another disk",
        )


def _in_words(hub: Any, error: Exception, repo: str) -> TinyGPTError:
    errors = hub.errors
    if isinstance(error, errors.GatedRepoError):
        return DownloadError(
            f"hf:{repo} is given out only to those who have asked for it", "ask on its page, then set HF_TOKEN"
        )
    if isinstance(error, errors.RepositoryNotFoundError | errors.HFValidationError):
        return NotFoundError(f"the Hub has no model {repo!r}, or none that everybody may see", "check its name")
    if isinstance(error, errors.RevisionNotFoundError):
        return NotFoundError(f"hf:{repo} has no such revision", "leave out what is behind the @")
    if isinstance(error, OSError) and error.errno is not None:
        return storage_error(error, Path(hub.constants.HF_HUB_CACHE))
    again = "check the connection and try again: what has come is kept"
    return DownloadError(f"hf:{repo} could not be fetched: {first_line(error)}", again)


def first_line(error: Exception) -> str:
    """Return the first line of what the library says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _parts(name: str) -> tuple[str, str | None]:
    wanted = name.removeprefix(PREFIX)
    if not GOOD_NAME.fullmatch(wanted):
        raise UsageError(f"{name!r} is not the name of a model on the Hub", "like hf:gpt2 or hf:OWNER/NAME")
    repo, _, revision = wanted.partition("@")
    return repo, revision or None


def endpoint() -> str | None:
    """Return the address of another Hub than the public one, if one is set."""
    return os.environ.get("HF_ENDPOINT") or None


def library(purpose: str) -> Any:
    """Return the Hub's own library, silenced. Raises MissingPackageError, which names the purpose."""
    require("huggingface_hub", purpose, "hf")
    hub: Any = importlib.import_module("huggingface_hub")
    for part in ("constants", "errors", "logging"):
        importlib.import_module(f"huggingface_hub.{part}" if part != "logging" else "huggingface_hub.utils.logging")
    hub.utils.logging.set_verbosity_error()  # what is wrong is said in our words
    return hub
