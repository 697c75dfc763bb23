"""Test that an Office package is checked before anything in it is opened."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import docx as python_docx
import pytest

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits, PagedParser, Parser
from ingest_assets.parsers.docx import parser as docx
from ingest_assets.parsers.pptx import parser as pptx
from ingest_assets.parsers.xlsx import parser as spreadsheet
from ingest_assets_tests.parsers.reading import file, member, parts_of, rewritten, texts_of


@pytest.fixture
def document(tmp_path: Path) -> Path:
    made = python_docx.Document()
    made.add_paragraph("Some text that is read")
    path = tmp_path / "made.docx"
    made.save(str(path))
    return path


def with_body(document: Path, tmp_path: Path, xml: str, *, prolog: str = "") -> Path:
    old = member(document, "word/document.xml").decode()
    start, end = old.index("<w:body>") + 8, old.index("<w:sectPr")
    head = old[: old.index("<w:document")] + prolog + old[old.index("<w:document") : start]
    return rewritten(document, tmp_path / "new.docx", {"word/document.xml": (head + xml + old[end:]).encode()})


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY c SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "prolog", [LAUGHS, OUTSIDE, '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">', f"<!-- x -->{LAUGHS}"]
)
def test_a_document_type_definition_is_refused(document: Path, tmp_path: Path, prolog: str) -> None:
    path = with_body(document, tmp_path, "<w:p><w:r><w:t>&c;</w:t></w:r></w:p>", prolog=prolog)
    with pytest.raises(BadInput, match="document type definition"):
        parts_of(docx, path)


def test_a_document_type_definition_in_utf16_is_refused(document: Path, tmp_path: Path) -> None:
    xml = f'<?xml version="1.0" encoding="utf-16"?>{LAUGHS}<Types/>'.encode("utf-16")
    with pytest.raises(BadInput, match="document type definition"):
        parts_of(docx, rewritten(document, tmp_path / "new.docx", {"word/styles.xml": xml}))


def test_a_bomb_is_refused_by_its_ratio_and_by_its_size(document: Path, tmp_path: Path) -> None:
    bomb = rewritten(document, tmp_path / "bomb.docx", {"word/media/image1.png": b"\0" * 50_000_000})
    with pytest.raises(BadInput, match="times its size"):
        parts_of(docx, bomb)
    with pytest.raises(BadInput, match="over the limit of 1 MB"):
        list(docx.read(bomb, limits=Limits(max_unpacked_bytes=1_000_000)))


def test_a_size_that_lies_is_refused(document: Path, tmp_path: Path) -> None:
    path = rewritten(document, tmp_path / "lie.docx", {"word/document.xml": b"<x>" + b" " * 5_000_000 + b"</x>"})
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02", 0, data.rindex(b"word/document.xml"))
    data[place + 24 : place + 28] = struct.pack("<I", 100)
    with pytest.raises(BadInput):
        parts_of(docx, file(tmp_path, bytes(data), "lie2.docx"))


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    # Written by hand, which is ten times faster: central directory headers, then the end record (APPNOTE 4.3).
    names = [f"{number:05}".encode() for number in range(50_001)]
    directory = b"".join(struct.pack("<4s6H3I5H2I", b"PK\1\2", *[20] * 2, *[0] * 7, 5, *[0] * 6) + n for n in names)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(names), len(names), len(directory), 0, 0)
    with pytest.raises(BadInput, match="50,001 members"):
        parts_of(docx, file(tmp_path, directory + end))


def test_members_with_names_outside_the_package_are_never_written(document: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    path = rewritten(document, inner / "climb.docx", {"../../climbed.xml": b"<x/>", "/tmp-climbed.xml": b"<x/>"})
    assert texts_of(docx, path) == ["Some text that is read"]
    assert not (tmp_path / "climbed.xml").exists()


@pytest.mark.parametrize("parser", [docx, pptx, spreadsheet])
@pytest.mark.parametrize("share", [0, 0.3, 0.7, 0.99])
def test_truncated_files_are_refused(document: Path, tmp_path: Path, parser: Parser, share: float) -> None:
    data = document.read_bytes()
    path = file(tmp_path, data[: int(len(data) * share)])
    with pytest.raises(BadInput):
        parts_of(parser, path)


@pytest.mark.parametrize("parser", [pptx, spreadsheet])
def test_pages_of_a_truncated_file_are_not_counted(document: Path, tmp_path: Path, parser: PagedParser) -> None:
    data = document.read_bytes()
    with pytest.raises(BadInput):
        parser.count_pages(file(tmp_path, data[: len(data) // 2]), limits=Limits())


@pytest.mark.parametrize("parser", [pptx, spreadsheet])
def test_a_document_of_another_kind_is_refused(document: Path, parser: Parser) -> None:
    with pytest.raises(BadInput, match="cannot be read as"):
        parts_of(parser, document)


def test_a_package_without_content_types_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    with pytest.raises(BadInput, match="Content_Types"):
        parts_of(docx, file(tmp_path, out.getvalue()))


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<w:document",
        "<other/>",
        "\0\0\0",
        *(f"<?xml version='1.0' encoding='{name}'?><a/>" for name in ("U-F-8", "gbk")),
    ],
)
def test_a_broken_main_part_is_refused(document: Path, tmp_path: Path, xml: str) -> None:
    with pytest.raises(BadInput):
        parts_of(docx, rewritten(document, tmp_path / "new.docx", {"word/document.xml": xml.encode()}))


def test_a_relationship_to_nothing_does_not_matter(document: Path, tmp_path: Path) -> None:
    rels = member(document, "word/_rels/document.xml.rels").replace(
        b"</Relationships>", b'<Relationship Id="rIdX" Type="http://x/image" Target="NULL"/></Relationships>'
    )
    path = rewritten(document, tmp_path / "new.docx", {"word/_rels/document.xml.rels": rels})
    assert texts_of(docx, path) == ["Some text that is read"]


def test_a_macro_document_is_read_as_the_document_it_is(document: Path, tmp_path: Path) -> None:
    types = member(document, "[Content_Types].xml").replace(
        b"openxmlformats-officedocument.wordprocessingml.document.main", b"ms-word.document.macroEnabled.main"
    )
    assert types != member(document, "[Content_Types].xml")
    assert texts_of(docx, rewritten(document, tmp_path / "new.docm", {"[Content_Types].xml": types})) == [
        "Some text that is read"
    ]


def test_no_copy_is_left_behind(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    test_a_relationship_to_nothing_does_not_matter(document, tmp_path)
    assert list(folder.iterdir()) == []
