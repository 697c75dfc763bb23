"""Test the retrievers for LangChain and LlamaIndex on a real service.

Both libraries are imported in the tests: 6 seconds of processor time, which each process of a test run would spend.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ingest_assets.client import ServiceClient, ServiceRefused
from ingest_assets_tests.api.conftest import Served
from ingest_assets_tests.api.documented import program

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("integrations")]


@pytest.fixture(scope="module")
def client(service: Served) -> Iterator[ServiceClient]:
    """A client of the keepers' project."""
    with ServiceClient(service.url, key=service.key("entities/keepers")) as opened:
        yield opened


def test_langchain_finds_passages_with_their_place(client: ServiceClient) -> None:
    from langchain_core.runnables import RunnableLambda

    from ingest_assets.integrations.langchain import ServiceRetriever

    retriever = ServiceRetriever(client=client, k=2, filters={"filename": "manual"})
    first, second = retriever.invoke("what makes noise?")
    assert first.page_content == "The horn is loud."
    assert first.metadata.items() >= {"filename": "manual", "pages": [2], "project_id": "keepers", "year": 1890}.items()
    assert first.metadata["score"] > second.metadata["score"]
    assert first.id and first.id != second.id
    chain = retriever | RunnableLambda(lambda found: [each.page_content for each in found])
    assert asyncio.run(chain.ainvoke("what makes noise?"))[0] == "The horn is loud."


def test_llama_index_finds_passages_with_their_place(client: ServiceClient) -> None:
    from llama_index.core.schema import MetadataMode

    from ingest_assets.integrations.llama_index import ServiceNodeRetriever

    first, second = ServiceNodeRetriever(client, k=2, filters={"filename": "manual"}).retrieve("how is light made?")
    assert first.text == "The lamp burns oil."
    assert (first.score or 0) > (second.score or 0)
    assert first.metadata.items() >= {"filename": "manual", "pages": [1], "year": 1890}.items()
    assert first.node.ref_doc_id and first.node.ref_doc_id.startswith("entities:keepers:")
    assert "manual" in first.node.get_content(MetadataMode.LLM)
    assert ServiceNodeRetriever(client, min_score=0.999).retrieve("lamp") == []
    (noise,) = asyncio.run(ServiceNodeRetriever(client, k=1, filters={"filename": "manual"}).aretrieve("noise"))
    assert noise.text == "The horn is loud."


def test_what_the_service_refuses_reaches_the_program(client: ServiceClient) -> None:
    from ingest_assets.integrations.langchain import ServiceRetriever
    from ingest_assets.integrations.llama_index import ServiceNodeRetriever

    with pytest.raises(ServiceRefused, match="k"):
        ServiceRetriever(client=client, k=0).invoke("noise")
    with pytest.raises(ServiceRefused, match="k"):
        ServiceNodeRetriever(client, k=0).retrieve("noise")


def test_the_documented_program_prints_what_is_shown(service: Served, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = program("From LangChain and LlamaIndex", url=service.url, key=service.key("entities/keepers"))
    exec(compile(code, "docs/api.md", "exec"), {})
    assert capsys.readouterr().out == shown
