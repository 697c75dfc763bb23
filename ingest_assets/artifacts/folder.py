"""Keep sequences of records on disk, as slices of zstd JSON lines that are written and read window by window.

    ROOT/ASSET/FILE/FINGERPRINT/00000001-00000016.jsonl.zst    one slice: the records of one window, one a line
    ROOT/ASSET/FILE/FINGERPRINT/attachments/SHA256             pictures, once each
    ROOT/ASSET/FILE/current.json                               the manifest of the sequence in force

Every file is written under a temporary name and renamed, and the manifest is written last, so a reader sees the old
sequence or the new one. A killed run leaves its finished slices; the next run with the same fingerprint continues after
them. `zstdcat *.jsonl.zst | jq` and DuckDB's `read_json` open them. Nothing is pickled, so a change of the code never
makes data unreadable.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from ingest_assets.artifacts.caption_cache import CaptionCache
from ingest_assets.artifacts.costs import measured
from ingest_assets.artifacts.manifests import UNREAD_UNDER_CAP, Manifest, Summary
from ingest_assets.artifacts.sequences import IN_PROGRESS, Draft, Pending, Stored
from ingest_assets.artifacts.slices import count_records, write_slice, write_whole
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.local_files import locked

T = TypeVar("T")

_NAME_BYTES = 200  # file systems take 255; the rest is for suffixes


class Artifacts:
    """The folder of all stages' results."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, asset: str, file_id: str, pending: Pending[T], record_type: type[T]) -> tuple[Manifest, bool]:
        """Make the sequence unless it is there already; return its manifest and whether it was made now.

        Raises:
            OutsideError: the disk is full or cannot be written.
        """
        folder = self._folder(asset, file_id)
        with self._lock(folder):
            current = self.manifest(asset, file_id)
            if current is not None and current.fingerprint == pending.fingerprint:
                if not _fits_now(current, pending):
                    return current, False
                # The manifest is removed first: after a kill, the rest is then a draft like any other.
                (folder / "current.json").unlink()
                shutil.rmtree(folder / pending.fingerprint[:16], ignore_errors=True)
            return self._replace(folder, pending, record_type), True

    def _replace(self, folder: Path, pending: Pending[T], record_type: type[T]) -> Manifest:
        with measured() as cost:
            made = self._make(folder / pending.fingerprint[:16], pending, record_type)
        counts = made.counts | ({UNREAD_UNDER_CAP: pending.cap_mb} if pending.leaves_out else {})
        manifest = replace(made, counts=counts, seconds=cost.seconds, peak_memory_mb=cost.peak_memory_mb)
        write_whole(folder / "current.json", msgspec.json.encode(manifest))
        _remove_others(folder, keep=pending.fingerprint[:16])
        return manifest

    def _lock(self, folder: Path) -> AbstractContextManager[None]:
        """Wait for another process that makes the same sequence: each would remove the other's slices."""
        return locked(self._root / ".locks" / hashlib.sha256(str(folder).encode()).hexdigest()[:32])

    def read(self, asset: str, file_id: str, record_type: type[T]) -> Stored[T]:
        """Open the sequence in force.

        Raises:
            OutsideError: there is none.
        """
        manifest = self.manifest(asset, file_id)
        if manifest is None:
            raise OutsideError(f"{file_id}: there is no {asset} yet; materialise {asset} for this file first")
        folder = self._folder(asset, file_id) / manifest.fingerprint[:16]
        return Stored(manifest=manifest, folder=folder, record_type=record_type)

    def manifest(self, asset: str, file_id: str) -> Manifest | None:
        """Return the manifest of the sequence in force; None if there is none or it cannot be read."""
        try:
            return msgspec.json.decode((self._folder(asset, file_id) / "current.json").read_bytes(), type=Manifest)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def forget(self, asset: str, file_id: str) -> None:
        """Remove a sequence that cannot be read; the next run makes it again."""
        manifest = self.manifest(asset, file_id)
        folder = self._folder(asset, file_id)
        (folder / "current.json").unlink(missing_ok=True)
        if manifest is not None:
            shutil.rmtree(folder / manifest.fingerprint[:16], ignore_errors=True)

    def record_in_progress(self, asset: str, file_id: str) -> int:
        """Return the number of the record that an attempt was making when it ended without a result."""
        current = self.manifest(asset, file_id)
        in_force = current.fingerprint[:16] if current else ""
        folder = self._folder(asset, file_id)
        drafts = [path for path in folder.glob("*") if path.is_dir() and path.name != in_force]
        newest = max(drafts, key=lambda path: path.stat().st_mtime, default=None)
        if newest is None:
            return 1
        with suppress(FileNotFoundError, ValueError):
            return int((newest / IN_PROGRESS).read_text())
        return count_records(newest) + 1

    def delete(self, file_id: str) -> None:
        """Remove everything that is kept for a file; nothing is kept for a key that no file can have."""
        if not self._root.is_dir() or not _is_one_name(file_id):
            return
        for asset in sorted(path.name for path in self._root.glob("[!.]*")):
            folder = self._folder(asset, file_id)
            # The manifest is removed first: after a kill, no damaged result is in force.
            (folder / "current.json").unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
        with self.caption_cache(file_id) as captions:
            captions.settle()

    def caption_cache(self, file_id: str, *, model: str = "") -> CaptionCache:
        """Open the cache of captions for a file."""
        return CaptionCache(self._root, file_id, model=model)

    def _make(self, folder: Path, pending: Pending[T], record_type: type[T]) -> Manifest:
        draft = Draft(folder, record_type=record_type, resume_token=pending.resume_token)
        summary = Summary(pending.tally)
        for record in draft.kept():
            summary.add(record)
        resumed = summary.records
        produced = pending.produce(draft)
        while window := list(islice(produced, pending.window)):
            first = summary.records + 1
            write_slice(folder, [summary.add(record) for record in window], first=first)
        return summary.manifest(fingerprint=pending.fingerprint, resumed=resumed, facts=draft.facts)

    def _folder(self, asset: str, file_id: str) -> Path:
        """Return where a file's results of an asset lie.

        Raises:
            BadInput: the key is no name of a folder; joined to a path it could lead out of this one.
        """
        if not _is_one_name(file_id):
            raise BadInput(f"{file_id!r} is no file's partition key; write USER:PROJECT:FILENAME")
        name = file_id
        if len(name.encode()) > _NAME_BYTES:
            short = name.encode()[: _NAME_BYTES - 20].decode(errors="ignore")
            name = f"{short}~{hashlib.sha256(file_id.encode()).hexdigest()[:16]}"
        return self._root / asset / name


def _is_one_name(file_id: str) -> bool:
    return file_id not in {"", ".", ".."} and "/" not in file_id and "\0" not in file_id


def _fits_now(current: Manifest, pending: Pending[T]) -> bool:
    """Tell whether something was left out because it did not fit, and the cap is larger now."""
    cap_then = current.counts.get(UNREAD_UNDER_CAP)
    if cap_then is None or pending.leaves_out:
        return False
    return pending.cap_mb == 0 or pending.cap_mb > cap_then > 0


def _remove_others(folder: Path, *, keep: str) -> None:
    for path in folder.iterdir():
        if path.is_dir() and path.name != keep:
            shutil.rmtree(path, ignore_errors=True)
