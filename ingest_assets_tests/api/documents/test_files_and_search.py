"""Test the endpoints of files and of search on files that were really ingested."""

from __future__ import annotations

import io
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest_assets.access.callers import KeyRole
from ingest_assets.api.service_address import ServiceAddress, leave, what_is_searched
from ingest_assets.ledger_records import Scope
from ingest_assets_tests.api.conftest import Served, serving
from ingest_assets_tests.api.incoming.test_chunks import chunk
from ingest_assets_tests.api.test_service import problem
from testing.forked_commands import run_forked

pytestmark = pytest.mark.slow

TIDES = "# Tides\n\nThe tide table hangs beside the boathouse door.\n\n# Ferry\n\nThe ferry leaves at nine.\n"
OWNER = {"user_id": "ann", "project_id": "island"}


def notice() -> bytes:
    """Draw a picture of a sentence."""
    image = Image.new("L", (1200, 400), "white")
    ImageDraw.Draw(image).text((60, 150), "The pier is closed.", fill="black", font=ImageFont.load_default(size=60))
    drawn = io.BytesIO()
    image.save(drawn, "PNG")
    return drawn.getvalue()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, model_cache: Path, samples: Path) -> Iterator[Served]:
    """A service with three files of Ann, one of Bob, and a document that was handed in."""
    with serving(tmp_path_factory.mktemp("filled") / "home", model_cache) as served:
        for key, content in (
            ("ann/island/tides.md", TIDES.encode()),
            ("ann/island/visitors.html", (samples / "visitors.html").read_bytes()),
            ("ann/mainland/trains.txt", b"The train leaves at nine from the station."),
            ("ann/scans/notice.png", notice()),
            ("bob/island/secret.txt", b"The tide table of Bob hangs in the cellar."),
        ):
            assert served.ingest(served.put(key, content))
        served.put("ann/island/later.txt", "not read yet")
        served.service.project.looks.keys(
            {"ann/island/later.txt": served.service.project.bucket.stat("ann/island/later.txt")}
        )
        sent = [
            chunk("c1", "The lamp is lit at dusk.", entity_id="harbour", metadata={"lang": "en"}),
            chunk("c2", "Die Lampe brennt.", entity_id="harbour", metadata={"lang": "de"}),
        ]
        path = "/api/entities/harbour/chunks/batch"
        assert served.client.post(path, json={"chunks": sent}).json()["indexed_chunks"] == 2
        yield served


def get(served: Served, path: str, **query: Any) -> httpx.Response:
    return served.client.get(path, params={**OWNER, **query})


def search(served: Served, query: str = "where is the tide table?", **body: Any) -> list[Any]:
    answer = served.client.post("/search", json={"query": query, **(body or OWNER)})
    assert answer.status_code == 200, answer.text
    hits: list[Any] = answer.json()["hits"]
    return hits


def test_files_are_listed_page_by_page_with_what_waits_first(filled: Served) -> None:
    listed = get(filled, "/files").json()
    assert [(file["filename"], file["state"]) for file in listed["files"]] == [
        ("later.txt", "pending"),
        ("tides.md", "succeeded"),
        ("visitors.html", "succeeded"),
    ]
    assert listed["next_offset"] is None
    names, offset = [], 0
    while offset is not None:
        page = get(filled, "/files", limit=1, offset=offset).json()
        names += [file["filename"] for file in page["files"]]
        offset = page["next_offset"]
    assert names == ["later.txt", "tides.md", "visitors.html"]
    (document,) = get(filled, "/files", user_id="entities", project_id="harbour").json()["files"]
    assert (document["filename"], document["origin"], document["chunks"]) == ("doc_123", "client", 2)
    assert get(filled, "/files", project_id="nothing").json() == {"files": [], "next_offset": None}


def test_chunks_of_a_file_are_paged(filled: Served) -> None:
    found = get(filled, "/files/chunks", user_id="entities", project_id="harbour", filename="doc_123", limit=1).json()
    assert (found["file"]["filename"], len(found["chunks"]), found["next_offset"]) == ("doc_123", 1, 1)
    rest = get(filled, "/files/chunks", user_id="entities", project_id="harbour", filename="doc_123", offset=1).json()
    assert (rest["chunks"][0]["metadata"]["lang"], rest["next_offset"]) == ("de", None)
    (tides,) = get(filled, "/files/chunks", filename="tides.md").json()["chunks"]
    assert tides["section"] == ["Tides"]


def test_a_document_is_sent_as_it_was_read(filled: Served) -> None:
    markdown = get(filled, "/files/content", filename="tides.md")
    assert markdown.headers["content-type"] == "text/markdown; charset=utf-8"
    assert markdown.headers["content-disposition"] == "attachment; filename*=UTF-8''tides.md.md"
    assert markdown.text == TIDES
    document = get(filled, "/files/content", filename="tides.md", format="json").json()
    assert [element["type"] for element in document["elements"]][:2] == ["Title", "NarrativeText"]
    handed_in = get(filled, "/files/content", user_id="entities", project_id="harbour", filename="doc_123")
    assert handed_in.text == "The lamp is lit at dusk.\n\nDie Lampe brennt.\n"
    waiting = get(filled, "/files/content", filename="later.txt")
    assert (waiting.status_code, problem(waiting)["code"]) == (404, "not_read")


def test_a_search_sees_one_project_some_or_all_of_the_users(filled: Served) -> None:
    (first, *_) = search(filled)
    assert (first["file"]["filename"], first["file"]["user_id"]) == ("tides.md", "ann")
    assert "tide table" in first["text"]
    assert filled.client.get(first["file"]["content_url"]).text == TIDES
    assert {hit["file"]["filename"] for hit in search(filled, **OWNER, k=100)} == {"tides.md", "visitors.html"}
    everywhere = search(filled, user_id="ann", k=100)
    assert {hit["file"]["filename"] for hit in everywhere} == {"tides.md", "visitors.html", "trains.txt", "notice.png"}
    assert [hit["score"] for hit in everywhere] == sorted((hit["score"] for hit in everywhere), reverse=True)
    some = search(filled, user_id="ann", projects=["mainland", "nothing"])
    assert [hit["file"]["filename"] for hit in some] == ["trains.txt"]
    assert search(filled, user_id="nobody") == []


def ingest_search(served: Served, *words: str, **settings: str) -> tuple[int, str, list[str]]:
    """Run `ingest search` on the home of the service; return its exit code, output and errors."""
    given = {"DAGSTER_HOME": str(served.settings.home), "INGEST_MODEL_CACHE": str(served.settings.model_cache)}
    done = run_forked(["search", *words], environment={**os.environ, "COLUMNS": "100", **given, **settings})
    waits = "loading the embedding model …"  # said where it takes long
    return done.returncode, done.stdout, [line for line in done.stderr.splitlines() if line != waits]


def answered(served: Served) -> int:
    """Count the questions of commands that the service was asked, from its own figures."""
    lines = served.client.get("/metrics").text.splitlines()
    found = [line for line in lines if "seconds_count" in line and "/search/hits" in line]
    return sum(int(float(line.rpartition(" ")[2])) for line in found)


def test_a_search_counts_the_files_that_it_found(filled: Served) -> None:
    filled.service.found_files.take()
    names = {hit["file"]["filename"] for hit in search(filled, **OWNER, k=100)}
    counted = filled.service.found_files.take()
    assert {file_id.rpartition(":")[2]: hits for file_id, hits in counted.items()} == dict.fromkeys(names, 1)


def test_the_command_asks_the_service_and_prints_the_same(filled: Served) -> None:
    home, owner = filled.settings.home, ("-u", "ann", "-p", "island")
    questions = [
        ("where is the tide table?", *owner, "--json"),
        ("tides", "-u", "ann", "-p", "iland"),
        ("  ", *owner),
    ]
    alone = [ingest_search(filled, *words) for words in questions]
    assert [code for code, _, _ in alone] == [0, 1, 2]
    assert answered(filled) == 0
    note = ServiceAddress(filled.url, filled.service.local_token, os.getpid(), what_is_searched(filled.settings))
    leave(home, note)
    try:
        assert [ingest_search(filled, *words) for words in questions] == alone
        assert answered(filled) == len(questions)
        assert "no store" in ingest_search(filled, *questions[0], INGEST_CHROMA=str(home / "other"))[2][0]
        assert answered(filled) == len(questions), "a service that searches another store is not asked"
        leave(home, replace(note, token="of a service before"))
        assert ingest_search(filled, *questions[2]) == alone[2]
        with socket.create_server(("127.0.0.1", 0)) as silent:
            leave(home, replace(note, url=f"http://127.0.0.1:{silent.getsockname()[1]}"))
            assert ingest_search(filled, *questions[2]) == alone[2]
    finally:
        (home / "service.json").unlink(missing_ok=True)


def test_a_command_proves_itself_with_the_token_of_this_start(filled: Served) -> None:
    body = {"query": "tides", **OWNER}
    assert filled.client.post("/search/hits", json=body).status_code == 200
    foreign = filled.client.post("/search/hits", json=body, headers={"Authorization": "Bearer of-another-start"})
    assert problem(foreign)["code"] == "no_key"


def test_a_search_filters_and_counts(filled: Served) -> None:
    harbour = {"user_id": "entities", "project_id": "harbour"}
    (german,) = search(filled, "lamp", **harbour, filters={"metadata": {"lang": ["de", "fr"]}})
    assert (german["chunk_id"], german["metadata"]["lang"]) == ("c2", "de")
    assert len(search(filled, "lamp", **harbour, filters={"pages": [3, 9]})) == 2
    assert len(search(filled, "lamp", **harbour, filters={"pages": {"first": 2, "last": 7}})) == 2
    assert search(filled, "lamp", **harbour, filters={"pages": [4]}) == []
    assert len(search(filled, **OWNER, filters={"section": "Tides"})) == 1
    assert search(filled, **OWNER, filters={"filename": "visitors.html", "media_type": ["text/plain"]}) == []
    assert search(filled, **OWNER, min_score=0.99) == []
    assert len(search(filled, **OWNER, k=1)) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": ""},
        {"query": "   "},
        {"query": "x" * 10_001},
        {"query": "x", "k": 0},
        {"query": "x", "k": 101},
        {"query": "x", "k": "many"},
        {"query": "x", "min_score": 2},
        {"query": "x", "filters": {"colour": "red"}},
        {"query": "x", "filters": {"pages": [0]}},
        {"query": "x", "filters": {"pages": {"first": 3, "last": 2}}},
        {"query": "x", "filters": {"metadata": {"a": {"$ne": 1}}}},
        {"query": "x", "filters": {"metadata": {"a\0": 1}}},
        {"query": "x", "filters": {"filename": "a\0"}},
        {"query": "x", "project_id": "a/b"},
        {"query": "x", "project_id": "a\0"},
        {"query": "x", "project_id": ".."},
        {"query": "x", "user_id": {"$ne": ""}},
        {"query": "x", "projects": []},
        {"query": "x", "projects": ["a"], "project_id": "b"},
        {"query": "x", "user_id": ""},
    ],
    ids=lambda body: json.dumps(body)[:60],
)
def test_a_search_that_cannot_be_meant_is_a_problem(filled: Served, body: dict[str, Any]) -> None:
    answer = filled.client.post("/search", json={**OWNER, **body} if body.get("user_id") != "" else body)
    assert (answer.status_code, problem(answer)["status"]) == (400, 400), answer.text


@pytest.mark.parametrize("path", ["/files/chunks", "/files/content"])
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"filename": "unheard-of.txt"}, 404),
        ({"filename": "../../bob/island/secret.txt"}, 400),
        ({"filename": "secret.txt"}, 404),
        ({"filename": "a\0"}, 400),
        ({"filename": ""}, 400),
        ({"filename": "tides.md", "limit": "0", "format": "x"}, 400),
        ({"filename": "tides.md", "project_id": ""}, 400),
        ({}, 400),
    ],
)
def test_a_file_that_is_not_the_callers_is_not_shown(
    filled: Served, path: str, query: dict[str, str], status: int
) -> None:
    answer = get(filled, path, **query)
    assert (answer.status_code, problem(answer)["status"]) == (status, status)


def test_a_key_sees_its_own_projects_alone(served: Served) -> None:
    project = served.service.project
    for key in ("ann/island/a.txt", "ann/mainland/b.txt", "bob/island/c.txt"):
        assert served.ingest(served.put(key, f"The lamp of {key} is lit."))
    island, ann = served.with_key("ann/island", role=KeyRole.READ), served.with_key("ann")
    hits = island.post("/search", json={"query": "lamp"}).json()["hits"]
    assert [hit["file"]["filename"] for hit in hits] == ["a.txt"]
    assert [file["filename"] for file in island.get("/files").json()["files"]] == ["a.txt"]
    everything = ann.post("/search", json={"query": "lamp"}).json()["hits"]
    assert {hit["file"]["filename"] for hit in everything} == {"a.txt", "b.txt"}
    for body in ({"user_id": "bob"}, {"project_id": "mainland"}, {"projects": ["island", "mainland"]}):
        assert problem(island.post("/search", json={"query": "lamp", **body}))["status"] == 403
    assert island.delete("/files", params={"filename": "a.txt"}).status_code == 403
    assert ann.delete("/files", params={"project_id": "island", "filename": "a.txt"}).json() == {
        "key": "ann/island/a.txt",
        "chunks": 1,
    }
    assert project.store.files(Scope("ann", "island")) == []


def test_a_file_is_removed_from_everywhere(served: Served) -> None:
    file_id = served.put("ann/island/a.txt", "The lamp is lit at dusk.")
    assert served.ingest(file_id)
    project, named = served.service.project, {**OWNER, "filename": "a.txt"}
    assert served.client.delete("/files", params=named).json() == {"key": "ann/island/a.txt", "chunks": 1}
    assert (project.store.file(file_id), project.bucket.stat("ann/island/a.txt")) == (None, None)
    assert project.artifacts.manifest("chunks", file_id) is None
    assert get(served, "/files").json()["files"] == []
    assert search(served, "lamp") == []
    assert served.client.delete("/files", params=named).status_code == 404
    assert project.pending.count() == 0


def test_a_file_that_waits_can_be_removed(served: Served) -> None:
    served.put("ann/island/a.txt", "The lamp is lit at dusk.")
    assert served.client.delete("/files", params={**OWNER, "filename": "a.txt"}).json()["chunks"] == 0
    assert served.service.project.bucket.stat("ann/island/a.txt") is None


def test_a_file_that_is_being_read_is_not_removed(served: Served) -> None:
    file_id = served.put("ann/island/a.txt", "The lamp is lit at dusk.")
    served.service.project.index.progress(file_id, stage="chunks", percent=50)
    answer = served.client.delete("/files", params={**OWNER, "filename": "a.txt"})
    assert (answer.status_code, problem(answer)["code"]) == (409, "busy")
    assert (
        get(served, "/files").json()["files"][0] | {"stage": "chunks", "percent": 50, "state": "processing"}
        == (get(served, "/files").json()["files"][0])
    )


def test_a_file_is_read_again_where_somebody_asks(served: Served) -> None:
    file_id = served.put("ann/island/a.txt", "The lamp is lit at dusk.")
    assert served.ingest(file_id)
    project = served.service.project
    assert project.pending.count() == 0
    answer = served.client.post("/files/rerun", json={**OWNER, "filename": "a.txt", "afresh": True})
    assert (answer.status_code, answer.json()) == (202, {"key": "ann/island/a.txt", "state": "pending"})
    assert [each.file_id for each in project.pending.next(limit=5)] == [file_id]
    assert len(search(served, "lamp")) == 1
    assert get(served, "/files").json()["files"][0]["state"] == "pending"
    assert served.ingest(file_id)
    assert project.pending.count() == 0
    (again,) = get(served, "/files").json()["files"]
    assert (again["state"], again["chunks"]) == ("succeeded", 1)
    assert served.client.post("/files/rerun", json={**OWNER, "filename": "b.txt"}).status_code == 404


def test_a_hit_shows_the_pictures_that_stand_in_it(filled: Served) -> None:
    asked = {"query": "is the pier closed?", "user_id": "ann", "project_id": "scans"}
    (hit,) = filled.client.post("/search", json=asked).json()["hits"]
    (picture,) = hit["pictures"]
    assert "pier is closed" in picture["text"]
    (link,) = hit["page_links"]
    shown = filled.client.get(link["image_url"])
    assert shown.status_code == 200
    assert shown.headers["content-type"].startswith("image/")
