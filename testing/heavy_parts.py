"""Make each part of a document weigh 100 MB while its slice is written, on every processor.

A test names this module in `preload_modules`, with the folder above it in `PYTHONPATH`. Every run of that home then
holds 100 MB for each part of its window. What libraries need for a window differs between processors; this does not.
"""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path
from typing import Any

from ingest_assets.artifacts.shelves import Shelf
from ingest_assets.artifacts.slices import write_slice

PART_MB = 100


def _write_heavy_slice(shelf: Shelf, lines: list[bytes], *, first: int) -> None:
    if Path(shelf.place).parents[1].name == "parsed_documents":
        weight = bytearray(b"x") * (len(lines) * PART_MB << 20)
        # Work of a tenth of a second or more for each part, so that the watchdog, which looks every 50 ms, sees it.
        hashlib.blake2b(weight).digest()
    write_slice(shelf, lines, first=first)


artifacts_folder: Any = import_module("ingest_assets.artifacts.folder")
assert artifacts_folder.write_slice is write_slice
artifacts_folder.write_slice = _write_heavy_slice
