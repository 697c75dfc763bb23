"""Provide one file whose chunks are kept, and short functions for each stage of a store's upkeep."""

from __future__ import annotations

import io
import json
from pathlib import Path

from ingest_assets.ledger_records import FileRecord, Scope
from ingest_assets.records import Chunk
from ingest_assets.stages.client_chunks import client_chunks
from ingest_assets.stages.prechunk import Answer, add_chunks
from ingest_assets.stages.upkeep.optimize import Optimized, optimize
from ingest_assets.stages.upkeep.repair import Repair
from ingest_assets.stages.upkeep.repair import repair as repair_stage
from ingest_assets.stages.upkeep.seen_texts import SeenTexts
from ingest_assets.stages.upkeep.validate import Examined, Kept, Problem, examine
from ingest_assets.stores.contract import VectorStore
from ingest_assets_tests.stores.builders import (
    chunks_of,
    record_of,
    texts_of,
)
from ingest_assets_tests.stores.fakes import CountingEmbedder

NOTES = record_of("ada:engines:notes.txt")
TEXTS = texts_of("notes", 12)
SCOPE = Scope("ada", "engines")


def repair(examined: Examined, *, store: VectorStore, kept: Kept, embedder: CountingEmbedder | None = None) -> Repair:
    embedder = embedder or CountingEmbedder()
    return repair_stage(examined, store=store, kept=kept, forget=lambda record: None, embedder=embedder)


def kept(record: FileRecord) -> list[Chunk] | None:
    """The chunks that NOTES was made from; of other files none are kept."""
    return [each.chunk for each in chunks_of(NOTES, TEXTS)] if record.file_id == NOTES.file_id else None


def nothing_kept(record: FileRecord) -> None:
    return None


def problems(examined: Examined) -> set[Problem]:
    return {finding.problem for finding in examined.findings}


def tidy(store: VectorStore, folder: Path, file_ids: list[str], *, by_project: bool = False) -> list[Optimized]:
    with SeenTexts(folder / f"seen-{len(list(folder.iterdir()))}") as texts:

        def seen(record: FileRecord, text_sha256: str) -> bool:
            return texts.seen("project" if by_project else record.file_id, text_sha256)

        return [
            optimize(
                examine(store, file_id, kept=nothing_kept),
                store=store,
                seen=seen,
                kept=nothing_kept,
                captions=lambda record: {"A red lamp on a table"},
                embedder=CountingEmbedder(),
            )
            for file_id in file_ids
        ]


def put(store: VectorStore, lines: list[object], scope: Scope = SCOPE) -> list[Answer]:
    stream = io.BytesIO(b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in lines))
    opened = (store, CountingEmbedder())
    now = "2026-01-01T00:00:00+00:00"
    return list(add_chunks(client_chunks(stream), scope=scope, opened=lambda: opened, now=lambda: now))


def line(chunk_id: str, text: str, *, doc_id: str = "manual", **more: object) -> dict[str, object]:
    return {"doc_id": doc_id, "chunk_id": chunk_id, "text": text, **more}
