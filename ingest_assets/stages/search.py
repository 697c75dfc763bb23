"""Find the chunks of a user's projects that are nearest in meaning to a question."""

from __future__ import annotations

from collections.abc import Sequence

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import EVERYTHING, Filter, Hit, Scope
from ingest_assets.stages.embed import Embedder
from ingest_assets.stores.contract import Searching

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
    return [hit for _, hit in search_projects(query, k=k, scopes=[scope], embedder=embedder, store=store)]


def search_projects(
    query: str,
    *,
    k: int,
    scopes: Sequence[Scope],
    embedder: Embedder,
    store: Searching,
    filters: Filter = EVERYTHING,
    min_score: float = -1.0,
) -> list[tuple[Scope, Hit]]:
    """Return up to k chunks of several projects that the filter lets through, best first, each with its project.

    The question is embedded once, and each project is searched alone. Chunks below `min_score` are left out.

    Raises:
        ValueError: as `search`.
        OutsideError: as `search`.
    """
    if not query.strip():
        raise ValueError("the question is empty; write what to look for")
    if len(query) > MAX_QUERY_CHARACTERS:
        raise ValueError(f"the question has {len(query)} characters; at most {MAX_QUERY_CHARACTERS} are read")
    if not 1 <= k <= MAX_RESULTS:
        raise ValueError(f"{k} results were asked for; ask for 1 to {MAX_RESULTS}")
    vectors = embedder.embed([query])
    if len(vectors) != 1:
        raise OutsideError(f"{embedder.model} gave {len(vectors)} vectors for one question")
    found = [(scope, hit) for scope in scopes for hit in store.search(vectors[0], k=k, scope=scope, filters=filters)]
    found.sort(key=lambda pair: (-pair[1].score, pair[1].chunk.file_id, pair[1].chunk.index))
    return [(scope, hit) for scope, hit in found[:k] if hit.score >= min_score]
