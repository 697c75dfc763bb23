"""Count what a store really holds of one file, and name what is wrong with it; the same for every store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ingest_assets.ledger_records import Audit, FileRecord, Origin, StoredChunk
from ingest_assets.vectors import Fault, fault


def audit_of(record: FileRecord | None, rows: Iterable[StoredChunk]) -> Audit:
    """Count a file's rows, in force and not, and the faults of those in force."""
    counts: Counter[str] = Counter()
    indexes: Counter[int] = Counter()
    for row in rows:
        if not row.in_force or record is None:
            counts["stray"] += 1
            continue
        counts["rows"] += 1
        indexes[row.chunk.index] += 1
        counts["wrong model"] += row.model != record.model
        if row.vector is None:
            counts["without vector"] += 1
        elif found := fault(row.vector, dimension=record.dimension):
            counts[found] += 1
    return Audit(
        rows=counts["rows"],
        wrong_dimension=counts[Fault.WRONG_DIMENSION],
        not_finite=counts[Fault.NOT_FINITE],
        not_unit=counts[Fault.NOT_UNIT],
        wrong_model=counts["wrong model"],
        stray=counts["stray"],
        problems=tuple(_problems(record, counts, indexes)),
    )


def _problems(record: FileRecord | None, counts: Counter[str], indexes: Counter[int]) -> list[str]:
    problems = []
    if counts["without vector"]:
        problems.append(f"{counts['without vector']} rows have no vector")
    if record is None:
        return problems
    if counts["rows"] != record.chunks:
        problems.append(f"the record says {record.chunks} chunks, {counts['rows']} rows are in force")
    whole = record.origin is Origin.BUCKET and not record.duplicates
    if whole and set(indexes) != set(range(counts["rows"])):
        problems.append("places in the document are missing or taken twice")
    return problems
