"""Remove everything that is kept of a file that left the bucket.

Dagster never tells IO managers of deletes, so this is a separate job. The record in the store is removed last. As long
as it is there, the sensor finds it and asks for a purge again, so the next purge finishes one that was killed.

A partition key that no file can have (a person typed it in the UI) is removed in the same way. The bucket is not asked,
because nothing in it can have that name.
"""

import dagster as dg

from ingest_assets.defs.partitions import remove_partition
from ingest_assets.file_ids import is_in_bucket, is_valid, key_of
from ingest_assets.project import Project


def purge(file_id: str, *, project: Project, instance: dg.DagsterInstance) -> int | None:
    """Remove artifacts, partition, chunks and record; return how many chunks went, None if the file is there again."""
    store = project.store  # before anything is removed: it may be another bucket's
    if is_valid(file_id) and is_in_bucket(file_id):
        key = key_of(file_id)
        project.require_known_bucket()
        there = project.bucket.stat(key)
        project.looks.keys({key: there})
        if there is not None:
            return None
    project.artifacts.delete(file_id)
    remove_partition(instance, file_id, count=project.settings.shards)
    return store.delete(file_id)
