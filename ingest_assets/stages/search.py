"""Find the chunks of one user's project that are nearest in meaning to a question."""

from __future__ import annotations

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import Hit, Scope
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
    if not query.strip():
        raise ValueError("the question is empty; write what to look for")
    if len(query) > MAX_QUERY_CHARACTERS:
        raise ValueError(f"the question has {len(query)} characters; at most {MAX_QUERY_CHARACTERS} are read")
    if not 1 <= k <= MAX_RESULTS:
        raise ValueError(f"{k} results were asked for; ask for 1 to {MAX_RESULTS}")
    vectors = embedder.embed([query])
    if len(vectors) != 1:
        raise OutsideError(f"{embedder.model} gave {len(vectors)} vectors for one question")
    return store.search(vectors[0], k=k, scope=scope)
