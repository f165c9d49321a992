"""Data sets of the Hugging Face Hub, by `hf:NAME[/CONFIG][:SPLIT]`: which of their files are the text; no HTTP client.

The Hub has most data sets as Parquet, too, on a branch of its own: a folder for each configuration, in it one for
each split. Of a data set without that branch its author's files are used. HF_ENDPOINT, HF_TOKEN, HF_HOME and
HF_HUB_OFFLINE mean what they mean to Hugging Face's own programs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence, Set
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import msgspec

from tinygpt_tui.corpora.formats import PACKED, PARQUET, RECORDS, TEXTS
from tinygpt_tui.errors import CorpusError, DownloadError, NotFoundError, TinyGPTError, UsageError
from tinygpt_tui.reading import read_bytes
from tinygpt_tui.words import shortened

PREFIX = "hf:"
GOOD_NAME = re.compile(r"([\w-][\w.-]*(?:/[\w-][\w.-]*)?)(?:/([\w+-][\w.+-]*))?(?::([\w-][\w.-]*))?", re.ASCII)
CONVERTED, OWN = "refs%2Fconvert%2Fparquet", "main"  # branches
PARTIAL = "partial-"  # before the name of a split of which only the beginning is converted
USUAL_CONFIG, USUAL_SPLIT = "default", "train"
NAMED = 8  # choices in a hint
LARGEST_TOKEN = 1 << 12  # bytes
NO_TEXTS = frozenset({"dataset_infos.json", "dataset_info.json", "state.json", "config.json"})


class DataSet(NamedTuple):
    """A data set of the Hub and the part of it that is meant; empty: the usual one."""

    repository: str
    config: str = ""
    split: str = ""

    @property
    def title(self) -> str:
        """What a text that is made of it is called."""
        parts = (self.repository.rpartition("/")[2], self.config, self.split)
        return shortened(re.sub(r"[^\w-]+", "-", "-".join(filter(None, parts))), 40)


class HubFile(msgspec.Struct, frozen=True):
    """A file of a data set as the Hub lists it: its `path` there, and its `size` in bytes; `type` is "file"."""

    type: str
    path: str
    size: int = 0
    address: str = ""


def is_data_set(name: str) -> bool:
    return name.startswith(PREFIX)


def data_set(name: str) -> DataSet:
    """Return what `hf:NAME[/CONFIG][:SPLIT]` means. Raises UsageError.

    >>> data_set("hf:wikimedia/wikipedia/20231101.de:train")
    DataSet(repository='wikimedia/wikipedia', config='20231101.de', split='train')
    """
    found = GOOD_NAME.fullmatch(name.removeprefix(PREFIX))
    if found is None or ".." in name:
        raise UsageError(
            f"{name!r} is not the name of a data set on the Hub",
            "like hf:OWNER/NAME, hf:OWNER/NAME/CONFIG or hf:OWNER/NAME:SPLIT",
        )
    return DataSet(found[1], found[2] or "", found[3] or "")


def hub_address() -> str:
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def hub_headers() -> dict[str, str]:
    """Return what the Hub knows the user by: the token of HF_TOKEN, or of `hf auth login`."""
    token = os.environ.get("HF_TOKEN", "")
    if not token:
        home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
        try:
            token = read_bytes(home / "token", LARGEST_TOKEN).decode("ascii").strip()
        except (OSError, ValueError):
            token = ""
    return {"Authorization": f"Bearer {token}"} if token.isascii() and token.isprintable() and token else {}


def check_online(name: str) -> None:
    """Raise DownloadError if the user's settings say that nothing may be fetched."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise DownloadError(f"{name} is not here, and HF_HUB_OFFLINE says not to fetch it", "unset it")


def refusal(name: str, status: int, reason: str) -> TinyGPTError | None:
    """Return the error for an answer of the Hub with that `status`, whose X-Error-Code is `reason`; None: another."""
    repository = data_set(name).repository
    page = f"{hub_address()}/datasets/{repository}"
    if reason == "GatedRepo" or status == 403:
        return DownloadError(
            f"hf:{repository} is given out only to those who have asked for it",
            f"ask on its page ({page}), then `hf auth login` or set HF_TOKEN",
        )
    if reason == "RepoNotFound" or status in (401, 404):
        return NotFoundError(
            f"the Hub has no data set {repository!r}, or none that everybody may see",
            "check its name, OWNER/NAME; a private one needs HF_TOKEN",
        )
    return None


def files_of(name: str, listed: Callable[[str], Sequence[HubFile] | None]) -> list[HubFile]:
    """Return the files that are the text of a data set, with their addresses; `listed` gives those of a branch or None.

    Raises NotFoundError where there is no such configuration or split, CorpusError where no file can be read.
    """
    wanted = data_set(name)
    branch, files = CONVERTED, _converted(wanted, listed(CONVERTED) or ())
    if not files:
        branch, files = OWN, _own(wanted, listed(OWN) or ())
    top = f"{hub_address()}/datasets/{wanted.repository}/resolve/{branch}/"
    return [msgspec.structs.replace(file, address=f"{top}{file.path}") for file in files]


def _converted(wanted: DataSet, files: Sequence[HubFile]) -> list[HubFile]:
    """Return the Parquet files of one split of one configuration; none if nothing is converted."""
    known: dict[str, dict[str, list[HubFile]]] = {}
    for file in files:
        config, _, rest = file.path.partition("/")
        split, _, name = rest.partition("/")
        if file.type == "file" and PurePosixPath(name).suffix == PARQUET:
            known.setdefault(config, {}).setdefault(split.removeprefix(PARTIAL), []).append(file)
    if not known:
        return []
    name = PREFIX + wanted.repository
    config = _chosen("configuration", wanted.config, USUAL_CONFIG, [*known], f"{name}/")
    name += f"/{wanted.config}" if wanted.config else ""
    split = _chosen("split", wanted.split, USUAL_SPLIT, [*known[config]], f"{name}:")
    return known[config][split]


def _chosen(what: str, typed: str, default: str, known: Sequence[str], before: str) -> str:
    """Return what was `typed`, or the default, or the only one that is known; `before` is what a choice follows."""
    found = typed or (default if default in known or len(known) > 1 else known[0])
    if found in known:
        return found
    several = f"{before[:-1]} has no {what} {typed!r}" if typed else f"{before[:-1]} has several {what}s"
    choices = ", ".join(before + one for one in known[:NAMED]) + (", …" if len(known) > NAMED else "")
    raise NotFoundError(several, f"choose one: {choices}")


def _own(wanted: DataSet, files: Sequence[HubFile]) -> list[HubFile]:
    """Return those of the author's files that can be read: records, or else texts; of one split, if the names tell."""
    kinds = [[file for file in files if _is_of(file, kind)] for kind in (RECORDS, TEXTS)]
    found = next(filter(None, kinds), [])
    if wanted.config:
        found = [file for file in found if wanted.config in PurePosixPath(file.path).parts[:-1]]
    splits = [file for file in found if (wanted.split or USUAL_SPLIT) in re.split(r"[\W_]+", file.path)]
    if not wanted.split and not splits:
        splits = found
    if not splits:
        some = ", ".join(file.path for file in next(filter(None, kinds), files)[:NAMED])
        part = " ".join(filter(None, (wanted.config, wanted.split)))
        raise CorpusError(
            f"{PREFIX}{wanted.repository} has no file that can be read" + (f" in {part}" if part else ""),
            f"it has {some}; download what you need yourself and name the file" if some else "choose another data set",
        )
    return splits


def _is_of(file: HubFile, kind: Set[str]) -> bool:
    path = PurePosixPath(file.path)
    hidden = any(part.startswith(".") for part in path.parts) or path.name in NO_TEXTS
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    last = suffixes[:-1] if suffixes and suffixes[-1] in PACKED else suffixes
    return file.type == "file" and not hidden and path.stem != "README" and bool(last) and last[-1] in kind
