"""Name the tables of one space, and write statements about them.

Names are quoted by psycopg and values are sent as parameters; no statement is put together from text here.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingest_assets.errors import ConfigError
from ingest_assets.vectors import NORM_TOLERANCE

if TYPE_CHECKING:
    from psycopg.sql import Composed

    from ingest_assets.records import Vector

_SPACE = re.compile(r"[a-z0-9_]{0,40}")
"""PostgreSQL cuts names at 63 bytes; our longest prefix has 17."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}")

_LONGEST = {"vector": 2000, "halfvec": 4000}
"""Dimensions that an HNSW index takes (pgvector 0.8)."""


_CHUNK = (
    'c.chunk_id, c.file_id, c."index", c.text, c.text_sha256, c."start", c."end", c.prefix, c.pages, c.section,'
    " c.words, c.metadata, c.filename, c.media_type"
)
"""Columns of an answer, of rows named `c`; the vector is not fetched."""

_IN_FORCE = "(f.file_id IS NOT NULL AND c.generation <= f.generation)"
"""Condition on rows `c` and records `f`. Rows without a record, or newer than it, were not written by this project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables of one space, and the type of their vectors."""

    schema: str
    space: str
    dimension: int
    halfvec: bool

    def __post_init__(self) -> None:
        if not _SPACE.fullmatch(self.space):
            raise ConfigError(f"a space is named by up to 40 of a-z, 0-9 and _, not {self.space!r}")
        if not _NAME.fullmatch(self.schema):
            raise ConfigError(f"a schema is named by up to 63 letters, digits and _, not {self.schema!r}")
        if not 1 <= self.dimension <= _LONGEST[self.kind]:
            more = "" if self.halfvec else f"; halfvec takes up to {_LONGEST['halfvec']}"
            raise ConfigError(
                f"PostgreSQL indexes vectors of 1 to {_LONGEST[self.kind]} numbers as {self.kind}, "
                f"not of {self.dimension}{more}"
            )

    @property
    def kind(self) -> str:
        """The type of the vectors."""
        return "halfvec" if self.halfvec else "vector"

    @property
    def column(self) -> str:
        """The type of the vectors' column, as the catalogue writes it."""
        return f"{self.kind}({self.dimension})"

    @property
    def _sound(self) -> str:
        # A column of pgvector accepts neither NaN nor another length; only the norm can be wrong.
        norm = "l2_norm" if self.halfvec else "vector_norm"
        return f"coalesce(abs({norm}(embedding) - 1) <= {NORM_TOLERANCE}, false)"

    def named(self, name: str) -> str:
        """Return the name of a table or an index in this space."""
        return f"{name}_{self.space}" if self.space else name

    def sql(self, text: str, **more: Any) -> Composed:
        """Return a statement with `{chunks}` and the like as names of this space."""
        from psycopg.sql import SQL, Identifier

        names = {name: Identifier(self.schema, self.named(name)) for name in _IN_SPACE}
        names |= {name: Identifier(self.schema, name) for name in _IN_PLACE}
        names |= {f"new_{name}": Identifier(self.named(name)) for name in _MADE_BESIDE_THEIR_TABLE}
        pieces = {
            "kind": self.kind,
            "column": self.column,
            "sound": self._sound,
            "chunk": _CHUNK,
            "in_force": _IN_FORCE,
        }
        message = {name: SQL(piece) for name, piece in pieces.items()}
        return SQL(text).format(schema=Identifier(self.schema), **names, **message, **more)

    def sent(self, vector: Vector) -> Any:
        """Return a vector in the form that the server accepts."""
        import pgvector

        return pgvector.HalfVector(vector) if self.halfvec else pgvector.Vector(vector)

    def lock_key(self, file_id: str) -> int:
        """Return the key of a file of this space among the server's advisory locks."""
        return lock_key(self.schema, self.named("chunks"), file_id)


_IN_SPACE = ("chunks", "files", "ix_vector_chunks")
_IN_PLACE = ("ingest_migrations", "ingest_space", "ingest_owner")
_MADE_BESIDE_THEIR_TABLE = (
    "pk_chunks",
    "pk_files",
    "ix_scope_chunks",
    "ix_text_chunks",
    "ix_id_chunks",
    "ix_vector_chunks",
    "ix_scope_files",
)
"""An index is in its table's schema; PostgreSQL allows no schema in the name of one that is being made."""


def lock_key(*words: str) -> int:
    """Return 64 bits for some words; two files that share a key only wait for each other."""
    digest = hashlib.sha256("\n".join(words).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
