"""Repair what `validate` found: make the store's rows agree with a file's chunks again, embedding only what is missing.

A file is repaired by publishing it again: damaged rows are written anew, and the old ones go when the new ones come
into force. So a search sees the old file or the repaired one, and a kill leaves the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from ingest_assets.errors import OutsideError
from ingest_assets.file_ids import nfc
from ingest_assets.ledger_records import FileRecord, Origin, State
from ingest_assets.records import Chunk
from ingest_assets.stages.embed import Embedder, embed
from ingest_assets.stages.upkeep.migrate import HALF_COPIED, copy_file
from ingest_assets.stages.upkeep.validate import Examined, Kept, Problem, examine
from ingest_assets.stores.contract import StoreEditing
from ingest_assets.vectors import fault

if TYPE_CHECKING:
    from ingest_assets.records import Vector

RESCUED = 10_000
"""Vectors of rows with damaged metadata that are held while the rows are written anew; 15 MB at 384 dimensions."""
_WINDOW = 256

_TEXT_IS_LOST = {Problem.MISSING, Problem.NO_CHUNKS, Problem.MISCOUNTED, Problem.WRONG_HASH, Problem.DIFFERENT}
"""Problems that cannot be repaired from the rows alone."""


class Action(StrEnum):
    """What repairs a file."""

    NOTHING = "nothing to repair"
    DELETE = "remove rows that belong to no file"
    REBUILD = "write what is wrong anew from the kept chunks"
    REWRITE = "write what is wrong anew from what is sound in the rows"
    RENAME = "move the file to its name with composed letters, or remove it where a newer file has that name"
    READ_AGAIN = "have the file read again: its chunks are not kept"
    HAND_IN_AGAIN = "keep what is sound; the client has to hand in the rest again"
    LEAVE = "not repaired"


@dataclass(frozen=True, slots=True)
class Repair:
    """What repairs one file, and how many chunks that embeds."""

    file_id: str
    action: Action
    findings: int
    embedded: int = 0
    """Chunks that had no sound vector in the store."""
    reason: str = ""
    """Why it was not repaired."""

    @property
    def is_whole(self) -> bool:
        """Whether the file needs nothing more after this."""
        return self.action not in {Action.READ_AGAIN, Action.HAND_IN_AGAIN, Action.LEAVE}


def repair_all(
    found: Iterable[Examined],
    *,
    apply: bool,
    store: StoreEditing,
    kept: Kept,
    forget: Callable[[FileRecord], None],
    embedder: Callable[[], Embedder],
    busy: Collection[str] = (),
) -> Iterator[Repair]:
    """Repair each file that has findings, or, without `apply`, say what would; files in `busy` are being ingested."""
    for examined in found:
        if not examined.findings:
            continue
        if not apply:
            yield plan(examined, kept=kept)
            continue
        try:
            if examined.file_id in busy:
                raise OutsideError("it is being ingested; run it again when that has ended")
            yield repair(examined, store=store, kept=kept, forget=forget, embedder=embedder())
        except OutsideError as error:
            yield Repair(examined.file_id, Action.LEAVE, len(examined.findings), reason=str(error))


def plan(examined: Examined, *, kept: Kept) -> Repair:
    """Say what would repair a file; change nothing."""
    return Repair(examined.file_id, _action(examined, kept=kept), len(examined.findings))


def repair(
    examined: Examined,
    *,
    store: StoreEditing,
    kept: Kept,
    forget: Callable[[FileRecord], None],
    embedder: Embedder,
) -> Repair:
    """Repair a file; `forget` drops its kept chunks where they cannot be read.

    Raises:
        OutsideError: the store or the embedder is away, or the file was published since it was examined.
    """
    record = examined.record
    if record is not None and any(finding.problem is Problem.KEPT_DAMAGED for finding in examined.findings):
        forget(record)
        found = len(examined.findings)
        examined = examine(store, record.file_id, kept=kept)
        done = repair(examined, store=store, kept=kept, forget=forget, embedder=embedder)
        return replace(done, findings=found)
    if record is not None and any(finding.problem is Problem.DECOMPOSED_NAME for finding in examined.findings):
        others = tuple(each for each in examined.findings if each.problem is not Problem.DECOMPOSED_NAME)
        under_old_name = replace(examined, findings=others)
        done = repair(under_old_name, store=store, kept=kept, forget=forget, embedder=embedder)
        if done.is_whole:
            _rename(record.file_id, store=store)
            done = replace(done, action=Action.RENAME)
        return replace(done, findings=len(examined.findings))
    done = plan(examined, kept=kept)
    if done.action is Action.DELETE:
        store.delete(examined.file_id, expecting=0)
    if record is None or done.action is Action.NOTHING:
        return done
    names = {finding.row for finding in examined.findings if finding.row}
    repaired = _publish_anew(record, names, done.action, store=store, kept=kept, embedder=embedder)
    return replace(done, embedded=repaired.embedded)


def _action(examined: Examined, *, kept: Kept) -> Action:
    record, problems = examined.record, {finding.problem for finding in examined.findings}
    if not problems:
        return Action.NOTHING
    if record is None:
        return Action.DELETE
    if problems == {Problem.DECOMPOSED_NAME}:
        return Action.RENAME
    if Problem.KEPT_DAMAGED not in problems and kept(record) is not None:
        return Action.REBUILD
    if problems & _TEXT_IS_LOST:
        return Action.READ_AGAIN if record.origin is Origin.BUCKET else Action.HAND_IN_AGAIN
    return Action.REWRITE


def _rename(file_id: str, *, store: StoreEditing) -> None:
    """Move a file to its composed name with the vectors that it has; where both names are there the newer file stays.

    If it is killed in between, both names are there, and the next repair removes the old one.
    """
    record = store.file(file_id)
    if record is None:
        return
    there = store.file(nfc(file_id))
    is_older = there is None or there.version == HALF_COPIED or there.updated_at < record.updated_at
    # A newer attempt that failed, before anything was published under its name, has no chunks in place of the old ones.
    if is_older or (there is not None and record.generation and not there.generation):
        named = replace(record, file_id=nfc(file_id), user_id=nfc(record.user_id), project_id=nfc(record.project_id))
        named = replace(named, filename=nfc(record.filename), key=nfc(record.key))
        copy_file(record, store, store, named=named)
    store.delete(file_id, expecting=record.generation)


def _publish_anew(
    record: FileRecord, names: set[str], action: Action, *, store: StoreEditing, kept: Kept, embedder: Embedder
) -> FileRecord:
    rescued = dict(islice(_sound_vectors(store, record, names, model=embedder.model), RESCUED))
    chunks: Iterable[Chunk] | None = kept(record) if action is Action.REBUILD else None

    def known(text_sha256s: Sequence[str]) -> Mapping[str, Vector]:
        there = store.vectors_for(embedder.model, text_sha256s)
        return there | {each: rescued[each] for each in text_sha256s if each in rescued}

    sound = chunks if chunks is not None else _sound_chunks(store, record)
    return store.replace(
        _ended(record, action),
        embed(sound, embedder=embedder, known=known, window=_WINDOW),
        expecting=record.generation,
        rewrite=names,
    )


def _sound_vectors(
    store: StoreEditing, record: FileRecord, names: set[str], *, model: str
) -> Iterator[tuple[str, Vector]]:
    """Yield the text hash and vector of each damaged row whose vector is sound and belongs to its text."""
    for row in store.rows(record.file_id):
        if row.name not in names or row.model != model or row.vector is None or not row.chunk.text_is_whole:
            continue
        if fault(row.vector, dimension=record.dimension) is None:
            yield row.chunk.text_sha256, row.vector


def _sound_chunks(store: StoreEditing, record: FileRecord) -> Iterator[Chunk]:
    """Yield each chunk in force once, if its text matches its hash."""
    seen: set[str] = set()
    for row in store.rows(record.file_id):
        if row.in_force and row.chunk.chunk_id not in seen and row.chunk.text_is_whole:
            seen.add(row.chunk.chunk_id)
            yield row.chunk


def _ended(record: FileRecord, action: Action) -> FileRecord:
    """Return the record of the repaired file, or of one that waits for its text."""
    if action is Action.READ_AGAIN:
        # The bucket never gives an empty version, so the sensor finds the file changed.
        error = f"{record.key}: rows of it were damaged and its chunks are not kept here; it will be read again"
        return replace(record, state=State.FAILED, version="", fingerprint="", chunks_digest="", error=error)
    if action is Action.HAND_IN_AGAIN:
        warning = "chunks of it were damaged and are lost; its client has to hand them in again"
        return replace(record, state=State.PARTIAL, warnings=(warning,))
    return replace(record, duplicates=0) if action is Action.REBUILD else record
