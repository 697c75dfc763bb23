"""Materialise at night what is out of date, validate the store, and sweep away what nothing needs any more.

A file is out of date when a stage has new code, settings or models. `build_schedule_from_partitioned_job` does not
accept dynamic partitions, so the schedule asks for its runs itself.
"""

from collections.abc import Sequence
from datetime import UTC

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from ingest_assets.config.settings import Settings
from ingest_assets.defs.jobs import sweep_leftovers, validate_store
from ingest_assets.defs.noticing.wanted_runs import MAX_REQUESTS
from ingest_assets.defs.partitions import Shard, add_partitions, shard_of, shards_of
from ingest_assets.defs.queue.busy_files import files_in_runs
from ingest_assets.defs.queue.turns import TurnRequest, turn_tags
from ingest_assets.project import Project
from ingest_assets.stages.planning.turns import AskedBy

Parts = dg.ResourceParam[Project]
NIGHT_TAG = "ingest/night"
"""The night on which the schedule asked for a run."""
ESTIMATE_TAG = "ingest/estimate_s"
"""What the file's last run took, in seconds."""
_CANDIDATES = 3 * MAX_REQUESTS
_PAGE = 1000


def schedules_for(
    settings: Settings, ingest_jobs: Sequence[UnresolvedAssetJobDefinition]
) -> list[dg.ScheduleDefinition]:
    """Make the schedules; those that the settings name are on until a person switches them in the UI.

    `ingest_jobs` are those of the shards, in their order: a schedule of Dagster serves one job.
    """

    def status(name: str) -> dg.DefaultScheduleStatus:
        is_on = name in settings.schedules_on
        return dg.DefaultScheduleStatus.RUNNING if is_on else dg.DefaultScheduleStatus.STOPPED

    return [
        *(
            _out_of_date_schedule(shard, job, status=status("out_of_date"))
            for shard, job in zip(shards_of(settings.shards), ingest_jobs, strict=True)
        ),
        dg.ScheduleDefinition(
            name="nightly_validation",
            job=validate_store,
            cron_schedule="30 5 * * *",
            execution_timezone="UTC",
            default_status=status("nightly_validation"),
            description="Compares ledger, artifacts and store; its run fails where they disagree.",
        ),
        dg.ScheduleDefinition(
            name="sweep",
            job=sweep_leftovers,
            cron_schedule="0 6 * * *",
            execution_timezone="UTC",
            default_status=status("sweep"),
            description="Removes artifacts and partitions without a file, old runs and old messages.",
        ),
    ]


def _out_of_date_schedule(
    shard: Shard, job: UnresolvedAssetJobDefinition, *, status: dg.DefaultScheduleStatus
) -> dg.ScheduleDefinition:
    @dg.schedule(
        job=job,
        name=f"out_of_date_{shard.number}" if shard.number else "out_of_date",
        cron_schedule="*/10 1-5 * * *",
        execution_timezone="UTC",
        default_status=status,
        description="Re-materialises what is out of date; stages whose input did not change are not run again.",
    )
    def scheduled(context: dg.ScheduleEvaluationContext, ingest_project: Parts) -> list[dg.RunRequest] | dg.SkipReason:
        return out_of_date(context, ingest_project, shard)

    return scheduled


def out_of_date(
    context: dg.ScheduleEvaluationContext, ingest_project: Project, shard: Shard
) -> list[dg.RunRequest] | dg.SkipReason:
    """Ask for a run of each file of a shard whose fingerprint is out of date, within the minutes of a night."""
    ingest_project.follow_model_change()
    night = context.scheduled_execution_time.astimezone(UTC).date().isoformat()
    count = ingest_project.settings.shards
    stale = [file_id for file_id in stale_files(ingest_project) if shard_of(file_id, count=count) == shard]
    stale = stale[:_CANDIDATES]
    busy = files_in_runs(context.instance, stale)
    wanted = _within_budget(
        [file_id for file_id in stale if file_id not in busy][:MAX_REQUESTS],
        project=ingest_project,
        spent_s=_spent_s(context.instance, night),
    )
    if stale and not wanted:
        return dg.SkipReason(f"{len(stale)} files are out of date; they have runs, or the night's minutes are spent")
    # One key that Dagster does not know (a person deleted its partition) would fail the tick for all files.
    add_partitions(context.instance, wanted, count=count)
    turns = turn_tags(context.instance, [TurnRequest(file_id, AskedBy.UPKEEP) for file_id in wanted])
    # Dagster wants a run key if a tick asks for several runs, and drops a request whose key it has seen before. With
    # the time of the tick the key is new each night, and the same if a tick that was interrupted is evaluated again.
    tick = context.scheduled_execution_time.isoformat()
    requests = [
        dg.RunRequest(
            partition_key=file_id,
            run_key=f"{file_id} at {tick}",
            tags={**tags, NIGHT_TAG: night, ESTIMATE_TAG: f"{seconds:.1f}"},
        )
        for (file_id, seconds), tags in zip(wanted.items(), turns, strict=True)
    ]
    return requests or dg.SkipReason("everything is up to date")


def stale_files(project: Project) -> list[str]:
    """List the files that are out of date under the current code, settings and models: by the index, in its order."""
    if not project.is_index_built():
        project.rebuild_index()
    return project.index.stale(project.current_fingerprint)


def _within_budget(file_ids: list[str], *, project: Project, spent_s: float) -> dict[str, float]:
    """Choose the first files whose last runs together take what is left of the night; return the seconds of each."""
    budget_s = project.settings.night_minutes * 60.0
    took, chosen = project.index.seconds_of(file_ids), {}
    for file_id in file_ids:
        seconds = took.get(file_id, 0.0)
        if budget_s and spent_s and spent_s + seconds > budget_s:
            continue  # the first one always has its turn, else a file that takes longer would never be done
        spent_s += seconds
        chosen[file_id] = seconds
    return chosen


def _spent_s(instance: dg.DagsterInstance, night: str) -> float:
    """Return the estimated seconds of the runs that were asked for on this night."""
    spent, cursor = 0.0, None
    asked = dg.RunsFilter(tags={NIGHT_TAG: night})
    while runs := instance.get_runs(filters=asked, cursor=cursor, limit=_PAGE):
        spent += sum(float(run.tags.get(ESTIMATE_TAG, 0)) for run in runs)
        cursor = runs[-1].run_id
    return spent
