"""Record whose files a store holds, and refuse to use the store for another bucket.

What a bucket no longer has is removed from its store. So two buckets on one store would remove each other's files: each
would find the other's missing. A store therefore keeps the id of the bucket it was first prepared for. The id lies in
the bucket itself, so a bucket that was moved, a home restored from a backup and a second host with the same bucket are
all recognised.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingest_assets.errors import ConfigError

MADE_BY = "ingest_assets"
"""Stands in what this project makes in a place that it may share with other applications."""


@dataclass(frozen=True, slots=True)
class StoreOwner:
    """The bucket whose files a store holds."""

    id: str
    """The id in the bucket's mark; where the bucket has none, as a folder that may not be written, `bucket`."""
    bucket: str
    """Where the bucket is, a path or URL."""


def owner_to_record(
    recorded: StoreOwner | None, owner: StoreOwner | None, *, location: str, take_over: bool
) -> StoreOwner | None:
    """Return the owner that has to be written into the store; None if it is there already, or if no owner is given.

    Raises:
        ConfigError: the store belongs to another bucket, and it is not to be taken over.
    """
    if owner is None or recorded == owner:
        return None
    if recorded is None or take_over:
        return owner
    if owner.id == recorded.bucket:  # the bucket's mark cannot be read now, and its place is the recorded one
        return None
    if recorded.id not in {owner.id, owner.bucket}:
        if recorded.bucket == owner.bucket:
            raise ConfigError(
                f"{location}: this store belongs to another bucket that was at {owner.bucket}: is its volume mounted? "
                "If it lost its mark, and this is the right one, run `ingest prepare --take-over`; what is not in it "
                "is then removed"
            )
        raise ConfigError(
            f"{location}: this store belongs to the bucket {recorded.bucket}, not to {owner.bucket}; with two buckets, "
            "each would remove the other's files. Name a store of its own in the settings (docs/stores.md, \"Whose "
            'store it is"). If that bucket is given up, or this one is a copy of it, run `ingest prepare --take-over`'
        )
    return owner


def foreign(location: str, what: str, remedy: str) -> ConfigError:
    """Return the error for another application's table or collection under a name that is needed here."""
    return ConfigError(f"{location}: {what} was not made by {MADE_BY}; nothing was changed. {remedy}")
