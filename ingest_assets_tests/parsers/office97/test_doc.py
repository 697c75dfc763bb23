"""Test Word documents of 1995 to 2003: text from pieces, notes, pictures."""

from __future__ import annotations

import struct
from pathlib import Path

from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.parsers.office97 import doc
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.office97.office_files import blip, word
from ingest_assets_tests.parsers.reading import elements_of, file, parts_of, png


def test_the_text_of_a_word_document_is_assembled_from_its_pieces(tmp_path: Path) -> None:
    field = "\x13 HYPERLINK \x13 INNER \x14x\x15 \x14the link\x15"
    main = f"First line\x0bsecond.\rA {field} here.\r" + "a\x07b\x07\x07c\x07Größe 😀\x07\x07" + "After.\r"
    path = file(tmp_path, word(main.replace("😀", "\ud83d\ude00"), footnotes="\x02 A note.\r"), "a.doc")
    assert detect(path, filename="x") == "application/msword"
    assert [(e.type, e.text) for e in elements_of(doc, path)] == [
        (ElementType.NARRATIVE_TEXT, "First line\nsecond."),
        (ElementType.NARRATIVE_TEXT, "A the link here."),
        (ElementType.TABLE, "| a | b |\n| --- | --- |\n| c | Größe 😀 |"),
        (ElementType.NARRATIVE_TEXT, "After."),
        (ElementType.FOOTNOTE, "A note."),
    ]


def test_pictures_of_a_document_follow_its_text(tmp_path: Path) -> None:
    (part,) = parts_of(doc, file(tmp_path, word("Text.\r", picture=bytes(100) + blip(png()) + bytes(30))))
    assert [picture.data for picture in part.pictures] == [png()]


def test_parts_of_a_long_document_are_the_same_from_any_start(tmp_path: Path) -> None:
    path = file(tmp_path, word("".join(f"Paragraph {number} of it.\r" for number in range(5_000))))
    parts = parts_of(doc, path)
    assert len(parts) > 3
    assert parts_of(doc, path, start=3) == parts[2:]


def test_pieces_that_overlap_are_bounded(tmp_path: Path) -> None:
    data = bytearray(word("x" * 20_000))
    plc = struct.pack("<3I", 0, 10_000, 20_000)
    at = data.index(plc)
    data[at : at + 12] = struct.pack("<3I", 0, 4_000_000_000, 20_000)
    assert parts_of(doc, file(tmp_path, bytes(data)))
