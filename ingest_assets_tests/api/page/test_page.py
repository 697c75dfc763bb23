"""Test what `/` and the files of the page answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_assets.api.page.front_page import STATIC
from ingest_assets_tests.api.conftest import Served

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_a_browser_gets_the_page_and_a_program_gets_links(shared_service: Served) -> None:
    page = shared_service.client.get("/", headers=HTML)
    assert page.headers["content-type"].startswith("text/html")
    links = shared_service.client.get("/")
    assert links.json()["name"] == "ingest_assets"
    assert page.headers["vary"] == links.headers["vary"] == "Accept"


def test_the_page_may_run_its_own_files_alone(shared_service: Served) -> None:
    policy = shared_service.client.get("/", headers=HTML).headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy
    assert "unsafe" not in policy and "http" not in policy and "require-trusted-types-for 'script'" in policy


def test_the_page_names_no_other_host_and_holds_nothing_inline() -> None:
    page = (STATIC / "index.html").read_text()
    assert "//" not in page and "style=" not in page and " on" not in page.replace("icon", "")
    for path in STATIC.glob("*.js"):
        code = path.read_text()
        assert "innerHTML" not in code and "insertAdjacentHTML" not in code, path.name


@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
def test_each_file_of_the_page_is_served_as_what_it_is(shared_service: Served, path: Path) -> None:
    answer = shared_service.client.get(f"/static/{path.name}")
    wanted = {".js": "javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}[path.suffix]
    assert answer.status_code == 200 and wanted in answer.headers["content-type"]
    assert answer.headers["cache-control"] == "no-cache" and answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/static/nothing.js", "/static/../page.py", "/static/%2e%2e/page.py"])
def test_nothing_else_is_served(shared_service: Served, path: str) -> None:
    assert shared_service.client.get(path).status_code == 404
