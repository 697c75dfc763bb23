"""Store chunks that a client has cut, and answer each one: inserted, identical, conflict or rejected.

A chunk is identified by its document (`doc_id`) and the client's own `chunk_id`. The same chunk again changes nothing.
Another text under the same id changes nothing either, and is reported. The order of the chunks does not matter. Each
batch of a document becomes visible at once.

Clients of the chunk API give each chunk an id of its own in the whole project, which they call an entity. There, an id
that another document has is a conflict too (`add_entity_chunks`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import groupby
from typing import TypeAlias

from ingest_assets.batches import batches
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.file_ids import client_file_id, key_of
from ingest_assets.ledger_records import FileRecord, Origin, Scope, State
from ingest_assets.records import Chunk
from ingest_assets.stages.chunking.summary import summary_of
from ingest_assets.stages.client_chunks import ClientChunk, Refused
from ingest_assets.stages.embed import Embedder, embed
from ingest_assets.stores.contract import ChunkKnown, Overtaken, StoreEditing

BATCH = 256
"""Chunks in memory at once."""
WINDOW = 256
"""Texts that are embedded at once."""
MEDIA_TYPE = "application/x-ndjson"
Lookup: TypeAlias = Callable[[str, Sequence[str]], Mapping[str, Chunk]]
"""Returns the chunks in force that a chunk of this file and one of these ids may not contradict, by id."""
_TRIES = 5
"""Tries to add a batch while another client adds to the same document."""


class Status(StrEnum):
    """What became of one chunk."""

    INSERTED = "inserted"
    IDENTICAL = "identical"
    """The store has it already."""
    CONFLICT = "conflict"
    """The store has other content under its id, and keeps that."""
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one chunk. Answers come in the order of the chunks."""

    line: int
    doc_id: str
    chunk_id: str
    status: Status
    reason: str = ""


def add_chunks(
    items: Iterable[ClientChunk | Refused],
    *,
    scope: Scope,
    opened: Callable[[], tuple[StoreEditing, Embedder]],
    now: Callable[[], str],
) -> Iterator[Answer]:
    """Put chunks into the store, batch by batch, and answer each.

    `opened` returns the store and the embedder in use, which may change between batches; `now` returns the UTC time.

    Raises:
        OutsideError: the store or the embedder is away; chunks that were answered before are stored.
    """
    for batch in batches(items, BATCH):
        store, embedder = opened()
        answers: dict[int, Answer] = {}
        for item in batch:
            if isinstance(item, Refused):
                answers[item.line] = Answer(item.line, item.doc_id, item.chunk_id, Status.REJECTED, item.reason)
        chunks = sorted((item for item in batch if isinstance(item, ClientChunk)), key=lambda item: item.doc_id)
        for doc_id, group in groupby(chunks, key=lambda item: item.doc_id):
            for answer in _add_to(
                doc_id, list(group), scope=scope, store=store, embedder=embedder, now=now(), look=store.chunks_named
            ):
                answers[answer.line] = answer
        yield from (answers[item.line] for item in batch)


def add_entity_chunks(
    doc_id: str,
    items: Sequence[ClientChunk],
    *,
    scope: Scope,
    store: StoreEditing,
    embedder: Embedder,
    now: str,
    window: int = WINDOW,
) -> list[Answer]:
    """Put chunks of one document into the store at once, and answer each; `now` is the UTC time.

    The ids are unique in the scope. The caller makes sure that no other call adds to the scope meanwhile. `window`
    texts are embedded at once. A chunk that is rejected keeps the new ones out.

    Raises:
        OutsideError: the store or the embedder is away; nothing was stored.
    """

    def look(file_id: str, chunk_ids: Sequence[str]) -> Mapping[str, Chunk]:
        found = store.chunks_within(scope, chunk_ids)
        return {chunk.chunk_id: chunk for chunk in found} | {
            chunk.chunk_id: chunk for chunk in found if chunk.file_id == file_id
        }

    return _add_to(doc_id, items, scope=scope, store=store, embedder=embedder, now=now, look=look, window=window)


def _add_to(
    doc_id: str,
    items: Sequence[ClientChunk],
    *,
    scope: Scope,
    store: StoreEditing,
    embedder: Embedder,
    now: str,
    look: Lookup,
    window: int = WINDOW,
) -> list[Answer]:
    """Add chunks to one document, and answer each."""
    try:
        file_id = client_file_id(scope.user_id, scope.project_id, doc_id)
    except BadInput as error:
        return [_answer(item, Status.REJECTED, str(error)) for item in items]
    for _ in range(_TRIES):
        record = store.file(file_id)
        answers, new = _compare(items, look(file_id, [item.chunk_id for item in items]), file_id=file_id)
        if not new:
            return answers
        size = sum(len(chunk.text.encode()) for chunk in new)
        entry = _entry(record, new[0], scope=scope, doc_id=doc_id, now=now, size_bytes=size)
        try:
            known = partial(store.vectors_for, embedder.model)
            store.add(entry, embed(new, embedder=embedder, known=known, window=window))
        except (ChunkKnown, Overtaken):  # another client was faster: read the file again
            continue
        except ValueError as error:
            return [
                replace(answer, status=Status.REJECTED, reason=str(error))
                if answer.status is Status.INSERTED
                else answer
                for answer in answers
            ]
        return answers
    raise OutsideError(f"{file_id}: other clients added the same chunks {_TRIES} times meanwhile; try again")


def _compare(
    items: Sequence[ClientChunk], there: Mapping[str, Chunk], *, file_id: str
) -> tuple[list[Answer], list[Chunk]]:
    """Answer each chunk, and collect the new ones."""
    answers, new = [], []
    there = dict(there)
    for item in items:
        chunk, old = _chunk(item, file_id=file_id), there.get(item.chunk_id)
        if old is None:
            there[item.chunk_id] = chunk
            new.append(chunk)
            answers.append(_answer(item, Status.INSERTED))
        elif old.file_id != file_id:
            reason = f"{key_of(old.file_id)} has a chunk of this id, which was kept"
            answers.append(_answer(item, Status.CONFLICT, reason))
        elif _content(old) == _content(chunk):
            answers.append(_answer(item, Status.IDENTICAL))
        else:
            answers.append(_answer(item, Status.CONFLICT, "the id is there with other content, which was kept"))
    return answers, new


def _chunk(item: ClientChunk, *, file_id: str) -> Chunk:
    return Chunk(
        chunk_id=item.chunk_id,
        file_id=file_id,
        index=item.index,
        text=item.text,
        text_sha256=hashlib.sha256(item.text.encode()).hexdigest(),
        start=0,
        end=len(item.text),
        pages=item.pages,
        section=item.section,
        words=len(item.text.split()),
        metadata=item.metadata,
    )


def _content(chunk: Chunk) -> tuple[object, ...]:
    return chunk.text_sha256, chunk.index, chunk.pages, chunk.section, dict(chunk.metadata)


def _entry(
    record: FileRecord | None, first: Chunk, *, scope: Scope, doc_id: str, now: str, size_bytes: int
) -> FileRecord:
    if record is not None:
        grown = record.size_bytes + size_bytes
        return replace(record, state=State.SUCCEEDED, size_bytes=grown, updated_at=now, warnings=())
    return FileRecord(
        file_id=first.file_id,
        user_id=scope.user_id,
        project_id=scope.project_id,
        filename=doc_id,
        key=key_of(first.file_id),
        state=State.SUCCEEDED,
        size_bytes=size_bytes,
        media_type=MEDIA_TYPE,
        summary=summary_of(first.text),
        updated_at=now,
        origin=Origin.CLIENT,
    )


def _answer(item: ClientChunk, status: Status, reason: str = "") -> Answer:
    return Answer(item.line, item.doc_id, item.chunk_id, status, reason)
