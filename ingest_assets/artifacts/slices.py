"""Write records as slices of zstd JSON lines, and read them back: the files that an artifact consists of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ingest_assets.errors import OutsideError

if TYPE_CHECKING:
    from ingest_assets.artifacts.shelves import Shelf

T = TypeVar("T")

_SLICE = ".jsonl.zst"


def read_slices(shelf: Shelf, record_type: type[T]) -> Iterator[T]:
    """Yield the records of the slices on a shelf in order, one slice in memory at a time."""
    import zstandard

    decoder = msgspec.json.Decoder(record_type)
    for name in _slices(shelf):
        if data := shelf.read(name):
            with zstandard.ZstdDecompressor().stream_reader(data) as reader:
                yield from decoder.decode_lines(reader.read())


def count_records(shelf: Shelf) -> int:
    """Count the records of the slices on a shelf from the names of the files."""
    return max((int(name.split(".")[0].split("-")[1]) for name in _slices(shelf)), default=0)


def write_slice(shelf: Shelf, lines: list[bytes], *, first: int) -> None:
    """Write encoded records as one slice; `first` is the number of the first of them, from 1."""
    import zstandard

    data = zstandard.ZstdCompressor(level=3).compress(b"\n".join(lines) + b"\n")
    shelf.write(f"{first:08}-{first + len(lines) - 1:08}{_SLICE}", data)


def _slices(shelf: Shelf) -> list[str]:
    return [name for name in shelf.names() if name.endswith(_SLICE)]


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
