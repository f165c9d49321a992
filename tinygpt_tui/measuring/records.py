"""The records of tiny Shakespeare as data: rows of `data/records.toml`, their tracks, and the table in the docs."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from tinygpt_tui import paths
from tinygpt_tui.reading import decode_toml

FILE = "records.toml"
COLUMNS = ("window", "rolling", "adaptive")
_SECONDS = {1: "1 s", 10: "10 s", 60: "1 min", 300: "5 min", 1800: "30 min"}
_SIZES = {100_000: "≤ 100k", 1_000_000: "≤ 1M"}
HEAD = (
    "NAME",
    "PARAMETERS",
    "SECONDS",
    "TRACK",
    "WINDOW",
    "ROLLING",
    "ADAPTIVE",
    "SEEDS",
    "SPREAD",
    "COMMAND OR SOURCE",
)


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """What is predicted: the last `characters` of a corpus."""

    corpus: str
    sha256: str
    characters: int


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model or a compressor. Losses are nats per character, of several seeds their median.

    `spread` has the lowest and the highest of the first loss. `source` is set where others publish it, by their own
    rules. `measure` says that `bench records` makes it again: a shipped model, or a compressor.
    """

    name: str
    parameters: int | None = None
    seconds: float | None = None
    window: float | None = None
    rolling: float | None = None
    adaptive: float | None = None
    seeds: int = 1
    spread: tuple[float, float] | None = None
    command: str = ""
    source: str = ""
    note: str = ""
    measure: bool = False

    @property
    def is_model(self) -> bool:
        """Whether it is a model by these rules, no compressor and no figure of others."""
        return not self.source and self.parameters is not None

    @property
    def track(self) -> str:
        """The least time and size that it has room in."""
        if not self.is_model:
            return ""
        time = next((name for most, name in _SECONDS.items() if (self.seconds or math.inf) <= most), "any time")
        size = next((name for most, name in _SIZES.items() if (self.parameters or math.inf) <= most), "any size")
        return f"{time}, {size}"


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    text: Text
    row: tuple[Row, ...]


def read_records(path: Path | None = None) -> Records:
    """Read the shipped table, or another one."""
    return decode_toml((path or paths.shipped_data() / FILE).read_bytes(), Records)


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as it is printed; losses as nats / bits."""
    return (
        row.name,
        f"{row.parameters:,}" if row.parameters else "",
        f"{row.seconds:,.0f}" if row.seconds else "",
        row.track,
        *(loss_words(getattr(row, column)) for column in COLUMNS),
        str(row.seeds) if row.is_model else "",
        "{:.3f} to {:.3f}".format(*row.spread) if row.spread else "",
        "; ".join(part for part in (row.command or row.source, row.note) if part),
    )


def loss_words(nats: float | None) -> str:
    """Return a loss per character as nats and bits.

    >>> loss_words(1.4069)
    '1.407 / 2.030'
    """
    return "" if nats is None else f"{nats:.3f} / {nats / math.log(2):.3f}"


def markdown(records: Records) -> str:
    """Return the table as it is in docs/records.md."""
    lines = [HEAD, ("---",) * len(HEAD), *(cells(row) for row in records.row)]
    return "".join(
        "| " + " | ".join(cell.capitalize() if line is HEAD else cell for cell in line) + " |\n" for line in lines
    )
