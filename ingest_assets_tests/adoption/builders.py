"""Build an earlier system's rows, and an embedder that gives the same vector for the same text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ingest_assets.adoption.adopt import Adopted, adopt
from ingest_assets.adoption.found import FoundFile, FoundRow
from ingest_assets.adoption.staging import Staging, staging
from ingest_assets.stores.contract import StoreEditing
from ingest_assets_tests.stores.builders import DIMENSION, MODEL, Vector, vector_of

LONG = "a text that no window of the model holds"


@dataclass
class CountingEmbedder:
    """Embeds as the builders of the stores' tests do, and remembers what it was asked."""

    model: str = MODEL
    dimension: int = DIMENSION

    def __post_init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vector:
        self.asked += texts
        return np.stack([vector_of(text) for text in texts])

    def fits(self, texts: Sequence[str]) -> list[bool]:
        return [not text.startswith(LONG) for text in texts]


def row(
    text: str, *, name: str = "tides.pdf", user: str = "ann", vector: Vector | None = None, **more: Any
) -> FoundRow:
    fields: dict[str, Any] = {"chunk_id": "", "project_id": "p"} | more
    return FoundRow(user_id=user, name=name, text=text, vector=vector, **fields)


def rows(name: str, texts: Iterable[str]) -> Iterator[FoundRow]:
    """Yield a document's rows with the vectors that the embedder gives."""
    for index, text in enumerate(texts):
        yield row(text, name=name, index=index, chunk_id=f"{name} {index}", vector=vector_of(text))


@contextmanager
def staged(folder: Path, *found: FoundRow | FoundFile) -> Iterator[Staging]:
    with staging(folder / "adoption") as gathered:
        gathered.add(found)
        yield gathered


def adopted(
    folder: Path, *found: FoundRow | FoundFile, store: StoreEditing, embedder: CountingEmbedder, apply: bool = True
) -> list[Adopted]:
    with staged(folder, *found) as gathered:
        return list(
            adopt(gathered, store=store, embedder=embedder, apply=apply, now=lambda: "2026-11-30T00:00:00+00:00")
        )
