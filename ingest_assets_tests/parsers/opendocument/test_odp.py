"""Test OpenDocument presentations: titles, texts and notes."""

from __future__ import annotations

from pathlib import Path

from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.opendocument import odp
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.opendocument.odf_files import odf, p
from ingest_assets_tests.parsers.reading import parts_of


def test_slides_are_pages_with_title_text_and_notes(tmp_path: Path) -> None:
    def frame(text: str, class_: str) -> str:
        box = f"<draw:text-box>{p(text)}</draw:text-box>"
        return f'<draw:frame presentation:class="{class_}">{box}</draw:frame>'

    notes = f"<presentation:notes>{frame('Say this.', 'notes')}{frame('7', 'page-number')}</presentation:notes>"
    slide = f"<draw:page>{frame('Point', 'outline')}{frame('Title', 'title')}{notes}</draw:page>"
    path = odf(tmp_path, slide * 3, kind="presentation")
    assert odp.count_pages(path, limits=Limits()) == 3
    parts = parts_of(odp, path)
    assert [(e.type, e.text, e.page_number) for e in parts[1].elements] == [
        (ElementType.TITLE, "Title", 2),
        (ElementType.NARRATIVE_TEXT, "Point", 2),
        (ElementType.NARRATIVE_TEXT, "Say this.", 2),
    ]
    assert parts_of(odp, path, start=2) == parts[1:]
