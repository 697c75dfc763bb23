"""Publish a file of the bucket: its chunks, its record in the ledger, its cost, and the memory that it needed.

The asset `embeddings` returns this, and the IO manager of the store runs it (`io_managers.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import dagster as dg

from ingest_assets.artifacts.costs import measured
from ingest_assets.defs.assets.catalog.metadata import published
from ingest_assets.defs.assets.recording.failures import FailureRecorder
from ingest_assets.defs.assets.recording.file_record import cost_of
from ingest_assets.index.run_figures import UNCHANGED
from ingest_assets.index.usage import tokens_of
from ingest_assets.ledger_records import FileRecord, Scope, StageCost, utc_text
from ingest_assets.project import Project
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stages.planning.attempts import Attempt
from ingest_assets.stages.planning.first_window import Experience
from ingest_assets.stages.publish import is_published, publish

if TYPE_CHECKING:
    from ingest_assets.stores.contract import VectorStore


@dataclass(frozen=True)
class FilePublication:
    """A file's record, and how to make its chunks with vectors; they are made only if the store lacks them."""

    project: Project
    record: FileRecord
    embedded: Callable[[], Iterator[EmbeddedChunk]]
    attempt: Attempt

    def publish(self, store: VectorStore, context: dg.OutputContext) -> Mapping[str, Any]:
        """Embed and publish the file, unless the store holds this result already.

        Raises:
            Failure: the file left the bucket meanwhile; nothing of it is kept.
        """
        with FailureRecorder(self.project, context.step_context.instance).watch(context.step_context):
            found = store.file(self.record.file_id)
            made = not is_published(self.record, found)
            with measured() as cost:
                kept = publish(self.record, self.embedded(), store=store) if made else _seen_again(self.record, found)
            took = cost_of("embeddings", cost.seconds, cost.peak_memory_mb)
            kept = store.note(_with_cost(kept, took) if made else kept)
            if made:
                self.project.history.add(_experience(kept, self.attempt))
            count_publication(self.project, kept, took, made=made)
            if self.project.file_details.of(kept.file_id) != kept.metadata:  # an upload said more of it meanwhile
                kept = store.note(replace(kept, version=""))  # so it counts as not attempted
        if self.project.bucket.stat(kept.key) is None:
            store.delete(kept.file_id)
            raise dg.Failure(f"{kept.key}: deleted during its run; nothing of it was kept", allow_retries=False)
        return published(kept, took, project=self.project, made=made)


def count_publication(project: Project, record: FileRecord, took: StageCost, *, made: bool) -> None:
    """Add a run that ended well to the figures of all runs, and what it used to what its owner has used."""
    if not made:
        project.run_figures.add_end(UNCHANGED, media_type=record.media_type)
        return
    project.run_figures.add_stage(took, media_type=record.media_type)
    project.run_figures.add_publication(record)
    project.usage.add(
        Scope(record.user_id, record.project_id),
        chunks=record.chunks,
        ocr_pages=record.pages_by_ocr,
        tokens=tokens_of(record),
    )


def _with_cost(record: FileRecord, cost: StageCost) -> FileRecord:
    return replace(
        record,
        seconds=round(record.seconds + cost.seconds, 3),
        peak_memory_mb=max(record.peak_memory_mb, cost.peak_memory_mb),
        stages=(*record.stages, cost),
        updated_at=utc_text(),
    )


def _experience(record: FileRecord, attempt: Attempt) -> Experience:
    return Experience(
        media_type=record.media_type,
        size_bytes=record.size_bytes,
        pages=record.pages,
        pictures=record.pictures,
        window=attempt.window,
        cap_mb=attempt.cap_mb,
        peak_mb=record.peak_memory_mb,
        out_of_memory=False,
    )


def _seen_again(record: FileRecord, found: FileRecord | None) -> FileRecord:
    """Return the record in the store, with the bucket's new version of the same bytes."""
    assert found is not None, "what is published has a record"
    return replace(found, version=record.version)
