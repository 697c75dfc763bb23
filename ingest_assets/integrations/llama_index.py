"""Let programs on LlamaIndex find passages of the service's documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ingest_assets.client import ServiceClient
from ingest_assets.integrations.extras import from_extra
from ingest_assets.integrations.passages import described

with from_extra("llama-index"):
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode

if TYPE_CHECKING:
    from llama_index.core.schema import QueryBundle


class ServiceNodeRetriever(BaseRetriever):  # type: ignore[misc]  # mypy does not read LlamaIndex (pyproject.toml)
    """A retriever over a client's project; the client stays the caller's to close.

    A node's `metadata` has the file, its pages (from 1) and section, beside what a client said of the chunk; its source
    is the file.
    """

    def __init__(
        self,
        client: ServiceClient,
        *,
        k: int = 5,
        filters: Mapping[str, Any] | None = None,
        min_score: float = -1.0,
    ) -> None:
        """Take the client, how many nodes an answer has at most, filters as of `POST /search`, and the least score."""
        super().__init__()
        self._client, self._k, self._filters, self._min_score = client, k, dict(filters or {}), min_score

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """Search, best first.

        Raises:
            ServiceRefused, OutsideError: as `ServiceClient.search`.
        """
        hits = self._client.search(query_bundle.query_str, k=self._k, filters=self._filters, min_score=self._min_score)
        return [
            NodeWithScore(
                node=TextNode(
                    id_=hit.chunk_id,
                    text=hit.text,
                    metadata=described(hit),
                    relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=hit.file.file_id)},
                ),
                score=hit.score,
            )
            for hit in hits
        ]
