"""A file that left the bucket in, nothing of it out.

Dagster never tells IO managers of deletes, so this is a job of its own. The record in the store goes last: for as long
as it is there the sensor finds it and asks again, so a purge that is killed half way is finished by the next.
"""

from __future__ import annotations

from collections.abc import Callable

from ingest_assets.artifacts import Artifacts
from ingest_assets.buckets import Bucket
from ingest_assets.file_ids import is_in_bucket, key_of
from ingest_assets.stores.contract import VectorStore


def purge(
    file_id: str,
    *,
    bucket: Bucket,
    artifacts: Artifacts,
    store: VectorStore,
    forget_partition: Callable[[], object],
) -> int | None:
    """Remove artifacts, partition, chunks and record; return how many chunks went, None if the file is there again."""
    if is_in_bucket(file_id) and bucket.stat(key_of(file_id)) is not None:
        return None
    artifacts.delete(file_id)
    forget_partition()
    return store.delete(file_id)
