"""Find text, vector, pages, place and owner in a row by the usual names of these fields.

The replaced systems document few of their fields. Each name below is used by one of them, by LlamaIndex, by LangChain
or by an example of Chroma; the first that a row has is taken. `FieldNames.used` tells which ones were, so that a person
can compare them with the rows before anything is written.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ingest_assets.adoption.found import FoundFile, FoundRow

if TYPE_CHECKING:
    from ingest_assets.records import Vector

_NAMES: Mapping[str, tuple[str, ...]] = {
    "user": ("user_id", "userId", "user", "user_name", "owner_id"),
    "project": ("project_id", "projectId", "project", "entity_id"),
    "name": (
        *("filename", "file_name", "original_filename", "source_file", "file", "file_path", "filepath", "path"),
        *("source", "doc_id", "document_id", "ref_doc_id", "source_id", "table_or_collection", "table", "collection"),
    ),
    "chunk_id": ("chunk_id", "card_id", "node_id", "id", "_id"),
    "text": ("text", "content", "page_content", "chunk_text", "chunk", "document", "body", "markdown"),
    "vector": ("embedding", "vector", "embeddings", "embedding_vector"),
    "index": ("chunk_index", "chunk_order_index", "index", "chunk_number", "order", "position", "sequence"),
    "pages": ("pages", "page_span", "page_numbers", "page_number", "page", "page_label"),
    "section": ("section", "sections", "header_path", "headings", "heading", "topic_name"),
    "summary": ("summary", "file_summary", "description"),
}
_OF_THE_LIBRARY = frozenset({"_node_content", "_node_type", "_collection_name", "chroma:document"})
"""Fields that a library writes for itself; LlamaIndex repeats the whole row in `_node_content`."""
_MOST_PAGES = 10_000
_EDGES = re.compile(r"^[A-Za-z]:[\\/]|[\\/]+")


class FieldNames:
    """Reads rows, and remembers which names it found their fields under."""

    def __init__(self) -> None:
        self._used: Counter[tuple[str, str]] = Counter()

    @property
    def used(self) -> tuple[str, ...]:
        """Say what was read from which field, and in how many rows."""
        return tuple(f"{role}: {name} ({rows} rows)" for (role, name), rows in sorted(self._used.items()))

    def row(self, fields: Mapping[str, Any], *, name: str, chunk_id: str = "") -> FoundRow:
        """Read a row; `name` and `chunk_id` stand in where it has none."""
        left = _flat(fields)
        vector = self._take(left, "vector")
        read = {role: self._take(left, role) for role in ("text", "user", "project", "chunk_id", "index", "pages")}
        found_name, section = self._take(left, "name"), self._take(left, "section")
        return FoundRow(
            user_id=_text(read["user"]),
            project_id=_text(read["project"]),
            name=document_name(_text(found_name)) or name,
            chunk_id=_text(read["chunk_id"]) or chunk_id,
            text=read["text"] if isinstance(read["text"], str) else "",
            index=_whole(read["index"]),
            pages=pages_of(read["pages"]),
            section=tuple(_text(each) for each in section) if isinstance(section, list) else _some(_text(section)),
            vector=vector_of(vector),
            metadata={key: plain_json(value) for key, value in left.items() if key not in _OF_THE_LIBRARY},
        )

    def file(self, fields: Mapping[str, Any]) -> FoundFile:
        """Read what a system says of a file."""
        left = _flat(fields)
        user, project, name, summary = (self._take(left, role) for role in ("user", "project", "name", "summary"))
        return FoundFile(_text(user), _text(project), document_name(_text(name)), _text(summary))

    def _take(self, fields: dict[str, Any], role: str) -> Any:
        """Take the first of a role's fields that holds something out of a row."""
        for name in _NAMES[role]:
            if fields.get(name) is not None and not (isinstance(fields[name], str) and not fields[name]):
                self._used[role, name] += 1
                return fields.pop(name)
        return None


def document_name(source: str) -> str:
    """Make a document's name of a file name or path: without its root, drive and empty or dotted folders."""
    return "/".join(part for part in _EDGES.sub("/", source).split("/") if part not in {"", ".", ".."})


def pages_of(value: Any) -> tuple[int, ...]:
    """Read pages from a number, a list, a range such as [3, 5] or "3-5", or a map with `start` and `end`."""
    if isinstance(value, Mapping):
        value = [value.get("start"), value.get("end")]
    if isinstance(value, str):
        found = [int(number) for number in re.findall(r"[0-9]{1,7}", value)]
        value = found if re.fullmatch(r"[\[( ]*[0-9]+([-–, ]+[0-9]+)*[\]) ]*", value) else []
    numbers = [_whole(each) for each in value] if isinstance(value, Iterable) else [_whole(value)]
    pages = sorted({number for number in numbers if number is not None and number >= 1})
    if len(numbers) == 2 and len(pages) == 2 and pages[1] - pages[0] < _MOST_PAGES:  # [first, last]
        return tuple(range(pages[0], pages[1] + 1))
    return tuple(pages[:_MOST_PAGES])


def vector_of(value: Any) -> Vector | None:
    """Read a vector from an array, a list or text in brackets, as float32 of norm 1; None where there is none."""
    import numpy as np

    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if value is None or isinstance(value, bytes | Mapping):
        return None
    try:
        vector = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    norm = float(np.linalg.norm(vector)) if vector.ndim == 1 and vector.size else 0.0
    return (vector / norm).astype(np.float32) if np.isfinite(norm) and norm > 0 else None


def plain_json(value: Any) -> Any:
    """Turn a value of a database into one that JSON has: dates and ids become texts, numbers that are none, null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, Mapping):
        return {str(key): plain_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain_json(each) for each in value]
    if hasattr(value, "tolist"):
        return plain_json(value.tolist())
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Lift the fields of `metadata` beside the others, which win."""
    nested = [fields[name] for name in ("metadata", "metadata_") if isinstance(fields.get(name), Mapping)]
    inside: Mapping[str, Any] = nested[0] if nested else {}
    return {**inside, **{name: value for name, value in fields.items() if value is not inside}}


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _some(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _whole(value: Any) -> int | None:
    """Read a whole number that a store can keep."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > 2**31 - 1:
        return None
    return int(value) if value >= 0 and int(value) == value else None
