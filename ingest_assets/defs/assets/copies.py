"""Make the copies of the graph for the shards of a project (`partitions.py`): assets, checks and the job of each."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from ingest_assets.defs.assets import graph
from ingest_assets.defs.partitions import Shard

ASSETS = (graph.raw_files, graph.parsed_documents, graph.image_captions, graph.chunks, graph.embeddings)


def assets_of(shard: Shard) -> list[dg.AssetsDefinition]:
    """Return the five assets of a shard; the first one's are those of the graph's page."""
    if not shard.number:
        return list(ASSETS)
    keys = {asset.key: shard.asset_key(asset.key.path[-1]) for asset in ASSETS}
    partitions = dg.DynamicPartitionsDefinition(name=shard.partitions)

    def moved(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(partitions_def=partitions, group_name=f"{spec.group_name}_{shard.number}")

    return list(dg.map_asset_specs(moved, [asset.with_attributes(asset_key_replacements=keys) for asset in ASSETS]))


def ingest_job(shard: Shard) -> UnresolvedAssetJobDefinition:
    """Return the job that ingests one file of a shard, in one process."""
    return dg.define_asset_job(
        name=shard.job_name,
        description="One file, from the upload bucket to the vector store.",
        selection=dg.AssetSelection.assets(*(shard.asset_key(asset.key.path[-1]) for asset in ASSETS)),
        executor_def=dg.in_process_executor,
    )
