"""Start runs for files that come, change or go, and record runs that ended without recording anything themselves."""

import json
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from ingest_assets.defs.busy_files import PARTITION_TAG, PURGED_FILE_TAG, files_in_runs
from ingest_assets.defs.check_results import report_checks
from ingest_assets.defs.failures import FailureRecorder
from ingest_assets.defs.follow_ups import SETTLED_TAG, ended_out_of_memory, follow_up
from ingest_assets.defs.jobs import ingest_file, purge_file
from ingest_assets.defs.partitions import FILES
from ingest_assets.defs.requesting_process import PROCESS_TAG, is_alive
from ingest_assets.errors import OutsideError
from ingest_assets.file_ids import key_of
from ingest_assets.ledger_records import Origin
from ingest_assets.project import Project
from ingest_assets.stages.compare import UNKNOWN_BUCKET, Changes, compare
from ingest_assets.stores.contract import LedgerReading, all_records
from memory_capped_launcher.outcomes import OUTCOME_TAG
from memory_capped_launcher.register import Register
from memory_capped_launcher.supervision.sweep import sweep

# Dagster copies every sensor, and then warns of a parameter that only Dagster itself has set.
warnings.filterwarnings("ignore", message="Parameter `owners` of initializer", category=dg.BetaWarning)

INTERVAL_S = 15
FAILURE_INTERVAL_S = 5
NAMED_WITHIN_S = 3.0
SETTLED_WITHIN_S = 60
"""By then a sensor has put a failed run into the ledger; if none did, the file is asked for again."""
MAX_REQUESTS = 100
"""Runs asked for in one tick. A tick with thousands passes Dagster's 60 s deadline and repeats for ever."""

MAX_NAMED = 10
"""Unreadable places that one tick names; `ingest status` names them all."""

Parts = dg.ResourceParam[Project]


@dg.sensor(
    jobs=[ingest_file, purge_file],
    minimum_interval_seconds=INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at the upload bucket: new and changed files are ingested, deleted ones are purged.",
)
def upload_bucket(context: dg.SensorEvaluationContext, ingest_project: Parts) -> dg.SensorResult:
    """Ask for the runs that make the store agree with the bucket."""
    ingest_project.follow_model_change()
    sweep_dead_runs(context.instance)
    before = json.loads(context.cursor) if context.cursor else {"seen": {}, "missed": []}
    busy = files_in_runs(context.instance)  # first: a run that ends before the ledger is read is then in the ledger
    changes = compare_bucket(ingest_project, context.instance, seen=before["seen"], missed=before["missed"])
    busy |= files_not_settled(context.instance)
    waiting = [arrival for arrival in changes.arrivals if arrival.file_id not in busy]
    arrivals = waiting[:MAX_REQUESTS]
    gone = [file_id for file_id in changes.gone if file_id not in busy][: MAX_REQUESTS - len(arrivals)]
    if changes.misplaced:
        context.log.warning(
            f"{len(changes.misplaced)} files in the bucket are in no user's project, such as {changes.misplaced[0]}"
        )
    for reason in [*changes.unreadable[:MAX_NAMED], *([] if changes.is_known_bucket else [UNKNOWN_BUCKET])]:
        context.log.warning(reason)
    context.instance.add_dynamic_partitions(FILES, [arrival.file_id for arrival in arrivals])
    # Files that wait for the next tick stay in the cursor, so that they count as whole there.
    seen = changes.unsettled | {arrival.key: arrival.version for arrival in waiting[MAX_REQUESTS:]}
    return dg.SensorResult(
        run_requests=[_ingest(arrival.file_id) for arrival in arrivals] + [_purge(file_id) for file_id in gone],
        cursor=json.dumps({"seen": seen, "missed": sorted(changes.missing.difference(gone))}),
        skip_reason=None if arrivals or gone else _idle(changes, len(busy)),
    )


@dg.run_failure_sensor(
    request_job=ingest_file,
    minimum_interval_seconds=FAILURE_INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Repeats a file whose run ended out of memory with half the window; at the smallest, without the part.",
)
def out_of_memory(context: dg.RunFailureSensorContext, ingest_project: Parts) -> dg.RunRequest | dg.SkipReason:
    """Ask for the next, smaller attempt, unless the process that asked for the run is there to do so itself."""
    run = _with_its_end(context.instance, context.dagster_run)
    file_id, asked_by = run.tags.get(PARTITION_TAG), run.tags.get(PROCESS_TAG)
    if file_id is None or not ended_out_of_memory(run) or (asked_by and is_alive(asked_by)):
        return dg.SkipReason(f"run {run.run_id[:8]} is not this sensor's")
    then = follow_up(run, file_id=file_id, instance=context.instance, project=ingest_project)
    if then.tags is None:
        return dg.SkipReason(then.message)
    return dg.RunRequest(run_key=run.run_id, job_name=ingest_file.name, partition_key=file_id, tags=then.tags)


@dg.run_failure_sensor(
    minimum_interval_seconds=FAILURE_INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Records a file whose run was killed or lost with its host as failed in the ledger.",
)
def lost_runs(context: dg.RunFailureSensorContext, ingest_project: Parts) -> None:
    """Record the failure of a run that could not do it itself, with the end that its launcher named."""
    ingest_project.follow_model_change()
    run = _with_its_end(context.instance, context.dagster_run)
    if PARTITION_TAG not in run.tags or ended_out_of_memory(run):
        return
    outcome = run.tags.get(OUTCOME_TAG, "")
    end = f"ended {outcome.replace('_', ' ')}" if outcome else "ended before it could say why"
    _note_unless_known(ingest_project, context.instance, run, end)
    context.instance.add_run_tags(run.run_id, {SETTLED_TAG: "noted"})


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.CANCELED,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Records a file whose run was cancelled, so that it is not asked for again at once.",
)
def cancelled_runs(context: dg.RunStatusSensorContext, ingest_project: Parts) -> None:
    """Record that a file's run was cancelled."""
    _note_unless_known(ingest_project, context.instance, context.dagster_run, "was cancelled")


def _with_its_end(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun:
    """Return the run with the name of its end, which its launcher gives a moment after some failures."""
    deadline = time.monotonic() + NAMED_WITHIN_S
    while not run.tags.get(OUTCOME_TAG) and time.monotonic() < deadline and _is_in_charge(instance, run.run_id):
        time.sleep(0.05)
        run = instance.get_run_by_id(run.run_id) or run
    return run


def _is_in_charge(instance: dg.DagsterInstance, run_id: str) -> bool:
    return Register(Path(instance.root_directory) / "launcher").knows(run_id)


def sweep_dead_runs(instance: dg.DagsterInstance) -> None:
    """Name the ends of runs that died together with their supervisor."""
    sweep(Register(Path(instance.root_directory) / "launcher"), instance)


def _note_unless_known(project: Project, instance: dg.DagsterInstance, run: dg.DagsterRun, end: str) -> None:
    """Put the end of a file's run into the ledger, unless that has the version; report the checks in any case."""
    file_id = run.tags.get(PARTITION_TAG)
    seen = project.bucket.stat(key_of(file_id)) if file_id else None
    if file_id is None or seen is None:
        return
    record = project.store.file(file_id)
    if record is None or record.version != seen.version:
        FailureRecorder(project, instance).note(
            file_id, OutsideError(f"run {run.run_id[:8]} {end}"), version=seen.version
        )
    else:
        report_checks(project, instance, file_id)


def compare_bucket(
    project: Project, instance: dg.DagsterInstance, *, seen: dict[str, str], missed: list[str]
) -> Changes:
    """Compare the bucket with the ledger and the partitions.

    The bucket gets its mark here if that is safe: the ledger is empty, or the bucket holds a file of the ledger.

    Raises:
        ConfigError: the bucket has lost its mark, or another volume is there, which got a known file since.
    """
    project.follow_bucket()
    bucket, versions = project.bucket, ledger_versions(project.store)
    partitions = instance.get_dynamic_partitions(FILES)
    if not versions and not partitions:
        project.mark_bucket()
    is_marked = bool(bucket.identity())
    changes = compare(
        bucket.list(),
        ledger=versions,
        partitions=partitions,
        seen=seen,
        missed=missed,
        now=time.time(),
        settle_s=project.settle_s,
        is_marked=is_marked,
    )
    if changes.is_known_bucket and not is_marked:
        project.mark_bucket()
    return changes


def files_not_settled(instance: dg.DagsterInstance) -> set[str]:
    """Return the files whose run failed less than a minute ago and has no follow-up yet."""
    since = datetime.now(UTC) - timedelta(seconds=SETTLED_WITHIN_S)
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since))
    return {run.tags[PARTITION_TAG] for run in runs if PARTITION_TAG in run.tags and SETTLED_TAG not in run.tags}


def ledger_versions(store: LedgerReading) -> dict[str, str]:
    """Return the version of each of the bucket's files at its last attempt."""
    return {record.file_id: record.version for record in all_records(store) if record.origin is Origin.BUCKET}


def _ingest(file_id: str) -> dg.RunRequest:
    return dg.RunRequest(job_name=ingest_file.name, partition_key=file_id)


def _purge(file_id: str) -> dg.RunRequest:
    return dg.RunRequest(
        job_name=purge_file.name,
        run_config={"ops": {"remove_what_is_kept": {"config": {"file_id": file_id}}}},
        tags={PURGED_FILE_TAG: file_id},
    )


def _idle(changes: Changes, busy: int) -> str:
    if not changes.is_known_bucket:
        return UNKNOWN_BUCKET
    idle = f"{changes.unchanged} files unchanged, {len(changes.unsettled)} still arriving, {busy} in runs"
    return "; ".join([idle, *changes.unreadable[:MAX_NAMED]])
