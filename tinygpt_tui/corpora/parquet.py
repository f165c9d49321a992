"""The records of a .parquet file, a few at a time; only the columns that can hold text are read."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from typing import IO, Any

from tinygpt_tui.errors import CorpusError
from tinygpt_tui.packages import require

ROWS_AT_ONCE = 256
LARGEST_GROUP = 2 << 30  # bytes of a group of rows, unpacked: as much may be in memory
LARGEST_HEADER = 64 << 20
LARGEST_PACKED = 256 << 20  # bytes of a file in an archive, which is in memory as a whole


def parquet_records(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the records of a file. Raises CorpusError if it is damaged or too large, MissingPackageError."""
    require("pyarrow", "reading .parquet", "parquet")
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    if not file.seekable():
        content = file.read(LARGEST_PACKED + 1)
        if len(content) > LARGEST_PACKED:
            raise CorpusError(f"larger than {LARGEST_PACKED >> 20} MB in an archive")
        file = io.BytesIO(content)
    try:
        limits = {"thrift_string_size_limit": LARGEST_HEADER, "thrift_container_size_limit": 1_000_000}
        opened = parquet.ParquetFile(file, pre_buffer=False, **limits)
        names = [field.name for field in opened.schema_arrow if _may_be_text(arrow.types, field.type)]
        groups = [opened.metadata.row_group(number).total_byte_size for number in range(opened.num_row_groups)]
        if max(groups, default=0) > LARGEST_GROUP:
            raise CorpusError(f"a group of its rows takes {max(groups) >> 20} MB: write it with smaller ones")
        for batch in opened.iter_batches(ROWS_AT_ONCE, columns=names, use_threads=False):
            yield from batch.to_pylist()
    except (arrow.ArrowException, OSError, ValueError, TypeError, MemoryError) as error:
        reason = str(error).split("\n")[0].split(". ")[0][:80] or type(error).__name__
        raise CorpusError(f"is damaged ({reason})") from error


def _may_be_text(types: Any, kind: Any) -> bool:
    """Whether a column has texts, or lists or objects that may have some; others (numbers, pictures) stay unread."""
    return any(is_kind(kind) for is_kind in (types.is_string, types.is_large_string, types.is_list, types.is_struct))
