"""Test Outlook messages: properties, recipients, code pages, attachments, mails inside mails."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given

from ingest_assets.errors import BadInput
from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.parsers.mail import compressed_rtf, outlook
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.mutation import many_files, mutated, places, read_or_refuse
from ingest_assets_tests.parsers.office97.ole import compound
from ingest_assets_tests.parsers.reading import elements_of, file, parts_of, png, texts_of

# spaCy, which unstructured loads to read HTML, gives DeprecationWarnings.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SUBJECT, BODY, HTML, RTF, SENDER = "0037001F", "1000001F", "10130102", "10090102", "0C1A001F"


def fixed(header_bytes: int, numbers: Mapping[int, int]) -> bytes:
    """Write a list of properties, by their ids."""
    rows = [struct.pack("<HHIQ", 0x40 if value > 1 << 32 else 3, number, 6, value) for number, value in numbers.items()]
    return bytes(header_bytes) + b"".join(rows)


def message(
    texts: Mapping[str, str | bytes], numbers: Mapping[int, int] | None = None, *, at: str = "", header_bytes: int = 32
) -> dict[str, bytes]:
    streams = {f"{at}__properties_version1.0": fixed(header_bytes, numbers or {})}
    for number, value in texts.items():
        data = value.encode("utf-16-le") if isinstance(value, str) else value
        streams[f"{at}__substg1.0_{number}"] = data
    return streams


def recipient(number: int, kind: int, name: str, address: str) -> dict[str, bytes]:
    at = f"__recip_version1.0_#{number:08X}/"
    return message({"3001001F": name, "39FE001F": address}, {0x0C15: kind}, at=at, header_bytes=8)


def attachment(number: int, name: str, data: bytes, numbers: Mapping[int, int] | None = None) -> dict[str, bytes]:
    at = f"__attach_version1.0_#{number:08X}/"
    return message({"3707001F": name, "37010102": data}, numbers, at=at, header_bytes=8)


def made(tmp_path: Path, *pieces: dict[str, bytes]) -> Path:
    return file(tmp_path, compound({name: data for piece in pieces for name, data in piece.items()}), "a.msg")


def test_subject_people_date_and_text(tmp_path: Path) -> None:
    texts: dict[str, str | bytes] = {SUBJECT: "Plan", BODY: "The text.", SENDER: "Ann", "5D01001F": "ann@example.org"}
    people = recipient(0, 1, "Bob", "bob@example.org") | recipient(1, 2, "Cleo", "cleo@example.org")
    path = made(tmp_path, message(texts, {0x0039: 133258374000000000}), people)
    assert detect(path, filename="a.doc") == "application/vnd.ms-outlook"
    assert texts_of(outlook, path) == [
        "Plan",
        "From: Ann <ann@example.org>",
        "To: Bob <bob@example.org>",
        "Cc: Cleo <cleo@example.org>",
        "Date: 2023-04-13 05:30 UTC",
        "The text.",
    ]


def test_attachments_are_documents_and_inline_pictures_pictures(tmp_path: Path) -> None:
    path = made(
        tmp_path,
        message({SUBJECT: "Plan", BODY: "The text."}),
        attachment(0, "note.md", b"# Head\n\nIn the note."),
        attachment(1, "logo.png", png(), {0x7FFE: 1}),
        attachment(2, "tool.exe", b"\x7fELF"),
    )
    parts = parts_of(outlook, path)
    assert [(e.text, e.level) for part in parts for e in part.elements if e.type is ElementType.TITLE] == [
        ("Plan", 1),
        ("note.md", 2),
        ("Head", 3),
    ]
    assert [len(part.pictures) for part in parts] == [1, 0, 0]
    assert "tool.exe was left out: a program" in parts[-1].warnings[0]
    assert parts_of(outlook, path, start=2) == parts[1:]


def test_a_mail_in_a_mail_stands_below(tmp_path: Path) -> None:
    at = "__attach_version1.0_#00000000/"
    inner = message({SUBJECT: "Inner", BODY: "Deep."}, at=f"{at}__substg1.0_3701000D/", header_bytes=24)
    path = made(tmp_path, message({SUBJECT: "Outer", BODY: "Text."}), message({}, at=at, header_bytes=8), inner)
    assert [(e.text, e.level) for e in elements_of(outlook, path)] == [
        ("Outer", 1),
        ("Text.", 0),
        ("Inner", 2),
        ("Deep.", 0),
    ]


@pytest.mark.parametrize(
    ("codec", "numbers"), [("cp950", {}), ("cp950", {0x3FFD: 950}), ("cp950", {0x3FFD: 1251}), ("utf-8", {})]
)
def test_texts_of_bytes_are_read_in_any_code_page(tmp_path: Path, codec: str, numbers: dict[int, int]) -> None:
    text = "格式測試中文的資料，我們可以在這裡看到不同的國家和人民的時間。"
    path = made(tmp_path, message({"0037001E": "測試".encode(codec), "1000001E": text.encode(codec)}, numbers))
    if numbers != {0x3FFD: 1251}:
        assert texts_of(outlook, path) == ["測試", text]
    else:
        assert parts_of(outlook, path)


@pytest.mark.parametrize("numbers", [{0x3FFD: 1252}, {}])
def test_a_damaged_byte_of_a_text_costs_one_character(tmp_path: Path, numbers: dict[int, int]) -> None:
    body = "Le bateau part à neuf heures, dès le début de l'été. ".encode("cp1252") + b"\x93quai\x9d fin."
    path = made(tmp_path, message({"0037001E": b"Bateau", "1000001E": body}, numbers))
    assert "Le bateau part à neuf heures, dès le début de l'été. “quai\ufffd fin." in texts_of(outlook, path)


def test_html_and_rich_text_stand_in_for_a_missing_text(tmp_path: Path) -> None:
    page = message({SUBJECT: "Page", HTML: "<p>Größe</p>".encode("cp1252")}, {0x3FDE: 1252})
    assert texts_of(outlook, made(tmp_path, page)) == ["Page", "Größe"]
    rich = rb"{\rtf1\ansi Rich \'e9.\par}"
    packed = struct.pack("<II4sI", len(rich) + 12, len(rich), b"MELA", 0) + rich
    assert texts_of(outlook, made(tmp_path, message({SUBJECT: "Rich", RTF: packed}))) == ["Rich", "Rich é."]


def test_rich_text_is_unpacked_as_its_specification_shows() -> None:
    # MS-OXRTFCP, 4.2.2
    packed = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    assert compressed_rtf.unpack(packed) == rb"{\rtf1 WXYZWXYZWXYZWXYZWXYZ}"


def test_an_encrypted_mail_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="encrypted"):
        parts_of(outlook, made(tmp_path, message({SUBJECT: "x", "001A001F": "IPM.Note.SMIME"})))


@pytest.mark.slow
@many_files
@given(changes=places)
def test_damage_is_refused_or_read(tmp_path: Path, corpus: Path, changes: list[tuple[float, str, bytes]]) -> None:
    for name in ("fake-email-attachment.msg", "testMSG_chinese.msg"):
        read_or_refuse(file(tmp_path, mutated((corpus / "msg" / name).read_bytes(), changes), name), name)
