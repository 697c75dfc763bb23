"""The documents link to what exists, name modules that exist, and the index of the decisions lists all of them."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from ingest_assets_tests.conftest import ROOT

PAGES = sorted(
    path
    for folder in (".", "docs", "docs/decisions", "memory_capped_launcher", "benchmarks")
    for path in (ROOT / folder).glob("*.md" if folder != "benchmarks" else "*/*.md")
)
PATHS = re.compile(r"`((?:ingest_assets|ingest_assets_tests|memory_capped_launcher|benchmarks|testing|docs)/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_and_path_leads_to_something(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)", text)
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [path for path in PATHS.findall(text) if not (ROOT / path).exists()]
    assert missing == []


def test_the_index_of_the_decisions_lists_every_one() -> None:
    made = runpy.run_path(str(ROOT / "docs/decisions/index.py"))["index"]()
    assert (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8") == made, "run python docs/decisions/index.py"
