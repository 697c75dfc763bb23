"""Find the chunks of a user's projects that are nearest in meaning to a question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import EVERYTHING, Filter, Hit, Scope
from ingest_assets.stages.embed import Embedder
from ingest_assets.stores.contract import Searching

if TYPE_CHECKING:
    from ingest_assets.records import Vector

MAX_RESULTS = 100
"""Results of one question: more than a person reads or a prompt holds."""
MAX_QUERY_CHARACTERS = 10_000
"""A question, not a document: the model reads some 1,000 characters of it."""


def search(query: str, *, k: int, scope: Scope, embedder: Embedder, store: Searching) -> list[Hit]:
    """Return up to k chunks, best first, with their cosine similarity to the question.

    Raises:
        ValueError: the question is empty or too long, or k is not within 1 to 100.
        OutsideError: the embedder or the store is away.
    """
    vector = question_vector(query, embedder=embedder)
    return [hit for _, hit in search_projects(vector, k=k, scopes=[scope], store=store)]


def question_vector(query: str, *, embedder: Embedder) -> Vector:
    """Return the vector of a question, as one row.

    Raises:
        ValueError: the question is empty or too long.
        OutsideError: the embedder is away.
    """
    if not query.strip():
        raise ValueError("the question is empty; write what to look for")
    if len(query) > MAX_QUERY_CHARACTERS:
        raise ValueError(f"the question has {len(query)} characters; at most {MAX_QUERY_CHARACTERS} are read")
    vectors = embedder.embed([query])
    if len(vectors) != 1:
        raise OutsideError(f"{embedder.model} gave {len(vectors)} vectors for one question")
    return vectors


def search_projects(
    vector: Vector,
    *,
    k: int,
    scopes: Sequence[Scope],
    store: Searching,
    filters: Filter = EVERYTHING,
    min_score: float = -1.0,
) -> list[tuple[Scope, Hit]]:
    """Return up to k chunks of several projects that the filter lets through, best first, each with its project.

    Each project is searched alone for the question's vector. Chunks below `min_score` are left out.

    Raises:
        ValueError: k is not within 1 to 100.
        OutsideError: the store is away.
    """
    if not 1 <= k <= MAX_RESULTS:
        raise ValueError(f"{k} results were asked for; ask for 1 to {MAX_RESULTS}")
    found = [(scope, hit) for scope in scopes for hit in store.search(vector[0], k=k, scope=scope, filters=filters)]
    found.sort(key=lambda pair: (-pair[1].score, pair[1].chunk.file_id, pair[1].chunk.index))
    return [(scope, hit) for scope, hit in found[:k] if hit.score >= min_score]
