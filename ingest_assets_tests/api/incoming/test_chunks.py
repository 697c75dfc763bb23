"""Test the chunk API: its exact bodies and answers, what is refused, and lines that are answered one by one."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import httpx
import pytest
import requests

from ingest_assets.ledger_records import FileRecord, Origin, Scope
from ingest_assets.records import Chunk
from ingest_assets_tests.api.conftest import Served
from ingest_assets_tests.api.test_service import problem

pytestmark = pytest.mark.slow

_numbers = count()


class Entity:
    """One entity of a service, empty at first."""

    def __init__(self, served: Served) -> None:
        self.served, self.entity_id = served, f"company_{next(_numbers)}"
        self.path = f"/api/entities/{self.entity_id}/chunks"

    def chunk(self, chunk_id: str, text: str, **more: Any) -> Any:
        """A chunk of this entity."""
        return chunk(chunk_id, text, **{"entity_id": self.entity_id, **more})

    def batch(self, *chunks: Any) -> httpx.Response:
        return self.served.client.post(f"{self.path}/batch", json={"chunks": list(chunks)})

    def lines(self, *chunks: Any) -> list[Any]:
        body = b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in chunks)
        headers = {"Content-Type": "application/x-ndjson; charset=utf-8"}
        answer = self.served.client.post(f"{self.path}/batch", content=body, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
        return [json.loads(line) for line in answer.text.splitlines()]

    def records(self) -> list[FileRecord]:
        return self.served.service.project.store.files(Scope("entities", self.entity_id))

    def kept(self) -> list[Chunk]:
        """The chunks of its only document."""
        (record,) = self.records()
        return self.served.service.project.store.chunks(record.file_id)


@pytest.fixture
def entity(shared_service: Served) -> Entity:
    return Entity(shared_service)


def chunk(chunk_id: str, text: str, *, doc_id: str = "doc_123", entity_id: str = "company_123", **more: Any) -> Any:
    """A chunk with every field of the documented body."""
    return {
        "chunk_id": chunk_id,
        "markdown": {
            "text": text,
            "chunk_order_index": 0,
            "source": "source_identifier",
            "filename": "original_filename.pdf",
            "pages": [1, 2, 3],
            **more.pop("markdown", {}),
        },
        "metadata": {
            "chunk_index": 0,
            "tokens": 100,
            "processed_by": "FileProcessor",
            "doc_id": doc_id,
            "entity_id": entity_id,
            **more.pop("metadata", {}),
        },
        **more,
    }


def test_one_chunk_is_answered_exactly_as_documented(entity: Entity) -> None:
    path = entity.path
    answer = entity.served.client.post(path, json=entity.chunk("unique_id", "Markdown content of the chunk"))
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "success": True,
            "chunk_id": "unique_id",
            "entity_id": entity.entity_id,
            "doc_id": "doc_123",
            "indexed": True,
            "message": "Chunk successfully indexed",
        },
    )
    (record,) = entity.records()
    assert (record.filename, record.origin, record.chunks) == ("doc_123", Origin.CLIENT, 1)
    again = entity.served.client.post(path, json=entity.chunk("unique_id", "Markdown content of the chunk")).json()
    assert (again["success"], again["indexed"], "conflicts" in again) == (True, False, False)
    other = entity.served.client.post(path, json=entity.chunk("unique_id", "Other content")).json()
    assert (other["success"], other["indexed"], other["conflicts"]) == (False, False, ["unique_id"])
    assert "unique_id" in other["message"]
    (kept,) = entity.kept()
    assert (kept.text, kept.pages) == ("Markdown content of the chunk", (1, 2, 3))


def test_a_batch_is_answered_exactly_as_documented(entity: Entity) -> None:
    entity.batch(*(entity.chunk(f"chunk_{number}", f"text {number}") for number in range(2)))
    answer = entity.batch(*(entity.chunk(f"chunk_{number}", f"text {number}") for number in range(10)))
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "success": True,
            "entity_id": entity.entity_id,
            "doc_id": "doc_123",
            "total_chunks": 10,
            "indexed_chunks": 8,
            "duplicate_chunks": 2,
            "message": "Ingested 8 chunks (2 duplicates skipped) for doc doc_123",
        },
    )
    changed = entity.batch(
        entity.chunk("chunk_0", "text 0"), entity.chunk("chunk_1", "changed"), entity.chunk("new", "new")
    ).json()
    assert changed["conflicts"] == ["chunk_1"]
    assert "chunk_1" in changed["message"]
    counts = ("success", "total_chunks", "indexed_chunks", "duplicate_chunks")
    assert [changed[name] for name in counts] == [False, 3, 1, 1]


def test_the_replaced_services_python_example_works(entity: Entity) -> None:
    entity_id = entity.entity_id
    chunks: list[Any] = [
        {
            "chunk_id": "chunk_1",
            "markdown": {
                "text": "Company information...",
                "chunk_order_index": 0,
                "source": "company_123",
                "filename": "report.pdf",
                "pages": [1],
            },
            "metadata": {
                "chunk_index": 0,
                "tokens": 150,
                "processed_by": "ChunkAPI",
                "doc_id": "doc_123",
                "entity_id": entity_id,
            },
        }
    ]
    response = requests.post(f"{entity.served.url}/api/entities/{entity_id}/chunks", json=chunks[0], timeout=60)
    assert response.json()["indexed"] is True
    response = requests.post(
        f"{entity.served.url}/api/entities/{entity_id}/chunks/batch", json={"chunks": chunks}, timeout=60
    )
    assert response.json()["message"] == "Ingested 0 chunks (1 duplicates skipped) for doc doc_123"


def test_every_field_is_kept(entity: Entity) -> None:
    sent = entity.chunk(
        "c1",
        "text",
        colour="red",
        markdown={"chunk_order_index": 7, "source": "ours", "lang": "de"},
        metadata={"source": "theirs", "author": {"name": "Ann", "years": [1, 2.5, None]}, "$set": True},
    )
    assert entity.batch(sent).status_code == 200
    (kept,) = entity.kept()
    assert kept.index == 7
    assert kept.metadata == {
        "chunk_index": 0,
        "tokens": 100,
        "processed_by": "FileProcessor",
        "doc_id": "doc_123",
        "entity_id": entity.entity_id,
        "source": "theirs",
        "author": {"name": "Ann", "years": [1, 2.5, None]},
        "$set": True,
        "markdown.source": "ours",
        "filename": "original_filename.pdf",
        "lang": "de",
        "colour": "red",
    }


def test_an_id_of_another_document_of_the_entity_is_in_conflict(entity: Entity) -> None:
    entity.batch(entity.chunk("c1", "text"))
    other = entity.batch(entity.chunk("c1", "text", doc_id="doc_9"), entity.chunk("c2", "more", doc_id="doc_9")).json()
    assert (other["indexed_chunks"], other["conflicts"]) == (1, ["c1"])
    another = Entity(entity.served)
    elsewhere = another.batch(another.chunk("c1", "text")).json()
    assert elsewhere["indexed_chunks"] == 1


def test_requests_at_once_give_each_id_to_one_document(entity: Entity) -> None:
    def send(number: int) -> int:
        answer = entity.batch(*(entity.chunk(f"c{n}", f"text {n}", doc_id=f"doc_{number}") for n in range(5)))
        return int(answer.json()["indexed_chunks"])

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(send, range(6))) == [0, 0, 0, 0, 0, 5]


WRONG: dict[str, tuple[list[Any], str]] = {
    "another entity": ([chunk("c1", "x"), chunk("c2", "x", entity_id="other")], "entity"),
    "two documents": ([chunk("c1", "x"), chunk("c2", "x", doc_id="doc_9")], "doc_id"),
    "an empty text": ([chunk("c1", "x"), chunk("c2", "  ")], "text is empty"),
    "NUL": ([chunk("c1", "x\0")], "NUL"),
    "NUL in a field": ([chunk("c1", "x", metadata={"a\0": 1})], "NUL"),
    "no text": ([{"chunk_id": "c1", "markdown": {}, "metadata": {"doc_id": "d"}}], "text"),
    "no document": ([{"chunk_id": "c1", "markdown": {"text": "x"}, "metadata": {}}], "doc_id"),
    "page 0": ([chunk("c1", "x", markdown={"pages": [0]})], "pages"),
    "a long id": ([chunk("c" * 300, "x")], "256"),
    "long fields": ([chunk("c1", "x", metadata={"a": "x" * 30_000})], "at most"),
    "no chunk": ([], "at least 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_batch_with_a_wrong_chunk_indexes_nothing(entity: Entity, name: str) -> None:
    chunks, said = WRONG[name]
    entity.entity_id, entity.path = "company_123", "/api/entities/company_123/chunks"
    answer = entity.batch(entity.chunk("c0", "sound"), *chunks) if chunks else entity.batch()
    assert answer.status_code == 400, answer.text
    assert said in str(problem(answer)["detail"])
    assert entity.records() == []


def test_a_document_that_would_be_another_owners_is_refused(entity: Entity) -> None:
    answer = entity.batch(entity.chunk("c1", "x", doc_id="../../x"))
    assert answer.status_code == 400
    assert "USER/PROJECT" in str(problem(answer)["detail"])
    assert entity.records() == []


@pytest.mark.parametrize(
    "body",
    [b"{", b'{"chunks": "x"}', b"[]", b'{"chunks": [' + b"[" * 100_000 + b"]}", b'{"chunks": [NaN]}', b"\xff"],
    ids=["cut", "type", "list", "deep", "nan", "bytes"],
)
def test_a_body_that_is_no_batch_is_a_problem(entity: Entity, body: bytes) -> None:
    path, headers = f"{entity.path}/batch", {"Content-Type": "application/json"}
    answer = entity.served.client.post(path, content=body, headers=headers)
    assert (answer.status_code, problem(answer)["status"]) == (400, 400)


@pytest.mark.parametrize(
    "entity_id", ["a%2Fb", "..", "%00", "a%0Ab", "x" * 300], ids=["slash", "dots", "nul", "line", "long"]
)
def test_an_entity_that_cannot_be_is_refused(shared_service: Served, entity_id: str) -> None:
    url = httpx.URL(shared_service.url).copy_with(raw_path=f"/api/entities/{entity_id}/chunks".encode())
    answer = shared_service.client.post(url, json=chunk("c1", "x", entity_id="x"))
    assert answer.status_code in ({400, 404} if entity_id == ".." else {400})
    problem(answer)


def test_an_entity_is_a_project_of_the_keys_user(served: Served) -> None:
    ours, theirs = served.with_key("ann"), served.with_key("bob/only")
    path = "/api/entities/company_123/chunks"
    assert ours.post(path, json=chunk("c1", "x")).status_code == 200
    assert [record.user_id for record in served.service.project.store.files()] == ["ann"]
    assert theirs.post(path, json=chunk("c1", "x")).status_code == 403
    assert theirs.post("/api/entities/only/chunks", json=chunk("c1", "x", entity_id="only")).status_code == 200


def test_lines_are_answered_one_by_one_and_a_bad_one_spoils_no_other(entity: Entity) -> None:
    *told, summary = entity.lines(
        entity.chunk("c1", "one"),
        b"{ no JSON",
        b"",
        entity.chunk("c2", "two", doc_id="doc_9"),
        entity.chunk("c3", "three", entity_id="other"),
        b'{"chunk_id": "' + b"x" * 1_100_000 + b'"}',
        entity.chunk("c1", "one"),
        entity.chunk("c1", "changed"),
        entity.chunk("c4", "four"),
    )
    assert [(line["line"], line["status"]) for line in told] == [
        (1, "inserted"),
        (2, "rejected"),
        (4, "rejected"),
        (5, "rejected"),
        (6, "rejected"),
        (7, "identical"),
        (8, "conflict"),
        (9, "inserted"),
    ]
    assert "longer than" in told[4]["message"]
    counts = ("success", "doc_id", "total_chunks", "indexed_chunks", "duplicate_chunks", "conflicts")
    assert [summary[name] for name in counts] == [False, "doc_123", 8, 2, 1, ["c1"]]
    (record,) = entity.records()
    assert record.chunks == 2


def test_a_line_is_answered_before_the_next_is_sent(entity: Entity) -> None:
    port = int(entity.served.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(
            f"POST {entity.path}/batch HTTP/1.1\r\nHost: localhost\r\n"
            "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        for number in range(3):
            line = json.dumps(entity.chunk(f"c{number}", f"text {number}")).encode() + b"\n"
            connection.sendall(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            said = b""
            while f'"chunk_id":"c{number}","status":"inserted"'.encode() not in said:
                got = connection.recv(65536)
                assert got, said
                said += got
    (record,) = entity.records()
    assert record.chunks == 3
