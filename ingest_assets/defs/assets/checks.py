"""Define the asset checks of a file: compare the counts of its run with what is kept and stored."""

import warnings

import dagster as dg

from ingest_assets.defs.assets.check_results import CheckResult, pages_result, rows_result, vectors_result
from ingest_assets.defs.partitions import Shard
from ingest_assets.project import Project

# Dagster calls partitioned checks a preview. Its version is pinned, and these checks need partitions.
warnings.filterwarnings(
    "ignore", message="Specifying a partitions_def on an AssetCheckSpec", category=dg.PreviewWarning
)

Parts = dg.ResourceParam[Project]


def checks_of(shard: Shard) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a shard's assets."""
    files = dg.DynamicPartitionsDefinition(name=shard.partitions)

    @dg.asset_check(asset=shard.asset_key("parsed_documents"), partitions_def=files)
    def every_page_is_accounted_for(
        context: dg.AssetCheckExecutionContext, ingest_project: Parts
    ) -> dg.AssetCheckResult:
        """Pages in the file = pages parsed + pages quarantined."""
        return _shown(pages_result(ingest_project, context.partition_key, context.run.run_id))

    @dg.asset_check(asset=shard.asset_key("embeddings"), partitions_def=files)
    def chunks_vectors_and_rows_agree(
        context: dg.AssetCheckExecutionContext, ingest_project: Parts
    ) -> dg.AssetCheckResult:
        """Chunks made, without duplicates = chunks in the file's record = rows in the store; no row is left over."""
        return _shown(rows_result(ingest_project, context.partition_key, context.run.run_id))

    @dg.asset_check(asset=shard.asset_key("embeddings"), partitions_def=files)
    def vectors_are_sound(context: dg.AssetCheckExecutionContext, ingest_project: Parts) -> dg.AssetCheckResult:
        """No vector in the store has NaN, another norm than 1, another length or another model than the record says."""
        return _shown(vectors_result(ingest_project, context.partition_key, context.run.run_id))

    return [every_page_is_accounted_for, chunks_vectors_and_rows_agree, vectors_are_sound]


def _shown(result: CheckResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=result.passed, metadata=dict(result.counts), description=result.description)
