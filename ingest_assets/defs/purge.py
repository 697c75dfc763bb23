"""A file that left the bucket in, nothing of it out.

Dagster never tells IO managers of deletes, so this is a job of its own. The record in the store goes last: for as long
as it is there the sensor finds it and asks again, so a purge that is killed half way is finished by the next.
"""

import dagster as dg

from ingest_assets.defs.partitions import files
from ingest_assets.defs.resources import Workshop
from ingest_assets.file_ids import is_in_bucket, key_of


def purge(file_id: str, *, workshop: Workshop, instance: dg.DagsterInstance) -> int | None:
    """Remove artifacts, partition, chunks and record; return how many chunks went, None if the file is there again."""
    if is_in_bucket(file_id) and workshop.bucket.stat(key_of(file_id)) is not None:
        return None
    workshop.artifacts.delete(file_id)
    instance.delete_dynamic_partition(files.name or "", file_id)
    return workshop.store.delete(file_id)
