"""Materialise at night the files that are out of date, and validate the store.

A file is out of date when a stage has new code, settings or models, or when it failed by no fault of its own.

`build_schedule_from_partitioned_job` does not accept dynamic partitions, so the schedule asks for its runs itself.
"""

import dagster as dg

from ingest_assets.defs.busy_files import files_in_runs
from ingest_assets.defs.jobs import ingest_file, validate_store
from ingest_assets.defs.noticing import MAX_REQUESTS
from ingest_assets.defs.partitions import FILES
from ingest_assets.defs.turns import TurnRequest, turn_tags
from ingest_assets.project import Project
from ingest_assets.stages.turns import AskedBy

Parts = dg.ResourceParam[Project]
_CANDIDATES = 3 * MAX_REQUESTS


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
    stale = stale_files(ingest_project)[:_CANDIDATES]
    busy = files_in_runs(context.instance, stale)
    wanted = [TurnRequest(file_id, AskedBy.UPKEEP) for file_id in stale if file_id not in busy][:MAX_REQUESTS]
    # One key that Dagster does not know (a person deleted its partition) would fail the tick for all files.
    context.instance.add_dynamic_partitions(FILES, [each.file_id for each in wanted])
    # Dagster wants a run key if a tick asks for several runs, and drops a request whose key it has seen before. With
    # the time of the tick the key is new each night, and the same if a tick that was interrupted is evaluated again.
    tick = context.scheduled_execution_time.isoformat()
    requests = [
        dg.RunRequest(partition_key=each.file_id, run_key=f"{each.file_id} at {tick}", tags=tags)
        for each, tags in zip(wanted, turn_tags(context.instance, wanted), strict=True)
    ]
    return requests or dg.SkipReason("everything is up to date")


def stale_files(project: Project) -> list[str]:
    """List the files that are out of date under the current code, settings and models: by the index.

    What was attempted last comes first, because newer files are asked for more often; files whose last attempt failed
    come after all others, so that those that fail each time do not take the place of others.
    """
    if not project.is_index_built():
        project.rebuild_index()
    return project.index.stale(project.current_fingerprint)


nightly_validation = dg.ScheduleDefinition(
    name="nightly_validation",
    job=validate_store,
    cron_schedule="30 5 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Compares ledger, artifacts and store; its run fails where they disagree.",
)
