"""Where the assets' values go: sequences to artifacts, vectors to the team's store.

An asset hands over what is still to be made; it is made here, while it is written, one window at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg

from ingest_assets.artifacts.costs import measured
from ingest_assets.artifacts.folder import Artifacts
from ingest_assets.artifacts.history import History
from ingest_assets.artifacts.manifests import Manifest
from ingest_assets.artifacts.sequences import Pending, Stored
from ingest_assets.buckets import Bucket
from ingest_assets.defs.ends import NamedEnds
from ingest_assets.defs.ledger import cost_of
from ingest_assets.ledger_records import FileRecord, StageCost, utc_text
from ingest_assets.records import Caption, Chunk, EmbeddedChunk, Part, SourceFile
from ingest_assets.stages.attempts import Attempt
from ingest_assets.stages.first_window import Experience
from ingest_assets.stages.publish import is_published, publish

if TYPE_CHECKING:
    from ingest_assets.stores.contract import VectorStore

RECORD_TYPES: Mapping[str, type[Any]] = {
    "raw_files": SourceFile,
    "parsed_documents": Part,
    "image_captions": Caption,
    "chunks": Chunk,
}
_SHOWN_WARNINGS = 20


class Shelves(Protocol):
    """What the IO managers need of the workshop."""

    @property
    def bucket(self) -> Bucket: ...
    @property
    def artifacts(self) -> Artifacts: ...
    @property
    def store(self) -> VectorStore: ...
    @property
    def history(self) -> History: ...
    @property
    def ends(self) -> NamedEnds: ...


class ArtifactIOManager(dg.IOManager):
    """Keeps each asset's records as slices of JSON lines; makes them only if they are not there yet."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves = shelves

    def handle_output(self, context: dg.OutputContext, obj: Pending[Any]) -> None:
        """Make the sequence while writing it, and say what it cost."""
        asset = context.asset_key.path[-1]
        receiving = asset == "raw_files"
        with self._shelves.ends.of(context.step_context, receiving=receiving):
            manifest, made = self._shelves.artifacts.write(asset, context.partition_key, obj, RECORD_TYPES[asset])
        context.add_output_metadata(_metadata(manifest, made=made))

    def load_input(self, context: dg.InputContext) -> Stored[Any]:
        """Open the upstream asset's sequence; its records are read as they are iterated."""
        asset = context.asset_key.path[-1]
        with self._shelves.ends.of(context.step_context):
            return self._shelves.artifacts.read(asset, context.partition_key, RECORD_TYPES[asset])


@dataclass(frozen=True)
class Publication:
    """What is to stand in the store: the file's record, and how to make its embedded chunks."""

    record: FileRecord
    embedded: Callable[[], Iterator[EmbeddedChunk]]
    attempt: Attempt


class VectorStoreIOManager(dg.IOManager):
    """Publishes a file's embedded chunks in the vector store, all at once."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves = shelves

    def handle_output(self, context: dg.OutputContext, obj: Publication) -> None:
        """Embed and publish; what stands in the store already is left alone."""
        store = self._shelves.store
        with self._shelves.ends.of(context.step_context):
            found = store.file(context.partition_key)
            made = not is_published(obj.record, found)
            with measured() as cost:
                kept = publish(obj.record, obj.embedded(), store=store) if made else _seen_again(obj.record, found)
            kept = store.note(
                _with_cost(kept, cost_of("embeddings", cost.seconds, cost.peak_memory_mb)) if made else kept
            )
            if made:
                self._shelves.history.add(_experience(kept, obj.attempt))
        if self._shelves.bucket.stat(kept.key) is None:
            store.delete(kept.file_id)
            raise dg.Failure(f"{kept.key}: deleted during its run; nothing of it was kept", allow_retries=False)
        context.add_output_metadata(
            _publication_metadata(kept, made=made)
            | {"seconds": round(cost.seconds, 3), "peak_memory_mb": round(cost.peak_memory_mb, 1)}
        )

    def load_input(self, context: dg.InputContext) -> FileRecord:
        """Return the ledger's entry of the file."""
        record = self._shelves.store.file(context.partition_key)
        if record is None:
            raise dg.Failure(f"{context.partition_key}: not in the store yet; materialise embeddings for it first")
        return record


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
    """The record that stands, under the bucket's new version of the same bytes."""
    assert found is not None, "what is published has a record"
    return replace(found, version=record.version)


def _metadata(manifest: Manifest, *, made: bool) -> dict[str, Any]:
    return {
        "records": manifest.records,
        **manifest.counts,
        "unchanged": not made,
        "resumed": manifest.resumed,
        "seconds": round(manifest.seconds if made else 0.0, 3),
        "peak_memory_mb": round(manifest.peak_memory_mb, 1),
        "warnings": "\n".join(manifest.warnings[:_SHOWN_WARNINGS]),
        "fingerprint": manifest.fingerprint,
        "preview": dg.MetadataValue.md(manifest.preview),
    }


def _publication_metadata(record: FileRecord, *, made: bool) -> dict[str, Any]:
    return {
        "records": record.chunks,
        "pages": record.pages,
        "pages_read": record.pages_read,
        "pages_by_ocr": record.pages_by_ocr,
        "pictures": record.pictures,
        "tables": record.tables,
        "characters": record.characters,
        "languages": ", ".join(record.languages),
        "embedded": record.embedded if made else 0,
        "reused": record.reused if made else record.chunks,
        "state": record.state.value,
        "generation": record.generation,
        "model": record.model,
        "dimension": record.dimension,
        "unchanged": not made,
        "warnings": "\n".join(record.warnings[:_SHOWN_WARNINGS]),
        "fingerprint": record.fingerprint,
        "preview": dg.MetadataValue.md(record.summary),
    }
