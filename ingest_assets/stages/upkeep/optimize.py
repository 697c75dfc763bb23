"""Optimize a file's rows: remove chunks of equal text, complete the metadata, set the flags.

The flags (`Flags`) say which chunks an answer may be based on, for systems that search the store by themselves. They
are set from the rows as they are in the store. A file in which `validate` finds more than wrong metadata is not
changed: it needs `repair` first.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import FileRecord, Flags, Origin, StoredChunk
from ingest_assets.records import Caption, EmbeddedChunk
from ingest_assets.stages.chunking.summary import summary_of
from ingest_assets.stages.embed import Embedder
from ingest_assets.stages.upkeep.repair import repair
from ingest_assets.stages.upkeep.seen_texts import SeenTexts
from ingest_assets.stages.upkeep.validate import Examined, Kept, Problem, faults_of
from ingest_assets.stores.contract import StoreEditing

_FLAGGED_AT_ONCE = 500
_REPAIRED_HERE = {Problem.WRONG_OWNER, Problem.STALE}
"""Problems that `optimize` repairs itself; they need no text and no new vector."""
_LINE_CHARS = 8
"""Shorter lines of a caption may stand in any text."""


class Duplicates(StrEnum):
    """Which chunks of equal text are removed."""

    KEEP = "keep"
    FILE = "file"
    """Those whose text occurs earlier in the file."""
    PROJECT = "project"
    """Those whose text occurs earlier in the project: in this file or in one whose file_id comes first. If that other
    file is deleted later, no search finds the text until this file is ingested again."""


Seen: TypeAlias = Callable[[FileRecord, str], bool]
"""Tells whether a text hash was seen before in the file or project, as the policy says; remembers it."""
Captions: TypeAlias = Callable[[FileRecord], Collection[str] | None]
"""Lines that a model wrote about a file's pictures or read from them; None if they are not known."""


@dataclass(frozen=True, slots=True)
class Optimized:
    """What was done to one file."""

    file_id: str
    duplicates: int = 0
    """Rows removed because their text stands in the store already."""
    completed: int = 0
    """Rows whose owner, name, source or type was put right, and records whose summary was filled in."""
    flagged: int = 0
    """Rows whose flags changed."""
    needs_repair: bool = False
    """`validate` finds more here than `optimize` repairs; nothing was done."""


def optimize_all(
    found: Iterable[Examined],
    *,
    duplicates: Duplicates,
    store: StoreEditing,
    kept: Kept,
    captions: Captions,
    embedder: Embedder,
    busy: Collection[str] = (),
) -> Iterator[Optimized]:
    """Optimize each file; files in `busy` are being ingested and are reported as needing repair."""
    with _seen(duplicates) as seen:
        for examined in found:
            try:
                if examined.file_id in busy:
                    raise OutsideError("it is being ingested")
                yield optimize(examined, store=store, seen=seen, kept=kept, captions=captions, embedder=embedder)
            except OutsideError:
                yield Optimized(examined.file_id, needs_repair=True)


@contextmanager
def _seen(duplicates: Duplicates) -> Iterator[Seen | None]:
    """Open the set of texts seen so far, grouped as the policy says; None if duplicates are kept."""
    if duplicates is Duplicates.KEEP:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="seen-texts-") as folder, SeenTexts(Path(folder) / "seen") as texts:
        if duplicates is Duplicates.FILE:
            yield lambda record, text_sha256: texts.seen(record.file_id, text_sha256)
        else:
            yield lambda record, text_sha256: texts.seen(json.dumps([record.user_id, record.project_id]), text_sha256)


def caption_lines(captions: Iterable[Caption]) -> set[str]:
    """Return the lines that stand in a file's text for its pictures, without those too short to recognise."""
    texts = (text for row in captions for text in (row.caption, row.text))
    return {line.strip() for text in texts for line in text.splitlines() if len(line.strip()) >= _LINE_CHARS}


def optimize(
    examined: Examined,
    *,
    store: StoreEditing,
    seen: Seen | None,
    kept: Kept,
    captions: Captions,
    embedder: Embedder,
) -> Optimized:
    """Optimize one file; `seen` is None where duplicates are kept.

    Raises:
        OutsideError: the store is away, or the file is being published.
    """
    record, problems = examined.record, {finding.problem for finding in examined.findings}
    if record is None or problems - _REPAIRED_HERE:
        return Optimized(examined.file_id, needs_repair=True)
    wrong = {finding.row for finding in examined.findings if finding.problem is Problem.WRONG_OWNER}
    completed = len(wrong)
    if problems:
        repair(examined, store=store, kept=kept, forget=lambda _: None, embedder=embedder)
    record, filled_in = _with_summary(store, store.file(record.file_id) or record)
    # A client that hands in the same chunk again gets the answer `identical`, so the chunk has to stay.
    removed = _remove_duplicates(store, record, seen) if seen and record.origin is Origin.BUCKET else 0
    if filled_in and not removed:
        store.note(record)
    flagged = _flag(store, record, captions(record))
    return Optimized(record.file_id, duplicates=removed, completed=completed + filled_in, flagged=flagged)


def _remove_duplicates(store: StoreEditing, record: FileRecord, seen: Seen) -> int:
    """Publish the file without the chunks whose text was seen before; the vectors of the others are reused."""
    current = (row for row in store.rows(record.file_id) if row.in_force)
    surplus = {row.chunk.chunk_id for row in current if seen(record, row.chunk.text_sha256)}
    if surplus:
        fewer = replace(record, duplicates=record.duplicates + len(surplus))
        store.replace(fewer, _all_but(store, record, surplus), expecting=record.generation)
    return len(surplus)


def _all_but(store: StoreEditing, record: FileRecord, surplus: Collection[str]) -> Iterator[EmbeddedChunk]:
    for row in store.rows(record.file_id):
        if row.in_force and row.vector is not None and row.chunk.chunk_id not in surplus:
            yield EmbeddedChunk(chunk=row.chunk, vector=row.vector, model=row.model, reused=True)


def _with_summary(store: StoreEditing, record: FileRecord) -> tuple[FileRecord, int]:
    """Return the record with a summary, and whether it had none."""
    first = [] if record.summary else store.chunks(record.file_id, limit=1)
    return (replace(record, summary=summary_of(first[0].text)), 1) if first else (record, 0)


def _flag(store: StoreEditing, record: FileRecord, captions: Collection[str] | None) -> int:
    changed, waiting = 0, dict[str, Flags]()
    for row in store.rows(record.file_id):
        if not row.in_force or (flags := flags_of(row, record, captions)) == row.flags:
            continue
        waiting[row.name] = flags
        if len(waiting) == _FLAGGED_AT_ONCE:
            changed += store.flag(record.file_id, waiting)
            waiting = {}
    return changed + (store.flag(record.file_id, waiting) if waiting else 0)


def flags_of(row: StoredChunk, record: FileRecord, captions: Collection[str] | None) -> Flags:
    """Say whether an answer may be based on a row."""
    complete = bool(row.chunk.text.strip() and row.source and row.filename and row.media_type)
    cited = bool(row.chunk.pages) or not record.pages
    sound = not record.state.is_failure and not any(faults_of(row, record))
    return Flags(
        rag_strict=complete and cited and sound,
        source_only=captions is not None and not any(line in row.chunk.text for line in captions),
    )
