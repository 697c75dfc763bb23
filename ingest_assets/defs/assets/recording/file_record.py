"""Make a file's record for the ledger from what its stages counted."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import replace
from typing import NamedTuple

from ingest_assets.artifacts.sequences import Stored
from ingest_assets.ledger_records import FileRecord, StageCost, State, utc_text
from ingest_assets.project import Project
from ingest_assets.records import Caption, Chunk, Part, SourceFile
from ingest_assets.stages.chunking.languages import main_languages
from ingest_assets.stages.chunking.summary import summary_of

_KEPT_WARNINGS = 50


def record_of(chunks: Stored[Chunk], *, project: Project, source: SourceFile, window: int) -> FileRecord:
    """Gather what the stages counted; `publish` adds state, generation and model.

    Raises:
        OutsideError: the result of an earlier stage is missing or damaged.
    """
    raw = project.artifacts.read("raw_files", source.file_id, SourceFile)
    parsed = project.artifacts.read("parsed_documents", source.file_id, Part)
    captions = project.artifacts.read("image_captions", source.file_id, Caption)
    stages: tuple[Stored[SourceFile] | Stored[Part] | Stored[Caption] | Stored[Chunk], ...]
    stages = (raw, parsed, captions, chunks)
    pages = _pages(parsed, read={caption.picture for caption in captions if caption.text})
    counts, first = parsed.manifest.counts, next(iter(chunks), None)
    return replace(
        _of_source(source),
        pages=counts.get("pages", 0),
        pages_read=len(pages.read),
        pages_by_ocr=len(pages.by_ocr),
        parts=parsed.manifest.records,
        quarantined=pages.quarantined,
        unread_pictures=captions.manifest.counts.get("quarantined", 0),
        elements=counts.get("elements", 0),
        pictures=counts.get("pictures", 0),
        decorations=captions.manifest.counts.get("decorations", 0),
        tables=counts.get("tables", 0),
        characters=counts.get("characters", 0),
        languages=main_languages(chunks.manifest.counts),
        chunks=chunks.manifest.records,
        chunks_digest=chunks.manifest.digest,
        fingerprint=project.fingerprints(source).whole,
        summary=summary_of(first.text) if first else "",
        warnings=(*parsed.manifest.warnings, *captions.manifest.warnings)[:_KEPT_WARNINGS],
        seconds=round(sum(stage.manifest.seconds for stage in stages), 3),
        peak_memory_mb=round(max(stage.manifest.peak_memory_mb for stage in stages), 1),
        stages=tuple(cost_of(stage.asset, stage.manifest.seconds, stage.manifest.peak_memory_mb) for stage in stages),
        updated_at=utc_text(),
        window=window,
        metadata=project.file_details.of(source.file_id),
    )


def _of_source(source: SourceFile) -> FileRecord:
    """Return the record of a file that was received and not read yet."""
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
    )


def cost_of(stage: str, seconds: float, peak_memory_mb: float) -> StageCost:
    """Return what a stage took, as the ledger keeps it."""
    return StageCost(stage, round(seconds, 3), round(peak_memory_mb, 1))


class _Pages(NamedTuple):
    read: set[int]
    by_ocr: set[int]
    quarantined: tuple[int, ...]
    """Numbers of the parts that could not be read."""


def _pages(parsed: Iterable[Part], *, read: Set[str]) -> _Pages:
    """Tell which pages were read, and which of them from a picture; `read` are the pictures in which text was found."""
    good: set[int] = set()
    bad: set[int] = set()
    by_ocr: set[int] = set()
    whole_pages: set[str] = set()
    quarantined = []
    for part in parsed:
        if part.problem:
            quarantined.append(part.number)
        whole_pages.update(picture.sha256 for picture in part.pictures if picture.is_page)
        if part.page_number is not None:
            (bad if part.problem else good).add(part.page_number)
            if any(element.picture in whole_pages and element.picture in read for element in part.elements):
                by_ocr.add(part.page_number)
    return _Pages(good - bad, by_ocr, tuple(quarantined))
