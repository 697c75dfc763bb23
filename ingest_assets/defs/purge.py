"""Remove everything that is kept of a file that left the bucket.

Dagster never tells IO managers of deletes, so this is a job of its own. The record in the store goes last: as long as
it is there the sensor finds it and asks again, so the next purge finishes one that was killed half way.

A partition key that names no file (somebody typed it in the UI) is removed in the same way: nothing in the bucket can
have that name, so the bucket is not asked.
"""

import dagster as dg

from ingest_assets.defs.partitions import FILES
from ingest_assets.file_ids import is_in_bucket, is_valid, key_of
from ingest_assets.project import Project


def purge(file_id: str, *, project: Project, instance: dg.DagsterInstance) -> int | None:
    """Remove artifacts, partition, chunks and record; return how many chunks went, None if the file is there again."""
    if is_valid(file_id) and is_in_bucket(file_id) and project.bucket.stat(key_of(file_id)) is not None:
        return None
    project.artifacts.delete(file_id)
    instance.delete_dynamic_partition(FILES, file_id)
    return project.store.delete(file_id)
