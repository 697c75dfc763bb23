"""Start runs for files that come, change or go, and record runs that ended without recording anything themselves."""

import socket
import time
import warnings
from pathlib import Path

import dagster as dg

from ingest_assets.defs.assets.check_results import report_checks
from ingest_assets.defs.assets.copies import ingest_job
from ingest_assets.defs.assets.recording.failures import FailureRecorder
from ingest_assets.defs.jobs import purge_file, rebuild_index
from ingest_assets.defs.noticing.event_sensor import receive_waiting
from ingest_assets.defs.noticing.follow_ups import ended_out_of_memory, follow_up
from ingest_assets.defs.noticing.wanted_runs import Wanted, wanted_runs
from ingest_assets.defs.partitions import Shard, add_partitions, shard_of
from ingest_assets.defs.queue.busy_files import PARTITION_TAG, PURGED_FILE_TAG, SETTLED_TAG, UNFINISHED
from ingest_assets.defs.queue.requesting_process import PROCESS_TAG, is_alive
from ingest_assets.defs.queue.turns import TurnRequest, turn_tags
from ingest_assets.errors import BadInput, IngestError, OutsideError
from ingest_assets.file_ids import key_of
from ingest_assets.ledger_records import State
from ingest_assets.messaging.heartbeat import RUNS_LISTENER, SENSOR, beat, is_beating
from ingest_assets.project import Project
from ingest_assets.records import BucketObject
from ingest_assets.stages.planning.turns import AskedBy
from memory_capped_launcher.outcomes import OUTCOME_TAG
from memory_capped_launcher.register import Register

# Dagster copies every sensor, and then warns of a parameter that only Dagster itself has set.
warnings.filterwarnings("ignore", message="Parameter `owners` of initializer", category=dg.BetaWarning)

INTERVAL_S = 5
FAILURE_INTERVAL_S = 5
NAMED_WITHIN_S = 3.0
EVENTS_S = 1.0
"""How long one tick receives events before it looks."""
LOOK_S = 0.5
"""How long one tick looks at the bucket; the next tick goes on from there."""
MAX_NAMED = 10
"""Unreadable places that one tick names; `ingest status` names them all."""

Parts = dg.ResourceParam[Project]


@dg.sensor(
    jobs=[ingest_job(Shard(0)), purge_file, rebuild_index],
    minimum_interval_seconds=INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at the upload bucket: new and changed files are ingested, deleted ones are purged.",
)
def upload_bucket(context: dg.SensorEvaluationContext, ingest_project: Parts) -> dg.SensorResult:
    """Ask for the runs that make the store agree with the bucket."""
    problem = receive_waiting(ingest_project, within_s=EVENTS_S)
    beat(ingest_project.database, SENSOR, process=socket.gethostname())  # `/ready` of the service reads it
    wanted = wanted_runs(context.instance, ingest_project, within_s=LOOK_S)
    if is_beating(ingest_project.database, RUNS_LISTENER):
        wanted.ingest.clear()  # `ingest listen` asks for them; two requests at one time would be two runs
    for problem_text in [problem, *problems_of(wanted)] if problem else problems_of(wanted):
        context.log.warning(problem_text)
    count = ingest_project.settings.shards
    add_partitions(context.instance, [each.file_id for each in wanted.ingest], count=count)
    ingest_project.deletes.purged(wanted.purge)
    requests = [
        *ingest_requests(context.instance, wanted, shards=count),
        *(_purge(file_id) for file_id in wanted.purge),
    ]
    if wanted.needs_index and not _is_rebuilding(context.instance):
        requests.append(dg.RunRequest(job_name=rebuild_index.name))
    return dg.SensorResult(run_requests=requests, skip_reason=None if requests else _idle(wanted))


@dg.run_failure_sensor(
    request_jobs=[ingest_job(Shard(0))],
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
    job = shard_of(file_id, count=ingest_project.settings.shards).job_name
    return dg.RunRequest(run_key=run.run_id, job_name=job, partition_key=file_id, tags=then.tags)


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
    error = OutsideError(f"run {run.run_id[:8]} {end}")
    _note_unless_known(ingest_project, context.instance, run, error, state=State.FAILED)
    context.instance.add_run_tags(run.run_id, {SETTLED_TAG: "noted"})


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.CANCELED,
    minimum_interval_seconds=FAILURE_INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Records a file whose run was cancelled: it waits until it changes or somebody asks for it.",
)
def cancelled_runs(context: dg.RunStatusSensorContext, ingest_project: Parts) -> None:
    """Record that a file's run was cancelled."""
    ingest_project.follow_model_change()
    run = context.dagster_run
    error = BadInput("its run was cancelled; `ingest add`, the UI or a change of the file start it again")
    _note_unless_known(ingest_project, context.instance, run, error, state=State.CANCELLED)
    context.instance.add_run_tags(run.run_id, {SETTLED_TAG: "noted"})


def _with_its_end(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun:
    """Return the run with the name of its end, which its launcher gives a moment after some failures."""
    deadline = time.monotonic() + NAMED_WITHIN_S
    while not run.tags.get(OUTCOME_TAG) and time.monotonic() < deadline and _is_in_charge(instance, run.run_id):
        time.sleep(0.05)
        run = instance.get_run_by_id(run.run_id) or run
    return run


def _is_in_charge(instance: dg.DagsterInstance, run_id: str) -> bool:
    return Register(Path(instance.root_directory) / "launcher").knows(run_id)


def _note_unless_known(
    project: Project, instance: dg.DagsterInstance, run: dg.DagsterRun, error: IngestError, *, state: State
) -> None:
    """Put the end of a file's run into the ledger, unless it has this version already; report the checks in any case.

    A version that was uploaded after the run was asked for, and that the run did not read, stays pending.
    """
    file_id = run.tags.get(PARTITION_TAG)
    if file_id is None:
        return
    seen: BucketObject | None = None
    try:
        seen = project.bucket.stat(key_of(file_id))
        version = seen.version if seen is not None else ""
    except OutsideError:  # the bucket or the place is away: the version that was seen last
        version = project.index.bucket_version(file_id)
    if not version:
        return
    record = project.store.file(file_id)
    if record is not None and record.version == version:
        project.index.copy(file_id, record)
        report_checks(project, instance, file_id)
        return
    source, asked = project.source(file_id), instance.get_run_record_by_id(run.run_id)
    is_read = source is not None and source.version == version
    if not is_read and seen is not None and asked is not None and seen.modified_at > asked.create_timestamp.timestamp():
        return
    FailureRecorder(project, instance).note(file_id, error, version=version, state=state)


def problems_of(wanted: Wanted) -> list[str]:
    """Say what in the bucket needs a person."""
    noticed = wanted.noticed
    found = [noticed.problem] if noticed.problem else []
    if noticed.misplaced:
        reason = noticed.misplaced[0].reason
        found.append(f"{len(noticed.misplaced)} files in the bucket are in no user's project, such as {reason}")
    found += [place.reason for place in noticed.unreadable if not place.is_empty][:MAX_NAMED]
    return found + [str(each) for each in wanted.waiting_deletes]


def _is_rebuilding(instance: dg.DagsterInstance) -> bool:
    unfinished = dg.RunsFilter(job_name=rebuild_index.name, statuses=UNFINISHED)
    return bool(instance.get_runs(filters=unfinished, limit=1))


def ingest_requests(instance: dg.DagsterInstance, wanted: Wanted, *, shards: int) -> list[dg.RunRequest]:
    """Make the requests of the files to ingest, each with its turn."""
    turns = [TurnRequest(each.file_id, AskedBy.BUCKET, each.size_bytes) for each in wanted.ingest]
    return [
        dg.RunRequest(job_name=shard_of(turn.file_id, count=shards).job_name, partition_key=turn.file_id, tags=tags)
        for turn, tags in zip(turns, turn_tags(instance, turns), strict=True)
    ]


def _purge(file_id: str) -> dg.RunRequest:
    return dg.RunRequest(
        job_name=purge_file.name,
        run_config={"ops": {"remove_what_is_kept": {"config": {"file_id": file_id}}}},
        tags={PURGED_FILE_TAG: file_id},
    )


def _idle(wanted: Wanted) -> str:
    if wanted.needs_index:
        return "the index of files is made again from the store; the bucket is looked at when that is done"
    noticed = wanted.noticed
    looked = f"{noticed.listed} objects looked at, {wanted.in_runs} files in runs, {noticed.missing} missing"
    return "; ".join([looked, *problems_of(wanted)])
