"""Evaluate the asset checks of one file, and report the results of a file whose run ended before them.

Dagster marks a check as failed when its run ends without a result. Every real bucket holds one encrypted PDF, so a
check that means "the data is damaged" would be red for ever. The checks do not need a successful run: after a failure
the store holds the file's old chunks or nothing, and the checks tell whether that is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from ingest_assets.defs.partitions import shard_of
from ingest_assets.defs.queue.busy_files import PARTITION_TAG
from ingest_assets.errors import IngestError, OutsideError
from ingest_assets.project import Project
from ingest_assets.records import Part


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found about one file."""

    passed: bool
    description: str
    counts: Mapping[str, int]


def pages_result(project: Project, file_id: str, run_id: str) -> CheckResult:
    """Compare the pages that the file has with the pages parsed and quarantined."""
    if project.artifacts.manifest("parsed_documents", file_id) is None and _has_failed(project, file_id):
        return CheckResult(True, "the file could not be read; no page of it is claimed to be parsed", {})
    try:
        parsed = project.artifacts.read("parsed_documents", file_id, Part)
        parts = [(part.page_number, bool(part.problem)) for part in parsed]
    except OutsideError as error:
        return CheckResult(False, str(error), {})
    bad = {page for page, problem in parts if page and problem}
    good = {page for page, problem in parts if page and not problem} - bad
    counts = {"pages": parsed.manifest.counts.get("pages", 0), "parsed": len(good), "quarantined": len(bad)}
    description = f"{counts['pages']} pages = {len(good)} parsed + {len(bad)} quarantined"
    return CheckResult(counts["pages"] == len(good) + len(bad), description, counts)


def rows_result(project: Project, file_id: str, run_id: str) -> CheckResult:
    """Compare the chunks made with the file's record and with the rows in the store.

    Chunks of a version that was never published are not compared: after a failure, the old chunks are in force.
    """
    made, record = project.artifacts.manifest("chunks", file_id), project.store.file(file_id)
    rows = project.audit(file_id, run_id=run_id)
    counts = {
        "chunks": made.records if made else 0,
        "recorded": record.chunks if record else 0,
        "duplicates": record.duplicates if record else 0,
        "rows": rows.rows,
        "stray_rows": rows.stray,
    }
    is_published = record is None or not record.state.is_failure
    passed = counts["recorded"] == counts["rows"] and rows.stray == 0
    if is_published:
        passed = passed and counts["chunks"] - counts["duplicates"] == counts["recorded"]
    return CheckResult(passed, _listed(counts), counts)


def vectors_result(project: Project, file_id: str, run_id: str) -> CheckResult:
    """Look for vectors with NaN, another norm than 1, another length or another model than the record says."""
    rows = project.audit(file_id, run_id=run_id)
    counts = {
        "not_finite": rows.not_finite,
        "not_unit": rows.not_unit,
        "wrong_dimension": rows.wrong_dimension,
        "wrong_model": rows.wrong_model,
    }
    return CheckResult(not any(counts.values()), _listed(counts), counts)


CHECKS: Mapping[tuple[str, str], Callable[[Project, str, str], CheckResult]] = {
    ("parsed_documents", "every_page_is_accounted_for"): pages_result,
    ("embeddings", "chunks_vectors_and_rows_agree"): rows_result,
    ("embeddings", "vectors_are_sound"): vectors_result,
}
"""By asset and name of the check."""


def report_checks(project: Project, instance: dg.DagsterInstance, file_id: str) -> None:
    """Evaluate all checks of a file now and report them in its newest run, whose planned checks have no result.

    Dagster keeps one result outside of runs for each partition and refuses a second, so they are reported in the run.
    """
    runs = instance.get_runs(filters=dg.RunsFilter(tags={PARTITION_TAG: file_id}), limit=1)
    if not runs:
        return
    shard = shard_of(file_id, count=project.settings.shards)
    asked_by = uuid4().hex  # in place of a run's id, so that rows counted before the failure are counted again
    for (asset, name), evaluate in CHECKS.items():
        try:
            result = evaluate(project, file_id, asked_by)
        except IngestError:
            continue  # the store is away, and the attempt's failure says so
        evaluation = dg.AssetCheckEvaluation(
            asset_key=shard.asset_key(asset),
            check_name=name,
            passed=result.passed,
            description=result.description,
            metadata=dict(result.counts),
            target_materialization_data=_newest_materialization(instance, shard.asset_key(asset), file_id),
            partition=file_id,
        )
        kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION.value
        event = dg.DagsterEvent(kind, job_name=runs[0].job_name, event_specific_data=evaluation)
        instance.report_dagster_event(event, runs[0].run_id)


def _newest_materialization(
    instance: dg.DagsterInstance, asset: dg.AssetKey, file_id: str
) -> AssetCheckEvaluationTargetMaterializationData | None:
    """Return the materialisation that was checked; Dagster shows no check result that is older than it."""
    asked = dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[file_id])
    found = instance.fetch_materializations(asked, limit=1).records
    return (
        AssetCheckEvaluationTargetMaterializationData(
            storage_id=found[0].storage_id, run_id=found[0].run_id, timestamp=found[0].timestamp
        )
        if found
        else None
    )


def _has_failed(project: Project, file_id: str) -> bool:
    record = project.store.file(file_id)
    return record is not None and record.state.is_failure


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
