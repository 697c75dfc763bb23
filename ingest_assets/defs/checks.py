"""A run's promises in, whether it kept them out: counted from the artifacts and from the store itself."""

import warnings

import dagster as dg

from ingest_assets.defs.assets import embeddings, parsed_documents
from ingest_assets.defs.partitions import files
from ingest_assets.defs.resources import Workshop
from ingest_assets.errors import OutsideError
from ingest_assets.records import Part

# Dagster has checks of partitions "in preview"; the version is pinned, and this is what they are for.
warnings.filterwarnings(
    "ignore", message="Specifying a partitions_def on an AssetCheckSpec", category=dg.PreviewWarning
)

Shop = dg.ResourceParam[Workshop]


@dg.asset_check(asset=parsed_documents, partitions_def=files)
def every_page_is_accounted_for(context: dg.AssetCheckExecutionContext, workshop: Shop) -> dg.AssetCheckResult:
    """Pages in the file = pages parsed + pages quarantined."""
    try:
        parsed = workshop.artifacts.read("parsed_documents", context.partition_key, Part)
        parts = [(part.page_number, bool(part.problem)) for part in parsed]
    except OutsideError as error:
        return dg.AssetCheckResult(passed=False, description=str(error))
    bad = {page for page, problem in parts if page and problem}
    good = {page for page, problem in parts if page and not problem} - bad
    pages = parsed.manifest.counts.get("pages", 0)
    return dg.AssetCheckResult(
        passed=pages == len(good) + len(bad),
        metadata={"pages": pages, "parsed": len(good), "quarantined": len(bad)},
        description=f"{pages} pages = {len(good)} parsed + {len(bad)} quarantined",
    )


@dg.asset_check(asset=embeddings, partitions_def=files)
def chunks_vectors_and_rows_agree(context: dg.AssetCheckExecutionContext, workshop: Shop) -> dg.AssetCheckResult:
    """Chunks made, but for duplicates = chunks in the file's record = rows in the store, and no row is left over."""
    made = workshop.artifacts.manifest("chunks", context.partition_key)
    record = workshop.store.file(context.partition_key)
    rows = workshop.audit(context.partition_key, run_id=context.run.run_id)
    counts = {
        "chunks": made.records if made else 0,
        "recorded": record.chunks if record else 0,
        "duplicates": record.duplicates if record else 0,
        "rows": rows.rows,
        "stray_rows": rows.stray,
    }
    return dg.AssetCheckResult(
        passed=counts["chunks"] - counts["duplicates"] == counts["recorded"] == counts["rows"] and rows.stray == 0,
        metadata=counts,
        description=", ".join(f"{name} {count}" for name, count in counts.items()),
    )


@dg.asset_check(asset=embeddings, partitions_def=files)
def vectors_are_sound(context: dg.AssetCheckExecutionContext, workshop: Shop) -> dg.AssetCheckResult:
    """No vector in the store has NaN, another norm than 1, another length or another model than the record says."""
    rows = workshop.audit(context.partition_key, run_id=context.run.run_id)
    counts = {
        "not_finite": rows.not_finite,
        "not_unit": rows.not_unit,
        "wrong_dimension": rows.wrong_dimension,
        "wrong_model": rows.wrong_model,
    }
    return dg.AssetCheckResult(
        passed=not any(counts.values()),
        metadata=counts,
        description=", ".join(f"{name} {count}" for name, count in counts.items()),
    )
