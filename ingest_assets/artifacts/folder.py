"""Keep sequences of records as slices of zstd JSON lines that are written and read window by window.

    ASSET/FILE/FINGERPRINT/00000001-00000016.jsonl.zst    one slice: the records of one window, one a line
    ASSET/FILE/FINGERPRINT/attachments/SHA256             pictures, once each
    ASSET/FILE/current.json                               the manifest of the sequence in force

They lie in a folder, or below a prefix of an object store, where another host goes on with what one began. A file is
seen whole or not at all, and the manifest is written last, so a reader sees the old sequence or the new one. A killed
run leaves its finished slices; the next run with the same fingerprint continues after them. `zstdcat *.jsonl.zst | jq`
and DuckDB's `read_json` open them. Nothing is pickled, so a change of the code never makes data unreadable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from ingest_assets.artifacts.caption_cache import CaptionCache
from ingest_assets.artifacts.costs import measured
from ingest_assets.artifacts.manifests import UNREAD_UNDER_CAP, Manifest, Summary
from ingest_assets.artifacts.sequences import CURRENT, IN_PROGRESS, Draft, Pending, Stored
from ingest_assets.artifacts.shelves import FolderShelf, Shelf
from ingest_assets.artifacts.slices import count_records, write_slice
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.local_files import locked

T = TypeVar("T")

_NAME_BYTES = 200  # file systems take 255; the rest is for suffixes


class Artifacts:
    """All stages' results."""

    def __init__(self, root: Path, *, shelf: Shelf | None = None) -> None:
        """Take the folder of what this host keeps for itself (locks, captions), and where results lie if not in it."""
        self._root, self._shelf = root, shelf or FolderShelf(root)

    def write(self, asset: str, file_id: str, pending: Pending[T], record_type: type[T]) -> tuple[Manifest, bool]:
        """Make the sequence unless it is there already; return its manifest and whether it was made now.

        Raises:
            OutsideError: the disk is full or cannot be written.
        """
        beside = self._beside(asset, file_id)
        with self._lock(beside):
            current = self.manifest(asset, file_id)
            if current is not None and current.fingerprint == pending.fingerprint:
                if not _fits_now(current, pending):
                    return current, False
                # The manifest is removed first: after a kill, the rest is then a draft like any other.
                beside.remove(CURRENT)
                beside.at(pending.fingerprint[:16]).clear()
            return self._replace(beside, pending, record_type), True

    def _replace(self, beside: Shelf, pending: Pending[T], record_type: type[T]) -> Manifest:
        with measured() as cost:
            made = self._make(beside.at(pending.fingerprint[:16]), pending, record_type)
        counts = made.counts | ({UNREAD_UNDER_CAP: pending.cap_mb} if pending.leaves_out else {})
        manifest = replace(made, counts=counts, seconds=cost.seconds, peak_memory_mb=cost.peak_memory_mb)
        beside.write(CURRENT, msgspec.json.encode(manifest))
        _remove_others(beside, keep=pending.fingerprint[:16])
        return manifest

    def _lock(self, beside: Shelf) -> AbstractContextManager[None]:
        """Wait for another process of this host that makes the same sequence: each would remove the other's slices.

        Two hosts never make one sequence at once as long as Dagster's queue starts one run of a file at a time.
        """
        return locked(self._root / ".locks" / hashlib.sha256(beside.place.encode()).hexdigest()[:32])

    def read(self, asset: str, file_id: str, record_type: type[T]) -> Stored[T]:
        """Open the sequence in force.

        Raises:
            OutsideError: there is none.
        """
        manifest = self.manifest(asset, file_id)
        if manifest is None:
            raise OutsideError(f"{file_id}: there is no {asset} yet; materialise {asset} for this file first")
        return Stored(manifest=manifest, asset=asset, beside=self._beside(asset, file_id), record_type=record_type)

    def manifest(self, asset: str, file_id: str) -> Manifest | None:
        """Return the manifest of the sequence in force; None if there is none or it cannot be read."""
        found = self._beside(asset, file_id).read(CURRENT)
        try:
            return None if found is None else msgspec.json.decode(found, type=Manifest)
        except msgspec.MsgspecError:
            return None

    def forget(self, asset: str, file_id: str) -> None:
        """Remove a sequence that cannot be read; the next run makes it again."""
        manifest = self.manifest(asset, file_id)
        beside = self._beside(asset, file_id)
        beside.remove(CURRENT)
        if manifest is not None:
            beside.at(manifest.fingerprint[:16]).clear()

    def record_in_progress(self, asset: str, file_id: str) -> int:
        """Return the number of the record that an attempt was making when it ended without a result."""
        current, beside = self.manifest(asset, file_id), self._beside(asset, file_id)
        in_force = current.fingerprint[:16] if current else ""
        drafts = [file for file in beside.files() if "/" in file.name and file.name.split("/")[0] != in_force]
        newest = max(drafts, key=lambda file: file.modified_at, default=None)
        if newest is None:
            return 1
        draft = beside.at(newest.name.split("/")[0])
        with suppress(ValueError):
            return int(draft.read(IN_PROGRESS) or b"")
        return count_records(draft) + 1

    def delete(self, file_id: str) -> None:
        """Remove everything that is kept for a file; nothing is kept for a key that no file can have."""
        if not _is_one_name(file_id):
            return
        for asset in self._shelf.parts():
            beside = self._beside(asset, file_id)
            # The manifest is removed first: after a kill, no damaged result is in force.
            beside.remove(CURRENT)
            beside.clear()
        with self.caption_cache(file_id) as captions:
            captions.settle()

    def remove_leftovers(self, known: Collection[str], *, before: float) -> int:
        """Remove the results of files that are not known, unless they were written after `before`; return how many.

        `before` is in seconds since 1970: a file that arrived a moment ago may not be known yet.
        """
        names, removed = {_folder_of(file_id) for file_id in known if _is_one_name(file_id)}, 0
        for asset in self._shelf.parts():
            for name in self._shelf.at(asset).parts():
                beside = self._shelf.at(f"{asset}/{name}")
                if name not in names and all(file.modified_at < before for file in beside.files()):
                    beside.remove(CURRENT)
                    beside.clear()
                    removed += 1
        return removed

    def beside(self, name: str, file_id: str) -> Shelf:
        """Return a place for what follows from a file and can be made again; it goes when the file goes.

        Raises:
            BadInput: the key is no name of a folder.
        """
        return self._beside(name, file_id)

    def caption_cache(self, file_id: str, *, model: str = "") -> CaptionCache:
        """Open the cache of captions for a file."""
        return CaptionCache(self._root, file_id, model=model)

    def _make(self, shelf: Shelf, pending: Pending[T], record_type: type[T]) -> Manifest:
        draft = Draft(shelf, record_type=record_type, resume_token=pending.resume_token)
        summary = Summary(pending.tally)
        for record in draft.kept():
            summary.add(record)
        resumed = summary.records
        produced = pending.produce(draft)
        while window := list(islice(produced, pending.window)):
            first = summary.records + 1
            write_slice(shelf, [summary.add(record) for record in window], first=first)
        return summary.manifest(fingerprint=pending.fingerprint, resumed=resumed, facts=draft.facts)

    def _beside(self, asset: str, file_id: str) -> Shelf:
        """Return where a file's results of an asset lie.

        Raises:
            BadInput: the key is no name of a folder; joined to a path it could lead out of this one.
        """
        if not _is_one_name(file_id):
            raise BadInput(f"{file_id!r} is no file's partition key; write USER:PROJECT:FILENAME")
        return self._shelf.at(f"{asset}/{_folder_of(file_id)}")


def _folder_of(file_id: str) -> str:
    """Return the name of a file's folder: its id, shortened where it is longer than a file system allows."""
    if len(file_id.encode()) <= _NAME_BYTES:
        return file_id
    short = file_id.encode()[: _NAME_BYTES - 20].decode(errors="ignore")
    return f"{short}~{hashlib.sha256(file_id.encode()).hexdigest()[:16]}"


def _is_one_name(file_id: str) -> bool:
    return file_id not in {"", ".", ".."} and "/" not in file_id and "\0" not in file_id


def _fits_now(current: Manifest, pending: Pending[T]) -> bool:
    """Tell whether something was left out because it did not fit, and the cap is larger now."""
    cap_then = current.counts.get(UNREAD_UNDER_CAP)
    if cap_then is None or pending.leaves_out:
        return False
    return pending.cap_mb == 0 or pending.cap_mb > cap_then > 0


def _remove_others(beside: Shelf, *, keep: str) -> None:
    for name in beside.parts():
        if name != keep:
            beside.at(name).clear()
