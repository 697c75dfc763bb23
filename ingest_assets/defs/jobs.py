"""The two jobs: a file goes in, a file goes out. Both run their steps in one process.

Dagster's multiprocess executor would hold a second copy of everything: 3 CPU seconds and twice the memory a run.
"""

import dagster as dg

from ingest_assets.defs import assets
from ingest_assets.defs.partitions import files
from ingest_assets.defs.purge import purge
from ingest_assets.defs.resources import Workshop

PURGED_FILE_TAG = "ingest/file_id"

ingest_file = dg.define_asset_job(
    name="ingest_file",
    description="One file, from the upload bucket to the vector store.",
    selection=dg.AssetSelection.assets(
        assets.raw_files, assets.parsed_documents, assets.image_captions, assets.chunks, assets.embeddings
    ),
    executor_def=dg.in_process_executor,
)


class PurgedFile(dg.Config):
    """Which file to remove."""

    file_id: str


@dg.op
def remove_what_is_kept(
    context: dg.OpExecutionContext, config: PurgedFile, workshop: dg.ResourceParam[Workshop]
) -> None:
    """Remove a deleted file's artifacts, partition, chunks and record, unless it is back in the bucket."""
    rows = purge(
        config.file_id,
        bucket=workshop.bucket,
        artifacts=workshop.artifacts,
        store=workshop.store,
        forget_partition=lambda: context.instance.delete_dynamic_partition(files.name or "", config.file_id),
    )
    context.log.info(
        f"{config.file_id}: removed with {rows} chunks" if rows is not None else f"{config.file_id}: back, left alone"
    )


@dg.job(executor_def=dg.in_process_executor, description="Remove all that is kept of a file deleted from the bucket.")
def purge_file() -> None:
    """Remove all that is kept of one file."""
    remove_what_is_kept()
