"""Compare all rows of a small scope with a vector, from one file that holds them as they are in force.

Chroma's index knows no scopes: to find ten rows of one scope among 200 it walks most of the graph, 134 ms at 100,000
rows (`benchmarks/stores/README.md`). The 500 rows of the scope are compared one by one in a millisecond.

The file: eight bytes with the length of the head, the head as JSON, the vectors, then each row as JSON. A search reads
the vectors and, of the rows, those that it returns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import IO, TYPE_CHECKING

import msgspec

from ingest_assets.ledger_records import Filter, Hit
from ingest_assets.stores.rows import Row, hit_of, lets_through

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ingest_assets.records import Vector

_DOUBT = 1e-4
"""Cosines in float32 that are so near to the last one that counts are computed again in float64."""
_HEAD_BYTES = 8


class _Head(msgspec.Struct, frozen=True):
    written_for: str
    """The store that the rows are of."""
    is_whole: bool
    """Whether the rows are here; a scope of too many rows has a file without them."""
    dimension: int
    lengths: list[int]
    """Bytes of each row."""
    publications: dict[str, str]
    """The publication in force of each file, by file_id."""


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """A row in force, with its unit vector."""

    row: Row
    vector: Vector


def compared(row: Row, vector: Vector) -> ComparedRow | None:
    """Return a row with its vector made one of length 1; None if that is zero or not finite, so near to nothing."""
    import numpy as np

    length = float(np.linalg.norm(vector.astype(np.float64)))
    return ComparedRow(row, (vector / length).astype(np.float32)) if np.isfinite(length) and length else None


def encoded(rows: Sequence[ComparedRow], publications: Mapping[str, str], *, written_for: str) -> bytes:
    """Return the content of the file of a scope: its rows, and the publications in force of its files."""
    import numpy as np

    texts = [msgspec.json.encode(each.row) for each in rows]
    head = _Head(
        written_for=written_for,
        is_whole=True,
        dimension=rows[0].vector.size if rows else 0,
        lengths=[len(text) for text in texts],
        publications=dict(publications),
    )
    matrix = np.array([each.vector for each in rows], dtype=np.float32)
    return _joined(head, matrix.tobytes(), *texts)


def not_compared(*, written_for: str) -> bytes:
    """Return the content of the file of a scope that is left to the index."""
    return _joined(_Head(written_for=written_for, is_whole=False, dimension=0, lengths=[], publications={}))


def _joined(head: _Head, *parts: bytes) -> bytes:
    encoded_head = msgspec.json.encode(head)
    return b"".join([len(encoded_head).to_bytes(_HEAD_BYTES, "big"), encoded_head, *parts])


class ScopeRows:
    """The rows of one scope, of the moment when the file was opened; it is to be closed."""

    def __init__(self, file: IO[bytes]) -> None:
        """Take the open file.

        Raises:
            ValueError: it is not such a file.
        """
        self._file = file
        length = int.from_bytes(file.read(_HEAD_BYTES), "big")
        self._head = msgspec.json.decode(file.read(length), type=_Head)
        self._vectors_at = _HEAD_BYTES + length

    @classmethod
    def of(cls, content: bytes) -> ScopeRows:
        """Read a file's content that is in memory."""
        return cls(BytesIO(content))

    @property
    def written_for(self) -> str:
        """The store that the rows are of."""
        return self._head.written_for

    @property
    def publications(self) -> dict[str, str]:
        """The publication in force of each file that the rows are of."""
        return self._head.publications

    def can_compare(self, vector: Vector) -> bool:
        """Tell whether the scope's rows are here and vectors of them as long as this one."""
        return self._head.is_whole and self._head.dimension in {0, vector.size}

    def nearest(self, vector: Vector, *, k: int, filters: Filter) -> list[Hit]:
        """Return the k nearest rows that the filter lets through, best first; equal ones by file and place."""
        import numpy as np

        count = len(self._head.lengths)
        if not count:
            return []
        matrix = self._matrix()
        rows: dict[int, Row] = {}
        allowed = np.arange(count)
        if not filters.is_empty:
            rows = {place: row for place, row in enumerate(self._rows(range(count))) if lets_through(filters, row)}
            allowed = np.fromiter(rows, dtype=np.intp)
        places, scores = _best(matrix, allowed, vector.astype(np.float64), k=k)
        if filters.is_empty:
            rows = dict(zip(places, self._rows(places), strict=True))
        hits = [hit_of(rows[place], score=score) for place, score in zip(places, scores, strict=True)]
        return sorted(hits, key=lambda hit: (-hit.score, hit.chunk.file_id, hit.chunk.index))[:k]

    def of_publications(self, publications: Mapping[str, str]) -> list[ComparedRow]:
        """Return the rows of those files that still have the publication in force that is read here."""
        same = {file_id for file_id, token in self._head.publications.items() if publications.get(file_id, "") == token}
        if not same:
            return []
        rows = zip(self._rows(range(len(self._head.lengths))), self._matrix(), strict=True)
        return [ComparedRow(row, vector) for row, vector in rows if row["file_id"] in same]

    def has(self, file_id: str, publication: str) -> bool:
        """Tell whether a file's rows of this publication are here."""
        return self._head.publications.get(file_id) == publication

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _matrix(self) -> npt.NDArray[np.float32]:
        import numpy as np

        count, dimension = len(self._head.lengths), self._head.dimension
        self._file.seek(self._vectors_at)
        return np.frombuffer(self._file.read(4 * count * dimension), dtype=np.float32).reshape(count, dimension)

    def _rows(self, places: Sequence[int]) -> list[Row]:
        """Read the rows at these places."""
        first = self._vectors_at + 4 * len(self._head.lengths) * self._head.dimension
        starts = [first]
        for length in self._head.lengths:
            starts.append(starts[-1] + length)
        found: list[Row] = []
        for place in places:
            self._file.seek(starts[place])
            found.append(msgspec.json.decode(self._file.read(self._head.lengths[place])))
        return found


def _best(
    matrix: npt.NDArray[np.float32], allowed: npt.NDArray[np.intp], query: npt.NDArray[np.float64], *, k: int
) -> tuple[list[int], list[float]]:
    """Return places and cosines of the k nearest of the allowed rows, and of all that are as near as the last of them.

    Equal vectors get equal cosines at every place: what counts is summed row by row, which BLAS does not promise.
    """
    import numpy as np

    query = query / np.linalg.norm(query)
    near = allowed
    if allowed.size > k:
        rough = (matrix @ query.astype(np.float32))[allowed]
        near = allowed[rough >= np.partition(rough, allowed.size - k)[allowed.size - k] - _DOUBT]
    exact = np.clip((matrix[near].astype(np.float64) * query).sum(axis=1), -1.0, 1.0)
    if near.size > k:
        best = exact >= np.partition(exact, near.size - k)[near.size - k]
        near, exact = near[best], exact[best]
    return near.tolist(), exact.tolist()
