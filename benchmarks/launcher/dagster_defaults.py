"""Define the project's own assets, checks and sensor with the executor that Dagster uses by default."""

import dagster as dg

from ingest_assets.config.settings import load_settings
from ingest_assets.defs.assets import checks, graph
from ingest_assets.defs.jobs import purge_file
from ingest_assets.defs.noticing import sensors
from ingest_assets.defs.resources import resources_for

pipeline = [graph.raw_files, graph.parsed_documents, graph.image_captions, graph.chunks, graph.embeddings]
ingest_file = dg.define_asset_job("ingest_file", selection=dg.AssetSelection.assets(*pipeline))

defs = dg.Definitions(
    assets=pipeline,
    asset_checks=[
        checks.every_page_is_accounted_for,
        checks.chunks_vectors_and_rows_agree,
        checks.vectors_are_sound,
    ],
    jobs=[ingest_file, purge_file],
    sensors=[sensors.upload_bucket.with_attributes(jobs=[ingest_file, purge_file])],
    resources=resources_for(load_settings()),
)
