"""What makes runs start by itself: files that come, change or go, and runs that die without a word."""

import json
import time
import warnings

import dagster as dg

from ingest_assets.defs.dead_runs import report_dead_runs
from ingest_assets.defs.jobs import PURGED_FILE_TAG, ingest_file, purge_file
from ingest_assets.defs.partitions import files
from ingest_assets.defs.resources import Workshop
from ingest_assets.errors import OutsideError
from ingest_assets.file_ids import key_of
from ingest_assets.launcher.outcomes import OUTCOME_TAG
from ingest_assets.records import BucketObject
from ingest_assets.stages.compare import Changes, compare
from ingest_assets.stores.contract import VectorStore

# Dagster copies every sensor and then warns of a parameter of its own that nobody gave.
warnings.filterwarnings("ignore", message="Parameter `owners` of initializer", category=dg.BetaWarning)

INTERVAL_S = 15
MAX_REQUESTS = 100
"""Runs asked for in one tick. A tick with thousands passes Dagster's 60 s deadline and repeats for ever."""
PARTITION_TAG = "dagster/partition"
_PAGE = 1000
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

Shop = dg.ResourceParam[Workshop]


@dg.sensor(
    jobs=[ingest_file, purge_file],
    minimum_interval_seconds=INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at the upload bucket: new and changed files are ingested, deleted ones are purged.",
)
def upload_bucket(context: dg.SensorEvaluationContext, workshop: Shop) -> dg.SensorResult:
    """Ask for the runs that make the store agree with the bucket."""
    report_dead_runs(context.instance)
    before = json.loads(context.cursor) if context.cursor else {"seen": {}, "missed": []}
    busy = files_in_runs(context.instance)  # first: a run that ends between the two looks is then in the ledger
    changes = look(workshop, context.instance, seen=before["seen"], missed=before["missed"])
    waiting = [arrival for arrival in changes.arrivals if arrival.file_id not in busy]
    arrivals = waiting[:MAX_REQUESTS]
    gone = [file_id for file_id in changes.gone if file_id not in busy][: MAX_REQUESTS - len(arrivals)]
    if changes.misplaced:
        context.log.warning(
            f"{len(changes.misplaced)} files in the bucket are nobody's, such as {changes.misplaced[0]}"
        )
    context.instance.add_dynamic_partitions(files.name or "", [arrival.file_id for arrival in arrivals])
    # What had to wait for the next look keeps its place in it.
    seen = changes.unsettled | {arrival.key: arrival.version for arrival in waiting[MAX_REQUESTS:]}
    return dg.SensorResult(
        run_requests=[_ingest(arrival.file_id) for arrival in arrivals] + [_purge(file_id) for file_id in gone],
        cursor=json.dumps({"seen": seen, "missed": sorted(changes.missing.difference(gone))}),
        skip_reason=None if arrivals or gone else _idle(changes, len(busy)),
    )


@dg.run_failure_sensor(
    monitored_jobs=[ingest_file],
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Puts a run that ended without a word (killed, host restarted) into the ledger.",
)
def lost_runs(context: dg.RunFailureSensorContext, workshop: Shop) -> None:
    """Note the failure of a run whose own process could not, by the end that its launcher named."""
    outcome = context.dagster_run.tags.get(OUTCOME_TAG, "")
    end = f"ended {outcome.replace('_', ' ')}" if outcome else "ended before it could say why"
    _note_unless_known(workshop, context.dagster_run, end)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.CANCELED,
    monitored_jobs=[ingest_file],
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Puts a cancelled run into the ledger, so that its file is not asked for again at once.",
)
def cancelled_runs(context: dg.RunStatusSensorContext, workshop: Shop) -> None:
    """Note that somebody cancelled a file's run."""
    _note_unless_known(workshop, context.dagster_run, "was cancelled")


def _note_unless_known(workshop: Workshop, run: dg.DagsterRun, end: str) -> None:
    file_id = run.tags.get(PARTITION_TAG)
    record = workshop.store.file(file_id) if file_id else None
    seen = workshop.bucket.stat(key_of(file_id)) if file_id else None
    if file_id and seen is not None and (record is None or record.version != seen.version):
        workshop.ends.note(file_id, OutsideError(f"run {run.run_id[:8]} {end}"), version=seen.version)


def look(workshop: Workshop, instance: dg.DagsterInstance, *, seen: dict[str, str], missed: list[str]) -> Changes:
    """Compare the bucket with the ledger and the partitions."""
    return compare(
        _listing(workshop),
        ledger=ledger_versions(workshop.store),
        partitions=instance.get_dynamic_partitions(files.name or ""),
        seen=seen,
        missed=missed,
        now=time.time(),
        settle_s=workshop.settings.settle_s,
    )


def files_in_runs(instance: dg.DagsterInstance) -> set[str]:
    """Return the files that a queued or running run is about."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=_UNFINISHED))
    tags = [run.tags for run in runs]
    return {tag[name] for tag in tags for name in (PARTITION_TAG, PURGED_FILE_TAG) if name in tag}


def ledger_versions(store: VectorStore) -> dict[str, str]:
    """Return the version of each file at its last attempt."""
    versions: dict[str, str] = {}
    while page := store.files(limit=_PAGE, offset=len(versions)):
        versions.update((record.file_id, record.version) for record in page)
    return versions


def _listing(workshop: Workshop) -> list[BucketObject]:
    return list(workshop.bucket.list())


def _ingest(file_id: str) -> dg.RunRequest:
    return dg.RunRequest(job_name=ingest_file.name, partition_key=file_id)


def _purge(file_id: str) -> dg.RunRequest:
    return dg.RunRequest(
        job_name=purge_file.name,
        run_config={"ops": {"remove_what_is_kept": {"config": {"file_id": file_id}}}},
        tags={PURGED_FILE_TAG: file_id},
    )


def _idle(changes: Changes, busy: int) -> str:
    return f"{changes.unchanged} files unchanged, {len(changes.unsettled)} still arriving, {busy} in runs"
