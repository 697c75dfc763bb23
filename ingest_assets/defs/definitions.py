"""Wire everything that Dagster loads, on one screen."""

import dagster as dg

from ingest_assets.config.settings import Settings
from ingest_assets.defs import jobs, schedules
from ingest_assets.defs.assets import checks, graph
from ingest_assets.defs.assets.catalog import described
from ingest_assets.defs.noticing import progress_sensor, sensors
from ingest_assets.defs.noticing.event_sensor import event_sensor
from ingest_assets.defs.resources import resources_for


def build(settings: Settings, *, executor: dg.ExecutorDefinition | None = dg.in_process_executor) -> dg.Definitions:
    """Wire everything for one set of settings; `executor` is None for parts of another project."""
    return dg.Definitions(
        assets=described(
            [graph.raw_files, graph.parsed_documents, graph.image_captions, graph.chunks, graph.embeddings],
            settings,
        ),
        asset_checks=[
            checks.every_page_is_accounted_for,
            checks.chunks_vectors_and_rows_agree,
            checks.vectors_are_sound,
        ],
        jobs=[
            jobs.ingest_file,
            jobs.purge_file,
            jobs.rebuild_index,
            jobs.validate_store,
            jobs.repair_store,
            jobs.optimize_store,
            jobs.sweep_leftovers,
        ],
        sensors=[
            sensors.upload_bucket,
            event_sensor(is_on=bool(settings.events_queue)),
            sensors.out_of_memory,
            sensors.lost_runs,
            sensors.cancelled_runs,
            progress_sensor.progress,
        ],
        schedules=schedules.schedules_for(settings),
        resources=resources_for(settings),
        executor=executor,
    )
