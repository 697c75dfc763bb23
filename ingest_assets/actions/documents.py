"""Open a document as it was read, from what its run has kept, and write it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import chain

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import FileRecord, Origin
from ingest_assets.project import Project
from ingest_assets.records import Caption, Chunk, Part
from ingest_assets.stages.retrieval.export import json_of, json_of_chunks, markdown_of, markdown_of_chunks

_PAGE = 500


class Form(StrEnum):
    """How a document is written."""

    MARKDOWN = "markdown"
    JSON = "json"


def exported(project: Project, record: FileRecord, *, form: Form) -> Iterator[bytes]:
    """Yield a document as it was read, piece by piece; of chunks that a client handed in, the chunks.

    Raises:
        OutsideError: the file was not read yet, or what was kept of it is damaged. That is known before the first piece
            where nothing is kept.
    """
    if record.origin is Origin.CLIENT:
        handed_in = all_chunks(project, record.file_id)
        return json_of_chunks(record, handed_in) if form is Form.JSON else _encoded(markdown_of_chunks(handed_in))
    parts = project.artifacts.read("parsed_documents", record.file_id, Part).untouched()
    captions = captions_of(project, record.file_id)
    pieces = json_of(record, parts, captions=captions) if form is Form.JSON else None
    return _begun(pieces if pieces is not None else _encoded(markdown_of(parts, captions=captions)))


def captions_of(project: Project, file_id: str) -> dict[str, Caption]:
    """Return what each picture of a file shows, by the picture's sha256; none where no picture was captioned yet.

    Raises:
        OutsideError: what was kept is damaged.
    """
    if project.artifacts.manifest("image_captions", file_id) is None:
        return {}
    rows = project.artifacts.read("image_captions", file_id, Caption).untouched()
    return {row.picture: row for row in rows}


def all_chunks(project: Project, file_id: str) -> Iterator[Chunk]:
    """Yield a file's chunks in force, in document order; some hundreds are in memory at a time."""
    return _pages(lambda offset: project.store.chunks(file_id, limit=_PAGE, offset=offset))


def _pages(page: Callable[[int], list[Chunk]]) -> Iterator[Chunk]:
    offset = 0
    while found := page(offset):
        yield from found
        offset += len(found)


def _encoded(texts: Iterable[str]) -> Iterator[bytes]:
    return (text.encode("utf-8", "replace") for text in texts)


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Read the first piece now, so that damage at the beginning is an error and not half an answer."""
    try:
        first = next(pieces)
    except StopIteration as error:
        raise OutsideError("the document has no beginning") from error
    return chain([first], pieces)
