"""Define the project's own assets, checks and sensor with the executor that Dagster uses by default."""

import dagster as dg

from ingest_assets.config.settings import load_settings
from ingest_assets.defs.assets.checks import checks_of
from ingest_assets.defs.assets.copies import ASSETS
from ingest_assets.defs.jobs import purge_file
from ingest_assets.defs.noticing import sensors
from ingest_assets.defs.partitions import Shard
from ingest_assets.defs.resources import resources_for

ingest_file = dg.define_asset_job("ingest_file", selection=dg.AssetSelection.assets(*ASSETS))

defs = dg.Definitions(
    assets=ASSETS,
    asset_checks=checks_of(Shard(0)),
    jobs=[ingest_file, purge_file],
    sensors=[sensors.upload_bucket.with_attributes(jobs=[ingest_file, purge_file])],
    resources=resources_for(load_settings()),
)
