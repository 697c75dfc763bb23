"""Serve the objects below a prefix of S3 or Google Cloud Storage as a bucket.

Objects are whole when they are seen, so none has to rest before it is read. They are read through the spool, one
version each: a copy of another version than the one that was asked for is never given.

Unicode writes many letters in two forms, and an object store takes them for two names. The object with the composed
name (NFC) is the file. Where there is none, it is the object whose name is decomposed (NFD) from some folder on, as
when a Mac uploads below a folder that an application made. Objects of other forms are reported. So a listing asks once
or twice more for each name that is not composed, and for no other.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath

from ingest_assets.buckets.contract import MARK, STAGING, StagedObject, changed, hides, require_listed, taken
from ingest_assets.buckets.object_store import MAX_NAME_BYTES, ObjectChanged, ObjectStore, ObjectWriter, StoredObject
from ingest_assets.buckets.spool import Spool
from ingest_assets.errors import BadInput, ConfigError, OutsideError
from ingest_assets.file_ids import nfc
from ingest_assets.records import BucketObject, UnreadablePlace

_SUFFIX_CHARS = 12


class ObjectBucket:
    """The objects below a prefix as a bucket."""

    def __init__(self, objects: ObjectStore, *, spool: Spool) -> None:
        self._objects, self._spool = objects, spool

    @property
    def is_whole_when_seen(self) -> bool:
        """An object appears when its upload has ended."""
        return True

    def prepare(self) -> None:
        """Write a random id into the mark; a bucket that may not be written stays unmarked.

        Raises:
            ConfigError: it is not there, or may not be read. Its owner makes it, who chooses the region and pays.
        """
        try:
            if self.identity():
                return
        except OutsideError as error:
            raise ConfigError(f"INGEST_BUCKET: {error}") from error
        with suppress(OutsideError):
            self._objects.create(MARK, f"{secrets.token_hex(8)}\n".encode("ascii"))

    def identity(self) -> str:
        """Return the id in the mark."""
        found = self._objects.read(MARK)
        if found is None:
            next(self._objects.list(), None)  # raises if it is the bucket that is not there
            return ""
        return found.decode("ascii", "replace").strip()

    def list(self, *, after: str = "") -> Iterator[BucketObject | UnreadablePlace]:
        """Yield every object but the marks of folders, whose names end with a slash."""
        for found in self._objects.list(after=after):
            if found.name.endswith("/") or hides(found.name):
                continue
            problem = "" if found.name.isascii() else self._problem_of_form(found.name)
            if problem:
                yield UnreadablePlace(nfc(found.name), problem, stored_key=found.name)
            else:
                yield _object(found)

    def stat(self, key: str) -> BucketObject | None:
        """Return size, version and time of one object; None for an object that `list` leaves out."""
        found = self._find(key)
        return None if found is None else _object(found)

    @contextmanager
    def local(self, key: str, *, version: str = "") -> Iterator[Path]:
        """Give a copy in the spool; the copy of a version is made once."""
        found = self._find(key)
        if found is None:
            raise BadInput(f"{key}: it is no longer in the bucket; upload it again")
        if version and version != found.version:
            raise BadInput(changed(key))
        try:
            with self._spool.copy(
                self._copy_name(found),
                size_bytes=found.size_bytes,
                key=key,
                fill=lambda file: self._objects.download(found, file),
            ) as path:
                yield path
        except ObjectChanged:
            raise BadInput(changed(key)) from None

    def put(self, key: str, source: Path) -> BucketObject:
        """Upload a file.

        Raises:
            BadInput: the name is one that the bucket does not list, or is too long.
        """
        self._require_possible(key)
        self._require_known()
        before = self._find(key)
        return _object(self._objects.upload(before.name if before else nfc(key), source))

    def stage(self) -> StagedObject:
        """Begin an object below the hidden prefix of uploads."""
        self._require_known()
        name = secrets.token_hex(16)
        return _StagedCopy(name, self, self._objects.writer(f"{STAGING}/{name}", label=name))

    def staged(self, name: str) -> StagedObject:
        """Give an object below the hidden prefix."""
        return _StagedCopy(name, self)

    def sweep_staged(self, *, before: float, keep: Collection[str] = ()) -> int:
        """Remove the objects, and what was never finished."""
        found = list(self._objects.list(beginning=f"{STAGING}/"))
        old = [each.name for each in found if each.modified_at < before and each.name.split("/")[-1] not in keep]
        self._objects.delete(old)
        return len(old) + self._objects.abandon(beginning=f"{STAGING}/", before=before)

    def publish_staged(self, name: str, key: str, *, over: str) -> BucketObject:
        """Copy an object from the hidden prefix to its key, inside the store, and remove it there.

        A process may be killed between the two, so the copy carries the upload's name: it is not made twice.
        """
        self._require_possible(key)
        self._require_known()
        before = self._find(key)
        target = before.name if before else nfc(key)
        if before is None or self._objects.label(target) != name:
            if (before.version if before else "") != over:
                raise taken(key)
            try:
                before = self._objects.copy(f"{STAGING}/{name}", target, label=name, over=over)
            except ObjectChanged:
                before = self._find(key)
                if before is None:
                    raise BadInput(f"{key}: it was uploaded and is gone; upload it again") from None
                if self._objects.label(before.name) != name:
                    raise taken(key) from None
        self._objects.delete([f"{STAGING}/{name}"])
        return _object(before)

    def discard_staged(self, name: str) -> None:
        """Remove an object from the hidden prefix."""
        self._objects.delete([f"{STAGING}/{name}"])

    def _require_possible(self, key: str) -> None:
        require_listed(key)
        if len((self._objects.prefix + nfc(key)).encode()) > MAX_NAME_BYTES:
            raise BadInput(f"{key}: with its prefix the key is longer than {MAX_NAME_BYTES:,} bytes; rename it")

    def delete(self, key: str) -> None:
        """Remove the object."""
        if found := self._find(key):
            self._objects.delete([found.name])

    def release(self) -> None:
        """Remove the copy that this process read last."""
        self._spool.release()

    def _find(self, key: str) -> StoredObject | None:
        """Find the object of a key, in whatever form of Unicode its name is.

        Raises:
            OutsideError: nothing is found, and it is not sure that this is the bucket.
        """
        found = None if hides(key) else next(filter(None, map(self._objects.head, _forms(nfc(key)))), None)
        if found is None:
            self._require_known()
        return found

    def _problem_of_form(self, name: str) -> str:
        """Say why an object is not the file of its key; empty if it is."""
        key = nfc(name)
        before = list(takewhile(lambda form: form != name, _forms(key)))
        if len(before) == len(_forms(key)):
            return f"{key}: the letters of its name are composed here and decomposed there (Unicode); rename it"
        if any(map(self._objects.head, before)):
            return f"{key}: two files have this name, in two forms of Unicode; rename or remove one"
        return ""

    def _require_known(self) -> None:
        """Raise if the bucket is gone, or has neither the mark nor any object, as one that was made anew."""
        if not self.identity() and next(self._objects.list(), None) is None:
            raise OutsideError(
                f"the bucket {self._objects.place} is empty and has no mark of `ingest prepare`: is INGEST_BUCKET "
                "right? Nothing is removed for it; if it is meant to be empty, run `ingest prepare --take-over`"
            )

    def _copy_name(self, found: StoredObject) -> str:
        """Name the copy of one version of one object; the suffix stays, which some readers look at."""
        identity = "\0".join([self._objects.place, found.name, found.version])
        suffix = PurePosixPath(found.name).suffix
        is_plain = suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= _SUFFIX_CHARS
        return hashlib.sha256(identity.encode()).hexdigest()[:32] + (suffix.lower() if is_plain else "")


@dataclass(slots=True)
class _StagedCopy:
    """An object below the hidden prefix of uploads."""

    name: str
    _bucket: ObjectBucket = field(repr=False)
    _writer: ObjectWriter | None = field(default=None, repr=False)

    def write(self, data: bytes) -> None:
        assert self._writer is not None, "it is finished"
        self._writer.write(data)

    def finish(self) -> None:
        assert self._writer is not None, "it is finished"
        self._writer.finish()
        self._writer = None

    def publish(self, key: str, *, over: str = "") -> BucketObject:
        return self._bucket.publish_staged(self.name, key, over=over)

    def discard(self) -> None:
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None
        else:
            self._bucket.discard_staged(self.name)


def _forms(key: str) -> list[str]:
    """Return the names that an object of this key can have, in the order in which they count."""
    if key.isascii():
        return [key]
    composed = key.split("/")
    decomposed = [unicodedata.normalize("NFD", segment) for segment in composed]
    mixed = ("/".join(composed[:depth] + decomposed[depth:]) for depth in range(len(composed), -1, -1))
    return list(dict.fromkeys(mixed))


def _object(found: StoredObject) -> BucketObject:
    key = nfc(found.name)
    return BucketObject(
        key=key,
        size_bytes=found.size_bytes,
        version=found.version,
        modified_at=found.modified_at,
        stored_key="" if found.name == key else found.name,
    )
