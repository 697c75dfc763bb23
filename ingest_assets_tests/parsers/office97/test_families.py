"""Test Word, Excel and PowerPoint files of 1997 to 2003: contents, encryption, damage, hostile files."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.parsers.office97 import doc, ppt, xls
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.mutation import mutated, places, read_or_refuse, some_hundred
from ingest_assets_tests.parsers.office97.ole import compound
from ingest_assets_tests.parsers.reading import elements_of, file, parts_of, png, texts_of


def word(main: str, *, footnotes: str = "", flags: int = 0, picture: bytes = b"") -> bytes:
    """Write a document of two pieces: the first in bytes, the second in UTF-16."""
    text = main + footnotes
    half = len(text) // 2 if text[: len(text) // 2].isascii() else 0
    head = bytearray(0x400)
    struct.pack_into("<H8xH", head, 0, 0xA5EC, flags)
    struct.pack_into("<7i", head, 0x4C, len(main), len(footnotes), 0, 0, 0, 0, 0)
    stream = bytes(head) + text[:half].encode("cp1252") + text[half:].encode("utf-16-le", "surrogatepass")
    plc = struct.pack("<3I", 0, half, len(text))
    plc += struct.pack("<HIH", 0, (0x400 * 2) | 1 << 30, 0) + struct.pack("<HIH", 0, 0x400 + half, 0)
    clx = b"\x01\x02\x00ab" + b"\x02" + struct.pack("<I", len(plc)) + plc
    stream = bytearray(stream)
    struct.pack_into("<II", stream, 0x01A2, 0, len(clx))
    return compound({"WordDocument": bytes(stream), "0Table": clx, "Data": picture})


def record(kind: int, data: bytes, *, instance: int = 0, version: int = 0) -> bytes:
    return struct.pack("<HHI", instance << 4 | version, kind, len(data)) + data


def container(kind: int, *children: bytes, instance: int = 0) -> bytes:
    return record(kind, b"".join(children), instance=instance, version=0xF)


def blip(data: bytes) -> bytes:
    return record(0xF01E, bytes(17) + data)


def slides(count: int, *, token: int = 0xE391C05F, drawn: bytes = b"") -> bytes:
    """Write a presentation: titles in the outline, a text box on each slide, notes on the first."""
    stream, places = b"", []
    for number in range(count):
        box = container(0xF00D, record(0x0FA0, f"Box {number}".encode("utf-16-le")))
        atom = record(0x03EF, struct.pack("<20xI", 0)[:16] + struct.pack("<II", 500 if number == 0 else 0, 0))
        places.append(len(stream))
        stream += container(0x03EE, atom, container(0x040C, container(0xF004, box)))
    notes_at = len(stream)
    stream += container(0x03F0, container(0x040C, container(0xF004, container(0xF00D, record(0x0FA8, b"Say it")))))
    outline = b"".join(
        record(0x03F3, struct.pack("<IIIII", number + 2, 0, 0, 256 + number, 0))
        + record(0x0F9F, struct.pack("<I", 0))
        + record(0x0FA8, f"Title {number}".encode("latin-1"))
        for number in range(count)
    )
    notes = record(0x03F3, struct.pack("<IIIII", count + 2, 0, 0, 500, 0))
    document_at = len(stream)
    stream += container(0x03E8, container(0x0FF0, outline), container(0x0FF0, notes, instance=2))
    offsets = [document_at, *places, notes_at]
    directory_at = len(stream)
    stream += record(0x1772, struct.pack(f"<I{len(offsets)}I", len(offsets) << 20 | 1, *offsets))
    edit_at = len(stream)
    stream += record(0x0FF5, struct.pack("<IIIIIII", 0, 0, 0, directory_at, 1, 0, 0))
    user = record(0x0FF6, struct.pack("<III", 20, token, edit_at))
    return compound({"PowerPoint Document": stream, "Current User": user, "Pictures": drawn})


def biff(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def workbook(*sheets: list[list[str | float]], protected: bool = False) -> bytes:
    bodies = []
    for rows in sheets:
        cells = [biff(0x0809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 6))]
        for y, row in enumerate(rows):
            for x, value in enumerate(row):
                if isinstance(value, str):
                    text = struct.pack("<HHHHB", y, x, 0, len(value), 1) + value.encode("utf-16-le")
                    cells.append(biff(0x0204, text))
                else:
                    cells.append(biff(0x0203, struct.pack("<HHHd", y, x, 0, value)))
        bodies.append(b"".join([*cells, biff(0x0A)]))
    head = biff(0x0809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 6)) + biff(0x42, struct.pack("<H", 1200))
    if protected:
        head += biff(0x2F, struct.pack("<HHH", 0, 1, 2))
    names = [f"Sheet{number}".encode("latin-1") for number in range(1, len(sheets) + 1)]
    size = len(head) + sum(4 + 8 + len(name) for name in names) + 4
    bounds = b""
    for name, body in zip(names, bodies, strict=True):
        bounds += biff(0x85, struct.pack("<IBBBB", size, 0, 0, len(name), 0) + name)
        size += len(body)
    return compound({"Workbook": head + bounds + biff(0x0A) + b"".join(bodies)})


def test_words_text_is_put_together_from_its_pieces(tmp_path: Path) -> None:
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


def test_sheets_have_their_rows(tmp_path: Path) -> None:
    path = file(tmp_path, workbook([["name", "age"], ["Anna", 3.0], ["Bö", 0.1 + 0.2]], [["only"]]), "a.xls")
    assert detect(path, filename="x") == "application/vnd.ms-excel"
    assert xls.count_pages(path, limits=Limits()) == 2
    assert texts_of(xls, path) == [
        "Sheet1",
        "| name | age |\n| --- | --- |\n| Anna | 3 |\n| Bö | 0.3 |",
        "Sheet2",
        "| only |\n| --- |",
    ]


def test_parts_of_a_workbook_are_the_same_from_any_start(tmp_path: Path) -> None:
    path = file(tmp_path, workbook(*[[[f"row {number}", 1.0] for number in range(500)]] * 2))
    parts = parts_of(xls, path)
    assert [part.page_number for part in parts] == [1, 1, 1, 2, 2, 2]
    assert parts_of(xls, path, start=3) == parts[2:]


def test_what_is_encrypted_is_refused_by_name(tmp_path: Path) -> None:
    for parser, data in (
        (doc, word("x", flags=0x0100)),
        (ppt, slides(1, token=0xF3D1C4DF)),
        (xls, workbook([["x"]], protected=True)),
    ):
        with pytest.raises(BadInput, match="encrypted; upload it without a password"):
            parts_of(parser, file(tmp_path, data))


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


def test_pieces_that_overlap_are_bounded(tmp_path: Path) -> None:
    data = bytearray(word("x" * 20_000))
    plc = struct.pack("<3I", 0, 10_000, 20_000)
    at = data.index(plc)
    data[at : at + 12] = struct.pack("<3I", 0, 4_000_000_000, 20_000)
    assert parts_of(doc, file(tmp_path, bytes(data)))


def test_too_many_pages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="more slides than the limit of 2"):
        ppt.count_pages(file(tmp_path, slides(3)), limits=Limits(max_pages=2))
    with pytest.raises(BadInput, match="over the limit of 1"):
        xls.count_pages(file(tmp_path, workbook([["x"]], [["y"]])), limits=Limits(max_pages=1))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    for parser, data in ((doc, word("x" * 9_000)), (ppt, slides(9)), (xls, workbook([["x"]]))):
        with pytest.raises(BadInput):
            parts_of(parser, file(tmp_path, data[:700]))


@pytest.mark.slow
@some_hundred
@given(changes=places)
def test_damage_is_refused_or_read(tmp_path: Path, corpus: Path, changes: list[tuple[float, str, bytes]]) -> None:
    fake = (corpus / "wrong_extension" / "fake.doc").read_bytes()
    sheets = workbook([["name", "age"], ["Anna", 3.0]], [["x"]])
    for name, data in (("a.doc", fake), ("a.doc", word("Text.\r" * 50)), ("a.ppt", slides(3)), ("a.xls", sheets)):
        read_or_refuse(file(tmp_path, mutated(data, changes), name), name)
