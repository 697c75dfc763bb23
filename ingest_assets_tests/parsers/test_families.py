"""Test which parser reads a type, and on which versions its result depends."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.families import count_pages, parser_for, version_of
from ingest_assets.parsers.pdf import parser as pdf


@pytest.mark.parametrize(
    ("media_type", "depends"),
    [
        ("application/pdf", True),
        ("application/zip", True),
        ("message/rfc822", True),
        ("application/vnd.ms-outlook", True),
        ("text/html", False),
    ],
)
def test_a_container_is_read_again_when_the_pdf_parser_changes(
    media_type: str, depends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = parser_for(media_type, filename="a")
    before = version_of(media_type, parser)
    monkeypatch.setattr(pdf, "VERSION", "another")
    assert (version_of(media_type, parser) != before) is depends


@pytest.mark.parametrize("kind", ["text", "spreadsheet", "presentation", "graphics"])
def test_each_kind_of_opendocument_has_a_parser(kind: str) -> None:
    assert parser_for(f"application/vnd.oasis.opendocument.{kind}", filename="a").VERSION


def test_a_format_that_flows_has_no_pages(tmp_path: Path) -> None:
    assert count_pages(parser_for("text/plain", filename="a"), tmp_path / "never opened", limits=Limits()) == 0
