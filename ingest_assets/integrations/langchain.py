"""Let programs on LangChain find passages of the service's documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field

from ingest_assets.client import ServiceClient
from ingest_assets.integrations.extras import from_extra
from ingest_assets.integrations.passages import described

with from_extra("langchain"):
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever

if TYPE_CHECKING:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun


class ServiceRetriever(BaseRetriever):  # type: ignore[misc]  # mypy does not read LangChain (pyproject.toml)
    """A retriever over a client's project; the client stays the caller's to close.

    A document's `metadata` has the file, its pages (from 1), section and score, beside what a client said of the chunk.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    client: ServiceClient = Field(exclude=True)
    k: int = 5
    """Documents of an answer, at most."""
    filters: dict[str, Any] = Field(default_factory=dict)
    """As `POST /search` takes them."""
    min_score: float = -1.0

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        """Search, best first.

        Raises:
            ServiceRefused, OutsideError: as `ServiceClient.search`.
        """
        hits = self.client.search(query, k=self.k, filters=self.filters, min_score=self.min_score)
        return [
            Document(id=hit.chunk_id, page_content=hit.text, metadata=described(hit) | {"score": hit.score})
            for hit in hits
        ]
