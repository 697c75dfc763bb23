"""Materialise at night the files that are out of date, and validate the store.

A file is out of date when a stage has new code, settings or models, or when it failed by no fault of its own.

`build_schedule_from_partitioned_job` does not accept dynamic partitions, so the schedule asks for its runs itself.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from ingest_assets.defs.busy_files import files_in_runs
from ingest_assets.defs.jobs import ingest_file, validate_store
from ingest_assets.defs.partitions import FILES
from ingest_assets.defs.sensors import MAX_REQUESTS
from ingest_assets.ledger_records import Origin, State, utc_text
from ingest_assets.project import Project
from ingest_assets.stages.compare import composed
from ingest_assets.stores.contract import all_records

Parts = dg.ResourceParam[Project]

PAUSE = timedelta(hours=1)
"""Files that failed by no fault of their own are not tried again earlier: an outage seldom ends in ten minutes."""


@dg.schedule(
    job=ingest_file,
    cron_schedule="*/10 1-5 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Re-materialises what is out of date; stages whose input did not change are not run again.",
)
def out_of_date(context: dg.ScheduleEvaluationContext, ingest_project: Parts) -> list[dg.RunRequest] | dg.SkipReason:
    """Ask for a run of each file whose fingerprint is out of date."""
    ingest_project.follow_model_change()
    busy = files_in_runs(context.instance)
    stale = [file_id for file_id in stale_files(ingest_project) if file_id not in busy][:MAX_REQUESTS]
    # One key that Dagster does not know (a person deleted its partition) would fail the tick for all files.
    context.instance.add_dynamic_partitions(FILES, stale)
    # Dagster wants a run key if a tick asks for several runs, and drops a request whose key it has seen before. With
    # the time of the tick the key is new each night, and the same if a tick that was interrupted is evaluated again.
    tick = context.scheduled_execution_time.isoformat()
    requests = [dg.RunRequest(partition_key=file_id, run_key=f"{file_id} at {tick}") for file_id in stale]
    return requests or dg.SkipReason("everything is up to date")


def stale_files(project: Project) -> list[str]:
    """List the files that are out of date under the current code, settings and models."""
    lately = utc_text(datetime.now(UTC) - PAUSE)
    stale = [
        record
        for record in all_records(project.store)
        if record.origin is Origin.BUCKET
        and record.fingerprint != project.current_fingerprint(record)
        and not (record.state is State.FAILED and not record.fingerprint and record.updated_at > lately)
    ]
    # The oldest attempt first: files that fail every time must not take the place of all others.
    oldest_first = sorted(stale, key=lambda record: (record.updated_at, record.file_id))
    # A run refuses an id in decomposed letters, of an earlier release, and the record would stay out of date for ever.
    # The run under the composed id makes a record of its own, and the sensor then has the old one removed.
    return list(dict.fromkeys(composed(record.file_id) for record in oldest_first))


nightly_validation = dg.ScheduleDefinition(
    name="nightly_validation",
    job=validate_store,
    cron_schedule="30 5 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Compares ledger, artifacts and store; its run fails where they disagree.",
)
