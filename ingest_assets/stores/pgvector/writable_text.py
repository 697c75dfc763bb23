"""Refuse texts that PostgreSQL cannot hold.

Its type `text` accepts every character except NUL and halves of surrogate pairs. The parsers leave both out; chunks
that clients hand in may contain them. A record's free texts (`summary`, `error`) are JSON, which holds everything.
"""

from __future__ import annotations

from ingest_assets.ledger_records import FileRecord
from ingest_assets.records import Chunk, texts_in


def refuse_unwritable(item: FileRecord | Chunk) -> None:
    """Refuse a record or chunk with a text that cannot become a column.

    Raises:
        ValueError: it holds NUL or half a surrogate pair.
    """
    texts = _of_record(item) if isinstance(item, FileRecord) else _of_chunk(item)
    joined = "".join(texts.values())
    if "\x00" not in joined and joined.isascii():
        return
    for name, text in texts.items():
        if "\x00" in text:
            raise ValueError(
                f"{item.file_id!r}: {name} holds a NUL character, which PostgreSQL cannot keep; take it out"
            )
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{item.file_id!r}: {name} holds half a surrogate pair; no store can write it") from error


def _of_record(record: FileRecord) -> dict[str, str]:
    names = ("file_id", "user_id", "project_id", "filename", "key", "media_type")
    return {name: getattr(record, name) for name in names}


def _of_chunk(chunk: Chunk) -> dict[str, str]:
    where = f"of chunk {chunk.index} ({chunk.chunk_id!r})"
    texts = {"id": chunk.chunk_id, "text": chunk.text, "hash": chunk.text_sha256, "prefix": chunk.prefix}
    # The column of a client's fields would hold an escaped NUL, but PostgreSQL cannot compare it.
    texts |= {"section": "".join(chunk.section), "metadata": "".join(texts_in(chunk.metadata))}
    return {f"{name} {where}": text for name, text in texts.items()}
