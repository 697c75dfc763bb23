"""Give each chunk its vector; texts whose vector the store already has are not embedded again.

A vector is looked up by its model and the hash of its text. So after an edit only the edited chunks are embedded, and a
text that occurs twice in a window is embedded once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from ingest_assets.errors import OutsideError
from ingest_assets.records import Chunk, EmbeddedChunk
from ingest_assets.vectors import fault

if TYPE_CHECKING:
    from ingest_assets.records import Vector


CHUNKS_PER_PART = 16
"""Chunks in memory at once for each part of a window: a dense page has two or three, a block of rows three or four."""


class Embedder(Protocol):
    """A model that turns texts into vectors. Documents and questions go through the same one."""

    @property
    def model(self) -> str:
        """Name everything that vectors must share to be comparable: model, weights, how long texts are handled."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> Vector:
        """Return one float32 row of L2 norm 1 per text, in the same order; each text is read to its end.

        Raises:
            OutsideError: the model cannot answer now.
            ConfigError: there is no such model.
        """
        ...


def embed(
    chunks: Iterable[Chunk],
    *,
    embedder: Embedder,
    known: Callable[[Sequence[str]], Mapping[str, Vector]],
    window: int = 256,
) -> Iterator[EmbeddedChunk]:
    """Give each chunk its vector, in the same order.

    Vectors are float32 of length `embedder.dimension`, L2 norm 1 ± 1e-3, so dot product is cosine. `known` returns
    the vectors that the store has for this model already, by `text_sha256`; `window` chunks are held at a time.

    Raises:
        OutsideError: the model answered with another count, another length, NaN or another norm.
    """
    rest = iter(chunks)
    while held := list(islice(rest, window)):
        answer = known([chunk.text_sha256 for chunk in held])
        # A damaged vector in the store is computed again, so that it is not copied and does not fail every later run.
        found = {
            text_sha256: vector
            for text_sha256, vector in answer.items()
            if not fault(vector, dimension=embedder.dimension)
        }
        made = _embed_new([chunk for chunk in held if chunk.text_sha256 not in found], embedder=embedder)
        for chunk in held:
            reused = chunk.text_sha256 in found
            vector = found[chunk.text_sha256] if reused else made[chunk.text_sha256]
            yield EmbeddedChunk(chunk=chunk, vector=vector, model=embedder.model, reused=reused)


def _embed_new(chunks: Sequence[Chunk], *, embedder: Embedder) -> dict[str, Vector]:
    """Embed each distinct text once, the longest first: texts of one length fill a batch without padding."""
    texts = {chunk.text_sha256: chunk.text for chunk in chunks}
    if not texts:
        return {}
    order = sorted(texts, key=lambda text_sha256: (-len(texts[text_sha256]), text_sha256))
    vectors = embedder.embed([texts[text_sha256] for text_sha256 in order])
    if len(vectors) != len(order):
        raise OutsideError(f"{embedder.model} answered with {len(vectors)} vectors for {len(order)} texts; try again")
    made = dict(zip(order, vectors, strict=True))
    for chunk in chunks:
        if found := fault(made[chunk.text_sha256], dimension=embedder.dimension):
            raise OutsideError(
                f"{chunk.file_id}: chunk {chunk.index}: the vector from {embedder.model} is {found}; try again"
            )
    return made
