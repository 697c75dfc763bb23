"""Write records as slices of zstd JSON lines, and read them back: the files that an artifact consists of.

Every file is written under a temporary name, flushed and renamed, so a reader never sees half of one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from ingest_assets.errors import OutsideError

T = TypeVar("T")

_SLICE = "*.jsonl.zst"


def read_slices(folder: Path, record_type: type[T]) -> Iterator[T]:
    """Yield the records of a folder's slices in order, one slice in memory at a time."""
    import zstandard

    decoder = msgspec.json.Decoder(record_type)
    for path in sorted(folder.glob(_SLICE)):
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
            yield from decoder.decode_lines(reader.read())


def count_records(folder: Path) -> int:
    """Count the records of a folder's slices from the names of the files."""
    return max((int(path.name.split(".")[0].split("-")[1]) for path in folder.glob(_SLICE)), default=0)


def write_slice(folder: Path, lines: list[bytes], *, first: int) -> None:
    """Write encoded records as one slice; `first` is the number of the first of them, from 1."""
    import zstandard

    data = zstandard.ZstdCompressor(level=3).compress(b"\n".join(lines) + b"\n")
    write_whole(folder / f"{first:08}-{first + len(lines) - 1:08}.jsonl.zst", data)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that readers see all of it or nothing.

    Raises:
        OutsideError: the disk is full or cannot be written.
    """
    unfinished = path.with_name(f".{os.getpid()}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise OutsideError(f"{path.parent}: cannot be written ({error.strerror}); is the disk full?") from error
