"""Find everything about which ledger, kept chunks and store disagree; change nothing.

Files are examined one after another: the record, the rows, and the chunks that were made of the file (`Kept`). So
memory is bounded by the chunk ids of one file. A file that is published meanwhile is examined again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from ingest_assets.errors import OutsideError
from ingest_assets.file_ids import nfc
from ingest_assets.ledger_records import FileRecord, Origin, StoredChunk
from ingest_assets.records import Chunk
from ingest_assets.stores.contract import StoreReading
from ingest_assets.vectors import Fault, fault

OWNERS = 100_000
"""File ids in memory at once: 10 MB. Chroma reads the names of all rows for each such page."""
_LOOKS = 5
"""Give up after five tries: a file that is published that often while it is examined will not settle."""

Kept: TypeAlias = Callable[[FileRecord], Iterable[Chunk] | None]
"""Returns the chunks that a record was published from; None if they are not kept."""


class Problem(StrEnum):
    """A way in which ledger, artifacts and rows can disagree."""

    ORPHANED = "rows of a file that the ledger does not know"
    NO_CHUNKS = "a record without chunks"
    MISCOUNTED = "a record that counts other chunks than are there"
    MISSING = "a chunk without a row"
    UNEXPECTED = "a row that is no chunk of its document"
    DIFFERENT = "a row that differs from its chunk"
    DUPLICATE = "a chunk with two rows"
    STALE = "a row of no generation in force"
    WRONG_HASH = "a text that differs from its hash"
    WRONG_OWNER = "a row whose owner, name, source or type is not its record's"
    WRONG_MODEL = "a vector of another model than the record's"
    NO_VECTOR = "a row without a vector"
    WRONG_DIMENSION = "a vector of the wrong dimension"
    NOT_FINITE = "a vector with NaN or infinity"
    NOT_UNIT = "a vector not of norm 1"
    KEPT_DAMAGED = "kept chunks that cannot be read"
    DECOMPOSED_NAME = "a file under a name whose letters are not composed (Unicode NFC)"


_BEING_WRITTEN = {Problem.STALE, Problem.ORPHANED}
"""Problems that rows seem to have while a publication has written them and not yet put them in force."""
_OF_VECTORS = {
    Fault.WRONG_DIMENSION: Problem.WRONG_DIMENSION,
    Fault.NOT_FINITE: Problem.NOT_FINITE,
    Fault.NOT_UNIT: Problem.NOT_UNIT,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement."""

    problem: Problem
    file_id: str
    row: str = ""
    """Name of the row in the store; empty if the finding is about the file or about a missing row."""
    chunk_id: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """The findings about one file."""

    file_id: str
    record: FileRecord | None
    rows: int
    """Rows in force."""
    findings: tuple[Finding, ...] = field(default=())


def validate(
    store: StoreReading, *, kept: Kept, model: str = "", busy: Collection[str] = (), page: int = OWNERS
) -> Iterator[Examined]:
    """Examine every file that the ledger or a row names, in order.

    `model` is the one in use, if every file should have its vectors. Files in `busy` are being published: their rows
    that are not in force yet are no finding.

    Raises:
        OutsideError: a file changed each time that it was examined.
    """
    for file_id in owners_of(store, page=page):
        examined = examine(store, file_id, kept=kept, model=model)
        if file_id in busy:
            settled = tuple(each for each in examined.findings if each.problem not in _BEING_WRITTEN)
            examined = replace(examined, findings=settled)
        yield examined


def count_problems(found: Iterable[Examined]) -> tuple[int, int, Counter[str]]:
    """Count files, rows in force and problems by name."""
    files = rows = 0
    counts: Counter[str] = Counter()
    for examined in found:
        files, rows = files + 1, rows + examined.rows
        counts.update(finding.problem.value for finding in examined.findings)
    return files, rows, counts


def owners_of(store: StoreReading, *, page: int = OWNERS) -> Iterator[str]:
    """Yield every file_id that the ledger or a row names, in order."""
    after = ""
    while owners := store.owners(after=after, limit=page):
        yield from owners
        after = owners[-1]


def examine(store: StoreReading, file_id: str, *, kept: Kept, model: str = "") -> Examined:
    """Examine one file, as it stands at one moment."""
    for _ in range(_LOOKS):
        record = store.file(file_id)
        examined = _examine(file_id, record, store.rows(file_id), kept=kept)
        if record is not None and model and record.chunks and record.model != model:
            other = Finding(Problem.WRONG_MODEL, file_id, detail=f"all of {record.model}, not of {model}")
            examined = replace(examined, findings=(*examined.findings, other))
        now = store.file(file_id)
        if (record and record.generation) == (now and now.generation):
            return examined
    raise OutsideError(f"{file_id}: it was published {_LOOKS} times while it was examined; try again")


def _examine(file_id: str, record: FileRecord | None, rows: Iterable[StoredChunk], *, kept: Kept) -> Examined:
    findings: list[Finding] = []
    current: dict[str, str] = {}
    count = 0
    for row in rows:
        count += row.in_force
        findings += _of_row(row, record, first=current.get(row.chunk.chunk_id))
        if row.in_force:
            current.setdefault(row.chunk.chunk_id, row.name + "\n" + content_of(row.chunk))
    if record is not None:
        if file_id != nfc(file_id):
            findings.append(Finding(Problem.DECOMPOSED_NAME, file_id))
        findings += _of_record(record, rows=count)
        try:
            findings += _of_chunks(record, kept(record), current)
        except OutsideError as error:
            findings.append(Finding(Problem.KEPT_DAMAGED, file_id, detail=str(error)))
    return Examined(file_id=file_id, record=record, rows=count, findings=tuple(findings))


def _of_row(row: StoredChunk, record: FileRecord | None, *, first: str | None) -> Iterator[Finding]:
    chunk = row.chunk
    if record is None:
        yield Finding(Problem.ORPHANED, chunk.file_id, row.name, chunk.chunk_id)
        return
    if not row.in_force:
        yield Finding(Problem.STALE, chunk.file_id, row.name, chunk.chunk_id, f"generation {row.generation}")
        return
    if first is not None:
        yield Finding(Problem.DUPLICATE, chunk.file_id, row.name, chunk.chunk_id, f"as {first.partition(chr(10))[0]}")
    for problem, detail in faults_of(row, record):
        yield Finding(problem, chunk.file_id, row.name, chunk.chunk_id, detail)


def faults_of(row: StoredChunk, record: FileRecord) -> Iterator[tuple[Problem, str]]:
    """Yield what is wrong with one row in force, alone and compared with its file's record."""
    if not row.chunk.text_is_whole:
        yield Problem.WRONG_HASH, ""
    for name, there, wanted in (
        ("user", row.user_id, record.user_id),
        ("project", row.project_id, record.project_id),
        ("filename", row.filename, record.filename),
        ("source", row.source, record.key),
        ("media type", row.media_type, record.media_type),
    ):
        if there != wanted:
            yield Problem.WRONG_OWNER, f"{name} {there!r}, not {wanted!r}"
    if row.model != record.model:
        yield Problem.WRONG_MODEL, f"{row.model}, not {record.model}"
    if row.vector is None:
        yield Problem.NO_VECTOR, ""
    elif row.dimension != row.vector.size:
        yield Problem.WRONG_DIMENSION, f"the row says {row.dimension}, its vector has {row.vector.size}"
    elif found := fault(row.vector, dimension=record.dimension):
        yield _OF_VECTORS[found], ""


def _of_record(record: FileRecord, *, rows: int) -> Iterator[Finding]:
    if record.chunks and not rows:
        yield Finding(Problem.NO_CHUNKS, record.file_id, detail=f"{record.chunks} in the record")
    elif record.chunks != rows:
        yield Finding(Problem.MISCOUNTED, record.file_id, detail=f"{record.chunks} in the record, {rows} rows in force")


def _of_chunks(record: FileRecord, chunks: Iterable[Chunk] | None, current: dict[str, str]) -> Iterator[Finding]:
    """Compare the rows in force with the chunks that were published."""
    if chunks is None or record.origin is Origin.CLIENT:
        return
    missing, texts = [], set[str]()
    for chunk in chunks:
        name, _, content = current.pop(chunk.chunk_id, "").partition("\n")
        if not name:
            missing.append(chunk)
            continue
        texts.add(chunk.text_sha256)
        if content != content_of(chunk):
            yield Finding(Problem.DIFFERENT, record.file_id, name, chunk.chunk_id, f"chunk {chunk.index}")
    yield from _missing(record, missing, texts)
    for chunk_id, there in current.items():
        yield Finding(Problem.UNEXPECTED, record.file_id, there.partition("\n")[0], chunk_id)


def _missing(record: FileRecord, missing: Sequence[Chunk], texts: Collection[str]) -> Iterator[Finding]:
    """Name the chunks without a row that were not removed as duplicates of texts in this file or in another."""
    repeated = min(record.duplicates, sum(chunk.text_sha256 in texts for chunk in missing))
    lacking = [chunk for chunk in missing if not repeated or chunk.text_sha256 not in texts]
    if len(lacking) > record.duplicates - repeated:
        for chunk in lacking:
            yield Finding(Problem.MISSING, record.file_id, chunk_id=chunk.chunk_id, detail=f"chunk {chunk.index}")


def content_of(chunk: Chunk) -> str:
    """Hash everything in a chunk except its id, so that thousands can be compared without holding their texts."""
    whole = (
        chunk.text,
        chunk.text_sha256,
        chunk.index,
        chunk.start,
        chunk.end,
        chunk.prefix,
        chunk.pages,
        chunk.section,
        dict(chunk.metadata),
    )
    return hashlib.sha256(repr(whole).encode("utf-8", "surrogatepass")).hexdigest()[:32]
