"""Define the jobs beside `ingest_file`: purge a file, and validate, repair or optimize the store; each in one process.

Dagster's multiprocess executor would load everything a second time: 3 CPU seconds and twice the memory for each run.
"""

from collections import Counter
from dataclasses import asdict

import dagster as dg

from ingest_assets.actions.upkeep import optimize_store as optimize
from ingest_assets.actions.upkeep import repair_store as repair
from ingest_assets.actions.upkeep import validate_store as validate
from ingest_assets.defs.purge import purge
from ingest_assets.defs.queue.busy_files import files_in_runs
from ingest_assets.defs.sweep import sweep
from ingest_assets.project import Project
from ingest_assets.stages.upkeep.optimize import Duplicates
from ingest_assets.stages.upkeep.validate import count_problems


class PurgedFile(dg.Config):
    """Which file to remove."""

    file_id: str


@dg.op
def remove_what_is_kept(
    context: dg.OpExecutionContext, config: PurgedFile, ingest_project: dg.ResourceParam[Project]
) -> None:
    """Remove a deleted file's artifacts, partition, chunks and record, unless it is back in the bucket."""
    rows = purge(config.file_id, project=ingest_project, instance=context.instance)
    context.log.info(
        f"{config.file_id}: removed with {rows} chunks"
        if rows is not None
        else f"{config.file_id}: in the bucket again, kept"
    )


@dg.job(executor_def=dg.in_process_executor, description="Remove all that is kept of a file deleted from the bucket.")
def purge_file() -> None:
    """Remove all that is kept of one file."""
    remove_what_is_kept()


@dg.op
def find_disagreements(context: dg.OpExecutionContext, ingest_project: dg.ResourceParam[Project]) -> None:
    """Compare ledger, kept chunks and store; fail where anything disagrees."""
    looking = Project(ingest_project.settings, prepares=False)
    files, rows, counts = count_problems(validate(looking, busy=files_in_runs(context.instance)))
    context.add_output_metadata({"files": files, "rows": rows, **counts})
    if counts:
        listing = "; ".join(f"{count} × {problem}" for problem, count in counts.most_common())
        raise dg.Failure(
            f"{listing}. `ingest validate` names them, `ingest repair` repairs them",
            metadata={"files": files, "rows": rows, **counts},
            allow_retries=False,
        )


@dg.job(executor_def=dg.in_process_executor, description="Compare ledger, artifacts and store; change nothing.")
def validate_store() -> None:
    """Compare ledger, artifacts and store."""
    find_disagreements()


@dg.op
def copy_ledger(context: dg.OpExecutionContext, ingest_project: dg.ResourceParam[Project]) -> None:
    """Read the whole ledger out of the store and make the index agree with it."""
    differed = ingest_project.rebuild_index()
    context.log.info(f"{differed} files of the index differed from the ledger")
    context.add_output_metadata({"differed": differed})


@dg.job(
    executor_def=dg.in_process_executor,
    description="Make the index of files again from the store, as `ingest index` does.",
)
def rebuild_index() -> None:
    """Make the index again from the store."""
    copy_ledger()


class RepairConfig(dg.Config):
    """Whether to repair the files, or only to say what would be done."""

    apply: bool = False


@dg.op
def repair_files(
    context: dg.OpExecutionContext, config: RepairConfig, ingest_project: dg.ResourceParam[Project]
) -> None:
    """Repair each file that disagrees, or say what would repair it."""
    files = embedded = 0
    for repaired in repair(ingest_project, apply=config.apply, busy=files_in_runs(context.instance)):
        files, embedded = files + 1, embedded + repaired.embedded
        context.log.info(f"{repaired.file_id}: {repaired.action.value} ({repaired.findings} findings)")
    context.add_output_metadata({"files": files, "embedded": embedded, "applied": config.apply})


@dg.job(
    executor_def=dg.in_process_executor,
    description="Repair what validate_store finds; a dry run unless its configuration says apply: true.",
)
def repair_store() -> None:
    """Repair the store."""
    repair_files()


class OptimizeConfig(dg.Config):
    """Which chunks of equal text are removed: none (keep), or later ones of a file or of a project."""

    duplicates: Duplicates = Duplicates.FILE


@dg.op
def optimize_files(
    context: dg.OpExecutionContext, config: OptimizeConfig, ingest_project: dg.ResourceParam[Project]
) -> None:
    """Remove duplicates, complete metadata, set flags, compact."""
    totals = Counter[str]()
    for done in optimize(ingest_project, duplicates=config.duplicates, busy=files_in_runs(context.instance)):
        totals.update(files=1, duplicates=done.duplicates, completed=done.completed, flagged=done.flagged)
        totals.update(need_repair=done.needs_repair)
    context.add_output_metadata({**totals, "compacted": ingest_project.store.compact()})


@dg.job(
    executor_def=dg.in_process_executor,
    description="Remove duplicates, complete metadata, set rag_strict and source_only, compact the store.",
)
def optimize_store() -> None:
    """Optimize the store."""
    optimize_files()


@dg.op
def remove_leftovers(context: dg.OpExecutionContext, ingest_project: dg.ResourceParam[Project]) -> None:
    """Remove what no file and no person needs any more, and make the index agree with the ledger."""
    swept = sweep(ingest_project, context.instance)
    context.add_output_metadata(asdict(swept))


@dg.job(
    executor_def=dg.in_process_executor,
    description="Remove artifacts without a file, old runs and messages; compare the index with the ledger.",
)
def sweep_leftovers() -> None:
    """Sweep."""
    remove_leftovers()
