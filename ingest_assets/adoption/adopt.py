"""Turn staged rows into documents of the store, one at a time, and say of each what became of it.

A document is published by one `replace`, so a search sees all of it or nothing, and an adoption that was killed is made
good by running it again: what is in the store already is recognised by the hash of its rows.

A vector is kept where the earlier system would get the same one today. Two things decide it: of each document a few
texts are embedded again and compared, and a text must fit into one window of the model, because sentence-transformers
cuts a longer text off at 256 word pieces without saying so (`clients/embedding/wordpieces.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from ingest_assets.adoption.staging import StagedChunk, StagedDocument, Staging
from ingest_assets.batches import batches
from ingest_assets.errors import BadInput
from ingest_assets.file_ids import client_file_id, key_of
from ingest_assets.ledger_records import FileRecord, Origin, State
from ingest_assets.records import Chunk
from ingest_assets.stages.chunking.summary import summary_of
from ingest_assets.stages.client_chunks import Refused
from ingest_assets.stages.embed import Embedder, embed
from ingest_assets.stages.prechunk import MEDIA_TYPE
from ingest_assets.stores.contract import Overtaken, StoreEditing

if TYPE_CHECKING:
    from ingest_assets.records import Vector

SAME_COSINE = 0.999
"""Runtimes and precisions differ by 1e-4; another model, or another text, by more than 0.01."""
CANARIES = 3
"""Texts of a document that are embedded to compare; 20 ms each on one core."""
_BATCH = 256
_NAMED = 3
"""Refused rows that a document's record names; the others are counted."""
_ADOPTED = "adopted:"


class MeasuringEmbedder(Embedder, Protocol):
    """An embedder that can tell which texts it reads at once."""

    def fits(self, texts: Sequence[str]) -> list[bool]:
        """Tell of each text whether the model reads it in one window."""
        ...


class Step(StrEnum):
    """What is done, or would be, with a document or file."""

    ADOPT = "adopt"
    REPLACE = "adopt again"
    """Its rows changed since it was adopted."""
    UNCHANGED = "unchanged"
    UPLOAD = "put into the bucket"
    """A file that the earlier system had not read yet."""
    REFUSE = "refused"


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of one document or file."""

    key: str
    step: Step
    chunks: int = 0
    kept: int = 0
    """Vectors that are taken over."""
    to_embed: int = 0
    refused_rows: int = 0
    reason: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it was refused."""
        return self.step is not Step.REFUSE and not self.refused_rows


def adopt(
    staged: Staging,
    *,
    store: StoreEditing | None,
    embedder: MeasuringEmbedder,
    apply: bool,
    now: Callable[[], str],
    passed_over: Callable[[StagedDocument], str] = lambda document: "",
) -> Iterator[Adopted]:
    """Put each staged document into the store, or, without `apply`, say what would be done.

    Without a store every document is new. `passed_over` returns why a document is not adopted, or nothing; `now`
    returns the UTC time.

    Raises:
        OutsideError: the store or the embedder is away; documents that were told before are stored.
    """
    for document in staged.documents():
        if not (reason := passed_over(document) or _problem(document)):
            yield _Adoption(document, staged, store=store, embedder=embedder).run(apply=apply, now=now())
        else:
            yield Adopted(document.key, Step.REFUSE, refused_rows=document.rows, reason=reason)


def _problem(document: StagedDocument) -> str:
    if not (document.user_id and document.project_id):
        return "its rows name no user or no project; give them with --user and --project"
    if not document.name:
        return "it has no name"
    if not document.rows:
        return "the earlier system knows the file and has no chunks of it; upload it again"
    try:
        client_file_id(document.user_id, document.project_id, document.name)
    except BadInput as error:
        return str(error)
    return ""


class _Adoption:
    """One document on its way."""

    def __init__(
        self, document: StagedDocument, staged: Staging, *, store: StoreEditing | None, embedder: MeasuringEmbedder
    ) -> None:
        self._document = document
        self._staged = staged
        self._store = store
        self._embedder = embedder
        self._file_id = client_file_id(document.user_id, document.project_id, document.name)

    def run(self, *, apply: bool, now: str) -> Adopted:
        digest, refused = self._staged.digest(self._document), self._refused_rows()
        there = self._store.file(self._file_id) if self._store is not None else None
        if (passed_over := self._passed_over(there, digest=digest, refused=refused)) is not None:
            return passed_over
        chunks = self._document.rows - len(refused)
        agrees = self._vectors_agree()
        kept = self._vectors_kept() if agrees else 0
        plan = Adopted(
            self._document.key,
            Step.ADOPT if there is None else Step.REPLACE,
            chunks=chunks,
            kept=kept,
            to_embed=chunks - kept,
            refused_rows=len(refused),
            reason=_said(refused),
        )
        if not apply or self._store is None:
            return plan
        record = self._record(digest=digest, chunks=chunks, refused=refused, now=now)
        try:
            self._publish(self._store, record, agrees=agrees, expecting=0 if there is None else there.generation)
        except (Overtaken, ValueError) as error:
            return Adopted(self._document.key, Step.REFUSE, refused_rows=self._document.rows, reason=str(error))
        return plan

    def _refused_rows(self) -> list[str]:
        """Say of each row that is no chunk why."""
        return [each.reason for each in self._staged.chunks(self._document) if isinstance(each, Refused)]

    def _passed_over(self, there: FileRecord | None, *, digest: str, refused: Sequence[str]) -> Adopted | None:
        """Say why the document is not adopted, if it is in the store already, has no chunk, or is no longer ours."""
        document, chunks = self._document, self._document.rows - len(refused)
        if there is not None and there.sha256 == digest:
            step = Step.UNCHANGED
            return Adopted(document.key, step, chunks=chunks, refused_rows=len(refused), reason=_said(refused))
        if not chunks:
            return Adopted(document.key, Step.REFUSE, refused_rows=len(refused), reason=_said(refused))
        if there is not None and there.fingerprint != f"{_ADOPTED}{there.chunks}":
            reason = (
                "the store has a document of this name that clients added chunks to; remove it first, or adopt "
                "this one into another project"
            )
            return Adopted(document.key, Step.REFUSE, refused_rows=document.rows, reason=reason)
        return None

    def _publish(self, store: StoreEditing, record: FileRecord, *, agrees: bool, expecting: int) -> None:
        offered: dict[str, Vector] = {}

        def chunks() -> Iterator[Chunk]:
            for batch in batches(self._good(), _BATCH):
                fits = self._embedder.fits([each.chunk.text for each in batch]) if agrees else [False] * len(batch)
                for each, fit in zip(batch, fits, strict=True):
                    chunk = _chunk(each, file_id=self._file_id)
                    if fit and (vector := self._vector(each)) is not None:
                        offered[chunk.text_sha256] = vector
                    yield chunk

        def known(hashes: Sequence[str]) -> Mapping[str, Vector]:
            found = {text_sha256: offered[text_sha256] for text_sha256 in hashes if text_sha256 in offered}
            rest = [text_sha256 for text_sha256 in hashes if text_sha256 not in found]
            offered.clear()  # the next window brings its own
            return {**store.vectors_for(self._embedder.model, rest), **found} if rest else found

        # The window is a batch, so that what is offered and what is asked for are the same chunks.
        embedded = embed(chunks(), embedder=self._embedder, known=known, window=_BATCH)
        store.replace(record, embedded, expecting=expecting)

    def _record(self, *, digest: str, chunks: int, refused: Sequence[str], now: str) -> FileRecord:
        document = self._document
        first = next(self._good()).chunk.text
        return FileRecord(
            file_id=self._file_id,
            user_id=document.user_id,
            project_id=document.project_id,
            filename=document.name,
            key=key_of(self._file_id),
            state=State.PARTIAL if refused else State.SUCCEEDED,
            size_bytes=sum(len(each.chunk.text.encode()) for each in self._good()),
            sha256=digest,
            media_type=MEDIA_TYPE,
            summary=document.summary or summary_of(first),
            warnings=(f"{len(refused)} rows were not adopted: {_said(refused)}",) if refused else (),
            fingerprint=f"{_ADOPTED}{chunks}",
            updated_at=now,
            origin=Origin.CLIENT,
        )

    def _vectors_agree(self) -> bool:
        """Embed a few of the document's texts, and tell whether their vectors are those of the earlier system."""
        import numpy as np

        canaries = list(islice(self._comparable(), CANARIES))
        if not canaries:
            return False
        ours = self._embedder.embed([text for text, _ in canaries])
        return all(float(np.dot(mine, theirs)) >= SAME_COSINE for mine, (_, theirs) in zip(ours, canaries, strict=True))

    def _vectors_kept(self) -> int:
        return sum(1 for _ in self._comparable())

    def _comparable(self) -> Iterator[tuple[str, Vector]]:
        """Yield text and vector of the chunks that the model reads at once and that have a vector of our length."""
        pairs = ((each.chunk.text, vector) for each in self._good() if (vector := self._vector(each)) is not None)
        for batch in batches(pairs, _BATCH):
            fits = self._embedder.fits([text for text, _ in batch])
            yield from (pair for pair, fit in zip(batch, fits, strict=True) if fit)

    def _vector(self, staged: StagedChunk) -> Vector | None:
        vector = staged.vector
        return vector if vector is not None and vector.shape[0] == self._embedder.dimension else None

    def _good(self) -> Iterator[StagedChunk]:
        return (each for each in self._staged.chunks(self._document) if isinstance(each, StagedChunk))


def _chunk(staged: StagedChunk, *, file_id: str) -> Chunk:
    item = staged.chunk
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


def _said(reasons: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(reasons))
    more = f" and {len(distinct) - _NAMED} other reasons" if len(distinct) > _NAMED else ""
    return "; ".join(distinct[:_NAMED]) + more
