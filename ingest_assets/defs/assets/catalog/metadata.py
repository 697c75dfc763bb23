"""Write the metadata of a materialisation: first what a person wants to see of the document, last what machines need.

Dagster's UI lists metadata in the order in which it is given, so the preview comes first and the fingerprint last.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import dagster as dg

from ingest_assets.artifacts.manifests import Manifest
from ingest_assets.artifacts.sequences import Stored
from ingest_assets.defs.assets.catalog.previews import cut, pictures_as_markdown
from ingest_assets.defs.assets.catalog.source_links import source_of
from ingest_assets.file_ids import key_of, owner_of
from ingest_assets.ledger_records import FileRecord, StageCost
from ingest_assets.project import Project
from ingest_assets.records import Chunk, Part

_SHOWN_WARNINGS = 20
_SHOWN_CHUNKS = 12
_CHUNK_CHARS = 160


def materialised(
    stored: Stored[Any], manifest: Manifest, *, project: Project, file_id: str, made: bool
) -> dict[str, Any]:
    """Describe the records of an asset before `embeddings`."""
    shown: dict[str, Any] = {"preview": dg.MetadataValue.md(manifest.preview or "nothing to show")}
    if stored.asset == "image_captions" and manifest.records:
        parsed = project.artifacts.read("parsed_documents", file_id, Part)
        shown["preview"] = dg.MetadataValue.md(pictures_as_markdown(stored, parsed))
    elif stored.asset == "chunks" and manifest.records:
        shown["first chunks"] = _table(stored)
    return {
        **document(file_id, project=project),
        **shown,
        "warnings": _joined(manifest.warnings),
        "records": manifest.records,
        **manifest.counts,
        "unchanged": not made,
        "resumed": manifest.resumed,
        "seconds": round(manifest.seconds if made else 0.0, 3),
        "peak_memory_mb": round(manifest.peak_memory_mb, 1),
        "fingerprint": manifest.fingerprint,
    }


def document(file_id: str, *, project: Project) -> dict[str, Any]:
    """Say which document a partition is and where a person opens it; the same for each of its assets."""
    key, settings = key_of(file_id), project.settings
    user_id, project_id, filename = owner_of(key)
    return {
        "source": source_of(settings.bucket, key, base_url=settings.source_url, endpoint=settings.s3_endpoint),
        "filename": filename,
        "user": user_id,
        "project": project_id,
    }


def published(record: FileRecord, took: StageCost, *, project: Project, made: bool) -> dict[str, Any]:
    """Describe a file in the store."""
    return {
        **document(record.file_id, project=project),
        "preview": dg.MetadataValue.md(record.summary or "nothing to show"),
        "state": record.state.value,
        "warnings": _joined(record.warnings),
        "pages": record.pages,
        "pages_read": record.pages_read,
        "pages_by_ocr": record.pages_by_ocr,
        "pictures": record.pictures,
        "tables": record.tables,
        "characters": record.characters,
        "languages": ", ".join(record.languages),
        "records": record.chunks,
        "embedded": record.embedded if made else 0,
        "reused": record.reused if made else record.chunks,
        "unchanged": not made,
        "model": record.model,
        "dimension": record.dimension,
        "generation": record.generation,
        "seconds": round(took.seconds, 3),
        "peak_memory_mb": round(took.peak_memory_mb, 1),
        "fingerprint": record.fingerprint,
    }


def _joined(warnings: tuple[str, ...]) -> str:
    more = len(warnings) - _SHOWN_WARNINGS
    return "\n".join([*warnings[:_SHOWN_WARNINGS], *([f"… and {more} more"] if more > 0 else [])])


def _table(chunks: Stored[Chunk]) -> dg.MetadataValue:
    rows = [
        dg.TableRecord(
            {
                "pages": ", ".join(map(str, chunk.pages)),
                "section": " › ".join(chunk.section),
                "words": chunk.words,
                "text": cut(chunk.text, _CHUNK_CHARS),
            }
        )
        for chunk in islice(chunks, _SHOWN_CHUNKS)
    ]
    return dg.MetadataValue.table(records=rows)
