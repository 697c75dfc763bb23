"""Give objects that lie in no user's project a user and a project that the operator names.

Without a default scope an object `lonely.pdf` or `ann/lonely.pdf` is named and not read. With the scope `team/inbox` it
is the file `team/inbox/lonely.pdf` or `team/inbox/ann/lonely.pdf`; its stored key stays, so listings keep their order.
If an object lies under that key too, it is the file, and the other is reported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from ingest_assets.buckets.contract import Bucket, StagedObject
from ingest_assets.records import BucketObject, UnreadablePlace


class DefaultScopeBucket:
    """A bucket whose objects outside of users' projects belong to one scope."""

    def __init__(self, bucket: Bucket, scope: str) -> None:
        """Take the bucket, and the scope as `USER/PROJECT`."""
        self._bucket, self._beginning = bucket, f"{scope}/"

    @property
    def is_whole_when_seen(self) -> bool:
        """As in the bucket."""
        return self._bucket.is_whole_when_seen

    def prepare(self) -> None:
        """Make and mark the bucket."""
        self._bucket.prepare()

    def identity(self) -> str:
        """Return the id in the mark."""
        return self._bucket.identity()

    def list(self, *, after: str = "") -> Iterator[BucketObject | UnreadablePlace]:
        """Yield every object, those outside of projects under their key in the default scope."""
        inside = next(self._bucket.list(after=self._beginning), None)
        is_used = inside is not None and inside.position.startswith(self._beginning)
        for item in self._bucket.list(after=after):
            if isinstance(item, UnreadablePlace):
                yield item
                if not _is_in_a_project(item.key):  # what lies below it may belong to the default scope
                    yield replace(item, key=self._beginning + item.key, stored_key=item.position)
            elif _is_in_a_project(item.key):
                yield item
            elif not is_used or self._bucket.stat(self._beginning + item.key) is None:
                yield self._in_scope(item)
            else:
                reason = f"{item.key}: {self._beginning}{item.key} is there too, which is its name here; rename one"
                yield UnreadablePlace(item.key, reason, stored_key=item.position)

    def stat(self, key: str) -> BucketObject | None:
        """Return size, version and time of one object, under its key in the scope; events ask by the stored key."""
        found = self._bucket.stat(key)
        if found is None and (outside := self._outside(key)):
            found = self._bucket.stat(outside)
        return None if found is None else self._in_scope(found)

    def local(self, key: str, *, version: str = "") -> AbstractContextManager[Path]:
        """Give the object's bytes as a file."""
        return self._bucket.local(self._stored(key), version=version)

    def put(self, key: str, source: Path) -> BucketObject:
        """Copy a file into the bucket, over the object that has this key."""
        return self._in_scope(self._bucket.put(self._stored(key), source))

    def stage(self) -> StagedObject:
        """Begin an upload."""
        return _ScopedStagedObject(self, self._bucket.stage())

    def staged(self, name: str) -> StagedObject:
        """Give an upload that was finished."""
        return _ScopedStagedObject(self, self._bucket.staged(name))

    def sweep_staged(self, *, before: float, keep: Collection[str] = ()) -> int:
        """Remove old uploads."""
        return self._bucket.sweep_staged(before=before, keep=keep)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._bucket.delete(self._stored(key))

    def release(self) -> None:
        """Remove what this process keeps of objects that it has read."""
        self._bucket.release()

    def _stored(self, key: str) -> str:
        """Return the key under which the bucket has the object; the key itself if there is none."""
        outside = self._outside(key)
        is_outside = outside and self._bucket.stat(key) is None and self._bucket.stat(outside) is not None
        return outside if is_outside else key

    def _outside(self, key: str) -> str:
        """Return the key that a file of the default scope may have outside of it; empty if there is none."""
        rest = key.removeprefix(self._beginning)
        return "" if rest == key or _is_in_a_project(rest) else rest

    def _in_scope(self, item: BucketObject) -> BucketObject:
        if _is_in_a_project(item.key):
            return item
        return replace(item, key=self._beginning + item.key, stored_key=item.position)


@dataclass(frozen=True, slots=True)
class _ScopedStagedObject:
    """An upload that gets its place among the objects outside of projects, if the one that it replaces is there."""

    _scoped: DefaultScopeBucket
    _staged: StagedObject

    @property
    def name(self) -> str:
        return self._staged.name

    def write(self, data: bytes) -> None:
        self._staged.write(data)

    def finish(self) -> None:
        self._staged.finish()

    def publish(self, key: str, *, over: str = "") -> BucketObject:
        return self._scoped._in_scope(self._staged.publish(self._scoped._stored(key), over=over))

    def discard(self) -> None:
        self._staged.discard()


def _is_in_a_project(key: str) -> bool:
    return key.count("/") >= 2
