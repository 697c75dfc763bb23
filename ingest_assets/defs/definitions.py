"""Wire everything that Dagster loads, on one screen."""

import dagster as dg

from ingest_assets.config.settings import Settings
from ingest_assets.defs import jobs, schedules
from ingest_assets.defs.assets.catalog.places import described
from ingest_assets.defs.assets.checks import checks_of
from ingest_assets.defs.assets.copies import assets_of, ingest_job
from ingest_assets.defs.noticing import progress_sensor, sensors
from ingest_assets.defs.noticing.event_sensor import event_sensor
from ingest_assets.defs.partitions import shards_of
from ingest_assets.defs.resources import resources_for


def build(settings: Settings, *, executor: dg.ExecutorDefinition | None = dg.in_process_executor) -> dg.Definitions:
    """Wire everything for one set of settings; `executor` is None for parts of another project."""
    shards = shards_of(settings.shards)
    ingest_jobs = [ingest_job(shard) for shard in shards]
    return dg.Definitions(
        assets=described(
            [asset for shard in shards for asset in assets_of(shard)],
            settings,
        ),
        asset_checks=[check for shard in shards for check in checks_of(shard)],
        jobs=[
            *ingest_jobs,
            jobs.purge_file,
            jobs.rebuild_index,
            jobs.validate_store,
            jobs.repair_store,
            jobs.optimize_store,
            jobs.sweep_leftovers,
        ],
        sensors=[
            sensors.upload_bucket.with_attributes(jobs=[*ingest_jobs, jobs.purge_file, jobs.rebuild_index]),
            event_sensor(is_on=bool(settings.events_queue)),
            sensors.out_of_memory.with_attributes(jobs=ingest_jobs),
            sensors.lost_runs,
            sensors.cancelled_runs,
            progress_sensor.progress,
        ],
        schedules=schedules.schedules_for(settings, ingest_jobs),
        resources=resources_for(settings),
        executor=executor,
    )
