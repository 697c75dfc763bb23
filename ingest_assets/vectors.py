"""Check a vector: its length, finite numbers, norm 1. Embedders' answers and stores' rows pass the same check.

A vector of another norm raises no error later: it only moves its chunk up or down in every list of results. So it is
refused before it is stored.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest_assets.records import EmbeddedChunk, Vector

NORM_TOLERANCE = 1e-3
"""float32 models give norms within 1e-6 of 1, bf16 ones within 4e-4; a vector further off was never normalised."""


class Fault(StrEnum):
    """What can be wrong with a vector."""

    WRONG_DIMENSION = "wrong dimension"
    NOT_FINITE = "not finite"
    NOT_UNIT = "not of norm 1"


def fault(vector: Vector, *, dimension: int) -> Fault | None:
    """Return what is wrong with a vector, None where it is sound."""
    import numpy as np

    if vector.ndim != 1 or vector.shape[0] != dimension:
        return Fault.WRONG_DIMENSION
    if not np.isfinite(vector).all():
        return Fault.NOT_FINITE
    norm = float(np.linalg.norm(vector.astype(np.float64)))
    return Fault.NOT_UNIT if abs(norm - 1.0) > NORM_TOLERANCE else None


def refuse_unsound(embedded: EmbeddedChunk, *, dimension: int) -> None:
    """Raise if a chunk's vector is unsound.

    Raises:
        ValueError: the vector is not finite, not of norm 1 ± 1e-3, or not of length `dimension`.
    """
    found = fault(embedded.vector, dimension=dimension)
    if found is not None or dimension == 0:
        chunk = embedded.chunk
        raise ValueError(
            f"{chunk.file_id}: the vector of chunk {chunk.index} ({chunk.chunk_id}) from {embedded.model} is "
            f"{found or Fault.WRONG_DIMENSION} (shape {embedded.vector.shape}, {dimension} wanted); "
            "correct the embedder"
        )
