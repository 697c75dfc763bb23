"""Test PowerPoint presentations of 1997 to 2003: titles, texts, notes."""

from __future__ import annotations

import struct
from pathlib import Path

from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.parsers.office97 import ppt
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.office97.office_files import blip, container, record, slides
from ingest_assets_tests.parsers.office97.ole import compound
from ingest_assets_tests.parsers.reading import file, parts_of, png


def test_slides_have_title_text_and_notes(tmp_path: Path) -> None:
    path = file(tmp_path, slides(3, drawn=blip(png())), "a.ppt")
    assert detect(path, filename="x") == "application/vnd.ms-powerpoint"
    assert ppt.count_pages(path, limits=Limits()) == 3
    parts = parts_of(ppt, path)
    assert [(e.type, e.text, e.page_number) for e in parts[0].elements] == [
        (ElementType.TITLE, "Title 0", 1),
        (ElementType.NARRATIVE_TEXT, "Box 0", 1),
        (ElementType.NARRATIVE_TEXT, "Say it", 1),
    ]
    assert [len(part.pictures) for part in parts] == [0, 0, 1]
    assert parts_of(ppt, path, start=2) == parts[1:]


def test_a_slide_that_is_named_a_million_times_is_read_once(tmp_path: Path) -> None:
    outline = record(0x03F3, struct.pack("<IIIII", 2, 0, 0, 256, 0)) * 10_000
    slide = container(0x03EE, *[container(0xF00D, record(0x0FA8, b"x" * 1_000))] * 100)
    document = container(0x03E8, container(0x0FF0, outline))
    directory = record(0x1772, struct.pack("<III", 2 << 20 | 1, len(slide), 0))
    edit_at = len(slide) + len(document) + len(directory)
    edit = record(0x0FF5, struct.pack("<IIIIIII", 0, 0, 0, len(slide) + len(document), 1, 0, 0))
    user = record(0x0FF6, struct.pack("<III", 20, 0xE391C05F, edit_at))
    data = compound({"PowerPoint Document": slide + document + directory + edit, "Current User": user})
    parts = parts_of(ppt, file(tmp_path, data))
    assert len(parts) == 10_000
    assert sum(len(part.elements) for part in parts) == 100
