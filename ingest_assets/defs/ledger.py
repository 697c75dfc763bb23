"""The results of a file's stages in, its record for the ledger out."""

from __future__ import annotations

from ingest_assets.defs.ends import utc_now
from ingest_assets.records import Caption, Chunk, Part, SourceFile
from ingest_assets.sequences import Stored
from ingest_assets.stages.summary import summary_of
from ingest_assets.stored import FileRecord, State
from ingest_assets.wiring import Fingerprints

_KEPT_WARNINGS = 50


def record_of(
    source: SourceFile,
    parsed: Stored[Part],
    captions: Stored[Caption],
    chunks: Stored[Chunk],
    fingerprints: Fingerprints,
    *,
    window: int,
) -> FileRecord:
    """Gather what the stages counted; `publish` settles state, generation and model."""
    stages = (parsed.manifest, captions.manifest, chunks.manifest)
    return FileRecord(
        file_id=source.file_id,
        user_id=source.user_id,
        project_id=source.project_id,
        filename=source.filename,
        key=source.key,
        state=State.SUCCEEDED,
        version=source.version,
        size_bytes=source.size_bytes,
        sha256=source.sha256,
        media_type=source.media_type,
        pages=parsed.manifest.counts.get("pages", 0),
        parts=parsed.manifest.records,
        quarantined=tuple(part.number for part in parsed if part.problem),
        unread_pictures=captions.manifest.counts.get("quarantined", 0),
        elements=parsed.manifest.counts.get("elements", 0),
        pictures=parsed.manifest.counts.get("pictures", 0),
        decorations=captions.manifest.counts.get("decorations", 0),
        chunks=chunks.manifest.records,
        chunks_digest=chunks.manifest.digest,
        fingerprint=fingerprints.whole,
        summary=summary_of(chunks.manifest.preview),
        warnings=(*parsed.manifest.warnings, *captions.manifest.warnings)[:_KEPT_WARNINGS],
        seconds=round(sum(stage.seconds for stage in stages), 3),
        peak_memory_mb=round(max(stage.peak_memory_mb for stage in stages), 1),
        updated_at=utc_now(),
        window=window,
    )
