"""The media type follows from the content; the file's name only decides between kinds of text."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.parsers import families
from ingest_assets.parsers.detection import media_type
from ingest_assets.parsers.detection.text_type import JSON_LINES
from ingest_assets_tests.parsers.reading import file, png


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)  # of no date: the bytes are part of the test's name
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (b"", "a.pdf", media_type.EMPTY),
        (b"%PDF-1.7\n", "a.txt", media_type.PDF),
        (b"junk\n%PDF-1.4\n1 0 obj", "a", media_type.PDF),
        (b"<catalog><product>Lamp</product></catalog>", "a.xml", "application/xml"),
        (b"<catalog> is how it begins", "a.txt", "text/plain"),
        (b"The first bytes are %PDF-1.4.", "a.txt", "text/plain"),
        (png(), "photo.docx", "image/png"),
        (b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "a.txt", "image/bmp"),
        (b"BM means bench mark", "a.txt", "text/plain"),
        (b"MM\0+\0\x08", "a.tif", "image/tiff"),
        (b"{\\rtf1 x}", "a.doc", "application/rtf"),
        (zipped(mimetype=b"application/epub+zip"), "a.zip", "application/epub+zip"),
        (zipped(a=b"x"), "a.docx", "application/zip"),
        (b"PK\x03\x04" + b"\0" * 26 + b"[Content_Types].xml word/document.xml", "a", media_type.DOCX),
        (b"<!DOCTYPE html><p>x", "a.txt", "text/html"),
        (b"\xef\xbb\xbf\n<HTML><body>x", "a.csv", "text/html"),
        (b"<div>fragment</div>", "a.txt", "text/html"),
        (b"<p align=center>Badge</p>\n\n# Title", "README.md", "text/markdown"),
        (b"<?xml version='1.0'?><article/>", "a.html", "application/xml"),
        (b"<?xml version='1.0'?><html xmlns='x'><p/></html>", "a.xml", "text/html"),
        ("<html><p>x</p></html>".encode("utf-16"), "a.bin", "text/html"),
        (b'{"a": 1}', "a.txt", "application/json"),
        (b"[1] a footnote", "a.txt", "text/plain"),
        (b"a,b\n1,2\n", "a.csv", "text/csv"),
        (b"a,b\n1,2\n", "a.txt", "text/plain"),
        (b"a\tb\tc\n1\t\t3\n4\t5\t\n7\t8\t9\n", "a.txt", "text/csv"),
        (b"a\tb\n1\t2\nand now\tsome\tprose\nx\ty\n", "a.txt", "text/plain"),
        (b"Ada:\tHello\nBob:\tYes\nAda:\tNo\nBob:\tOh\n", "a.txt", "text/plain"),
        (b"1.\tFirst\n2.\tThen\n3.\tAt last\n4.\tEnd\n", "a.txt", "text/plain"),
        (b"<dl><dt>x</dt></dl>", "a.html", "text/html"),
        (b"x < y and y > z", "a.html", "text/plain"),
        (b"diff --git a/x b/x\n-a\n+b\n", "a.patch", "text/x-source"),
        (b"\tindented\n\ttext\n\tof a\n\tletter\n", "a.txt", "text/plain"),
        (b"# Title", "a.md", "text/markdown"),
        (b"plain", "a.html", "text/plain"),
        (b"print('x')", "a.py", "text/x-source"),
        (b"print('x')", "a.txt", "text/plain"),
        (b'{"a": 1}\n{"a": 2}\n', "a.txt", JSON_LINES),
        (b'{"a": 1}\n', "a.jsonl", JSON_LINES),
        (b'{"a":\n{"b": 2}}\n', "a.txt", "application/json"),
        (b"Received: by x\nMessage-ID: <1@x>\nSubject: y\n\nbody", "a.txt", "message/rfc822"),
        (b"From: Ann\nTo: Bob\n\nA memo.", "memo.txt", "text/plain"),
        (b"From: Ann\nTo: Bob\n\nA memo.", "memo.eml", "message/rfc822"),
        (bytes(range(256)) * 8, "a.txt", media_type.UNKNOWN),
        (b"\0" * 5_000, "a.txt", media_type.UNKNOWN),
    ],
)  # fmt: skip
def test_content_decides(tmp_path: Path, data: bytes, name: str, expected: str) -> None:
    assert media_type.detect(file(tmp_path, data), filename=name) == expected


@pytest.mark.parametrize(
    ("type_", "name", "words"),
    [
        ("application/x-tar", "a.tar", "a tar archive (application/x-tar): unpack it"),
        (media_type.ENCRYPTED_OOXML, "a.docx", "upload it without a password"),
        (media_type.EMPTY, "a.txt", "an empty file (0 bytes)"),
        (media_type.UNKNOWN, "a.bin", "binary data of an unknown type"),
        ("application/gzip", "a.gz", "a gzip archive"),
        ("image/heic", "a.heic", "a picture of a format that is not read (image/heic): save it as PNG"),
        ("application/x-nobody-knows", "a.x", "application/x-nobody-knows"),
        ("text/plain", "a.docx", "named .docx, but its content is plain text"),
    ],
)
def test_a_refusal_says_what_it_is_and_what_to_do(type_: str, name: str, words: str) -> None:
    with pytest.raises(BadInput) as refusal:
        families.parser_for(type_, filename=name)
    assert words in str(refusal.value)
    assert name in str(refusal.value)


def test_every_family_has_a_parser_that_fits() -> None:
    for type_ in families._PARSERS:
        parser = families.parser_for(type_, filename="a")
        assert parser.VERSION
        assert callable(parser.read)


def test_a_thousand_comments_are_no_work(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("<!-- lint -->\n" * 1_000 + "# Notes\n")
    assert media_type.detect(path, filename="notes.md") == "text/markdown"
