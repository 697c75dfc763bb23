"""A damaged byte costs one character in documents of every format that is text."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.parsers.families import parser_for
from ingest_assets_tests.parsers.reading import file, texts_of

NORWEGIAN = "Fergen går fra søndre brygge, og kiosken er åpen hele året."
CHINESE = "渡船每个星期天早上九点从码头出发，船票价格是十四元。"
KOREAN = "나룻배는 매주 일요일 아침 아홉 시에 북쪽 부두에서 떠납니다."
MAIL = b"From: a@example.org\nMessage-ID: <1@example.org>\nMIME-Version: 1.0\n"

CUT_CHINESE = CHINESE.encode("gbk") + b"\xb6"
CASES = [
    (
        "footer.eml",
        MAIL + b"Content-Type: text/plain; charset=utf-8\n\n" + NORWEGIAN.encode() + b"\n\nSjekket av v\xe5r server.\n",
        [NORWEGIAN, "Sjekket av v\ufffdr server."],
    ),
    (
        "subject.eml",
        MAIL + b"Subject: =?utf-8?Q?Br=C3=BCcke_=C3=BCber_die_F=C3=B6rde_f=C3?=\n\nText.\n",
        ["Brücke über die Förde f\ufffd"],
    ),
    (
        "attachment.eml",
        MAIL + b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n"
        b'Content-Disposition: attachment; filename="=?gb2312?Q?=B4=AC=C6=B1=BC=DB=B8=F1=B4?=.txt"\n\nInside.\n--x--\n',
        ["船票价格\ufffd.txt"],
    ),
    (
        "page.html",
        b'<html><head><meta charset="gbk"></head><body><p>' + CUT_CHINESE + b" .</p></body>",
        [f"{CHINESE}\ufffd ."],
    ),
    ("page.md", b"# Titel\n\n" + NORWEGIAN.encode() + b" v\xe5r\n", [f"{NORWEGIAN} v\ufffdr"]),
    ("text.txt", CUT_CHINESE + b" .\n", [f"{CHINESE}\ufffd ."]),
    ("rows.csv", "배,시각\n".encode("cp949") + KOREAN.encode("cp949") + b",\xb0\n", [KOREAN]),
    ("minified.json", b'[{"a":"' + NORWEGIAN.encode() + b'","b":"v\xe5r"}]', [NORWEGIAN]),
    ("rows.jsonl", b'{"a":"x"}\n{"a":"' + NORWEGIAN.encode() + b'","b":"v\xe5r"}\n', [NORWEGIAN]),
    ("code.py", b"# " + NORWEGIAN.encode("cp1252") + b" \x93v\xe5r\x9d\nx = 1\n", [f"# {NORWEGIAN} “vår\ufffd"]),
]


@pytest.mark.parametrize(("name", "data", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_damaged_byte_costs_one_character(tmp_path: Path, name: str, data: bytes, expected: list[str]) -> None:
    path = file(tmp_path, data, name)
    text = "\n".join(texts_of(parser_for(detect(path, filename=name), filename=name), path))
    for words in expected:
        assert words in text


def test_a_member_of_an_archive_is_read_with_its_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("text.txt", CUT_CHINESE + b" .\n")
    assert f"{CHINESE}\ufffd ." in texts_of(parser_for(detect(path, filename="a.zip"), filename="a.zip"), path)
