"""A POST that is sent again under its Idempotency-Key is carried out once, whatever it asks for."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import APIRoute

from ingest_assets.api.app import ROUTERS
from ingest_assets.api.idempotency import TAKES_NO_KEY, IdempotentRoute
from ingest_assets_tests.api.conftest import Served
from ingest_assets_tests.api.test_service import problem


def chunk(text: str, *, chunk_id: str = "c1") -> dict[str, Any]:
    return {
        "chunk_id": chunk_id,
        "markdown": {"text": text, "chunk_order_index": 0, "source": "s", "filename": "f.md", "pages": [1]},
        "metadata": {"chunk_index": 0, "tokens": 3, "processed_by": "test", "doc_id": "d1", "entity_id": "e1"},
    }


@pytest.mark.slow
def test_a_chunk_that_is_sent_again_is_answered_as_before(served: Served) -> None:
    path, key = "/api/entities/e1/chunks", {"Idempotency-Key": "k-1"}
    first = served.client.post(path, json=chunk("Words of a chunk."), headers=key)
    assert first.status_code == 200, first.text
    again = served.client.post(path, json=chunk("Words of a chunk."), headers=key)
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert "idempotency-replayed" not in first.headers
    without = served.client.post(path, json=chunk("Words of a chunk."))
    assert without.json() != first.json(), "without the key it is a duplicate, and said to be one"


@pytest.mark.slow
def test_a_key_is_of_one_request_and_one_caller(served: Served) -> None:
    path, key = "/api/entities/e1/chunks", {"Idempotency-Key": "k-1"}
    ann, bob = served.with_key("ann"), served.with_key("bob")
    assert ann.post(path, json=chunk("Words."), headers=key).status_code == 200
    other = ann.post(path, json=chunk("Other words."), headers=key)
    assert (other.status_code, problem(other)["code"]) == (422, "idempotency_key_reused")
    assert "idempotency-replayed" not in bob.post(path, json=chunk("Words."), headers=key).headers
    served.service.keys.revoke(ann.headers["authorization"].split("_")[1])
    assert ann.post(path, json=chunk("Words."), headers=key).status_code == 401


@pytest.mark.slow
def test_a_request_that_was_refused_may_be_mended_under_its_key(served: Served) -> None:
    path, key = "/api/entities/e1/chunks", {"Idempotency-Key": "k-1"}
    assert served.client.post(path, json={"chunk_id": "c1"}, headers=key).status_code == 400
    assert served.client.post(path, json=chunk("Words."), headers=key).status_code == 200


@pytest.mark.slow
def test_a_key_that_is_no_short_text_is_a_problem(served: Served) -> None:
    answer = served.client.post("/api/entities/e1/chunks", json=chunk("Words."), headers={"Idempotency-Key": "x" * 300})
    assert problem(answer)["code"] == "bad_input"


def test_every_post_is_carried_out_once() -> None:
    by_themselves = {*TAKES_NO_KEY, "/upload", "/ingest-file", "/api/entities/{entity_id:any}/chunks/batch"}
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            if "POST" in (route.methods or ()) and route.path not in by_themselves:
                assert isinstance(route, IdempotentRoute), f"give the router of {route.path} this class of routes"


@pytest.mark.slow
def test_every_post_says_in_the_description_that_it_takes_a_key(served: Served) -> None:
    described = served.client.get("/openapi.json").json()
    posts = {path: operations["post"] for path, operations in described["paths"].items() if "post" in operations}
    assert posts
    for path, operation in posts.items():
        names = [parameter["name"].lower() for parameter in operation.get("parameters", [])]
        assert names.count("idempotency-key") == (path not in TAKES_NO_KEY), path
