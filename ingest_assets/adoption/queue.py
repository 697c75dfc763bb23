"""Read what the queue for small hosts left: its `file_queue.json`, its checkpoint and its Chroma.

A file that was not read, or whose reading was broken off, is put into the bucket and read anew. A file that was
completed has rows in Chroma, which are adopted. A file that failed is named with the reason that the checkpoint gives.

The queue names files by the paths that they had on its host, such as `/app/10K2Kv2/file1.txt`. In the project a file
gets its path below the folder that all of them share.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest_assets.adoption.adopt import Adopted, Step
from ingest_assets.adoption.fields import document_name
from ingest_assets.adoption.staging import StagedDocument
from ingest_assets.buckets.contract import Bucket, require_listed
from ingest_assets.errors import BadInput, ConfigError
from ingest_assets.file_ids import key_for
from ingest_assets.ledger_records import Scope
from ingest_assets.local_files import sha256_of

QUEUE_FILE = "file_queue.json"
_LISTS = ("pending", "processing", "completed", "failed")
_LARGEST_BYTES = 64_000_000
"""Of a queue file: half a million paths."""


@dataclass(frozen=True, slots=True)
class FileQueue:
    """The state of the queue: paths as it names them."""

    unread: tuple[str, ...]
    """Pending, or being processed when the queue stopped."""
    completed: tuple[str, ...]
    failed: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Why each file failed, where the checkpoint says so."""
    chroma: str = ""
    """The folder of its Chroma; empty where there is none."""

    @property
    def root(self) -> str:
        """The folder that all files share."""
        paths = [*self.unread, *self.completed, *self.failed]
        try:
            return posixpath.commonpath([posixpath.dirname(path) for path in paths]) if paths else ""
        except ValueError:  # absolute and relative paths
            return ""

    def name_of(self, path: str) -> str:
        """Return a file's name in the project."""
        return document_name(path.removeprefix(self.root))


def read_queue(folder: Path) -> FileQueue:
    """Find and read what the queue left below a folder.

    Raises:
        ConfigError: there is no queue file, or more than one, or it is none.
    """
    queue_file = _one(folder, sorted(folder.rglob(QUEUE_FILE)), "a file_queue.json")
    queue = _json_of(queue_file)
    lists = {name: _paths(queue.get(name, ()), queue_file, name) for name in _LISTS}
    checkpoints = [path for path in sorted(folder.rglob("*.json")) if path != queue_file and _is_checkpoint(path)]
    checkpoint = _json_of(_one(folder, checkpoints, "a checkpoint")) if checkpoints else {}
    done = [
        path
        for path, entry in _map(checkpoint.get("processed_files")).items()
        if not isinstance(entry, dict) or entry.get("status", "completed") == "completed"
    ]
    failed = _map(checkpoint.get("failed_files"))
    completed = dict.fromkeys([*lists["completed"], *done])
    reasons = {path: _reason(failed.get(path)) for path in dict.fromkeys([*lists["failed"], *failed])}
    stores = sorted(path.parent for path in folder.rglob("chroma.sqlite3"))
    return FileQueue(
        # The checkpoint is written after the rows, and the queue file after the checkpoint: it may still say pending.
        unread=tuple(
            path for path in dict.fromkeys([*lists["pending"], *lists["processing"]]) if path not in completed
        ),
        completed=tuple(completed),
        failed={path: reason for path, reason in reasons.items() if path not in completed},
        chroma=str(_one(folder, stores, "a Chroma")) if stores else "",
    )


def put_unread(queue: FileQueue, *, files: Path | None, bucket: Bucket, scope: Scope, apply: bool) -> Iterator[Adopted]:
    """Put the files that the queue had not read into the bucket, and name those that failed.

    `files` is the folder that holds them now, where it is not the one that the queue names.

    Raises:
        OutsideError: the bucket is not there.
    """
    for path in queue.unread:
        name = queue.name_of(path)
        yield _put(files / name if files is not None else Path(path), name, bucket=bucket, scope=scope, apply=apply)
    for path, reason in queue.failed.items():
        key = f"{scope.user_id}/{scope.project_id}/{queue.name_of(path)}"
        yield Adopted(key, Step.REFUSE, reason=f"it failed in the queue ({reason or 'no reason given'}); add it again")


def half_read(queue: FileQueue) -> frozenset[str]:
    """Name the documents whose rows are not adopted, because their files are read anew."""
    return frozenset(queue.name_of(path) for path in (*queue.unread, *queue.failed))


def without_rows(queue: FileQueue, documents: Sequence[StagedDocument], *, scope: Scope) -> Iterator[Adopted]:
    """Name the files that the queue calls completed and that have no row."""
    there = {document.name for document in documents}
    for path in queue.completed:
        if (name := queue.name_of(path)) not in there:
            key = f"{scope.user_id}/{scope.project_id}/{name}"
            yield Adopted(key, Step.REFUSE, reason="the queue calls it completed, and Chroma has no row of it; add it")


def _put(path: Path, name: str, *, bucket: Bucket, scope: Scope, apply: bool) -> Adopted:
    try:
        key = key_for(scope.user_id, scope.project_id, name)
        require_listed(key)
        if not path.is_file():
            raise BadInput(f"{path} is not on this machine; copy it here and name its folder with --files")
        there = bucket.stat(key)
        if there is not None:
            with bucket.local(key) as kept:
                same = sha256_of(kept) == sha256_of(path)
            if not same:
                raise BadInput("the bucket has another file of this name; rename one of them")
            return Adopted(key, Step.UNCHANGED)
        if apply:
            bucket.put(key, path)
    except (BadInput, OSError) as error:
        return Adopted(f"{scope.user_id}/{scope.project_id}/{name}", Step.REFUSE, reason=str(error))
    return Adopted(key, Step.UPLOAD)


def _one(folder: Path, found: Sequence[Path], what: str) -> Path:
    if len(found) != 1:
        there = ", ".join(map(str, found[:5])) or "none"
        raise ConfigError(
            f"{folder}: {what} is expected below this folder, once; there is {there}. Name a closer folder"
        )
    return found[0]


def _json_of(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ConfigError(f"{path} is larger than {_LARGEST_BYTES} bytes; this is no file of the queue")
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: it cannot be read as JSON ({error}); mend it") from error
    if not isinstance(read, dict):
        raise ConfigError(f"{path}: it holds no JSON object; name the folder of the queue")
    return read


def _is_checkpoint(path: Path) -> bool:
    return path.stat().st_size <= _LARGEST_BYTES and b'"processed_files"' in path.read_bytes()


def _paths(value: Any, file: Path, name: str) -> list[str]:
    """Read a list of paths; some versions keep an object with the path in it."""
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{file}: {name} is no list; mend it")
    found = [each.get("path") or each.get("file") if isinstance(each, dict) else each for each in value]
    paths = [each for each in found if isinstance(each, str) and each]
    if len(paths) < len(found):
        raise ConfigError(f"{file}: {name} holds an entry without a path; mend it")
    return paths


def _map(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {each: None for each in value if isinstance(each, str)}
    return value if isinstance(value, dict) else {}


def _reason(entry: Any) -> str:
    if isinstance(entry, dict):
        entry = entry.get("error") or entry.get("reason") or entry.get("message")
    return str(entry)[:200] if entry else ""
