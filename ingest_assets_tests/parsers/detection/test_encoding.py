"""The encoding is found from the bytes, whatever they say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.parsers.detection.encoding import decode, detect
from ingest_assets_tests.parsers.reading import file

GERMAN = "Alle Menschen sind frei und gleich an Würde und Rechten geboren, im Geiste der Brüderlichkeit."
FRENCH = "Tous les êtres humains naissent libres et égaux en dignité ; ils sont doués de raison."
POLISH = "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw."
RUSSIAN = "Все люди рождаются свободными и равными в своем достоинстве и правах."
GREEK = "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα."
HEBREW = "כל בני אדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון."
ARABIC = "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق وقد وهبوا عقلا وضميرا"
JAPANESE = "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"
CHINESE = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。"
TAIWANESE = "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心。"
KOREAN = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다."
THAI = "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ"


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        *(
            (GERMAN, codec)
            for codec in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le")
        ),
        *((GERMAN, codec) for codec in ("cp1252", "cp850", "mac_roman")),
        *((FRENCH, codec) for codec in ("cp1252", "cp850", "mac_roman")),
        *((POLISH, codec) for codec in ("cp1250", "iso8859_2", "cp852")),
        *((RUSSIAN, codec) for codec in ("cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic", "utf-16-be")),
        *((GREEK, codec) for codec in ("cp1253", "iso8859_7")),
        *((HEBREW, codec) for codec in ("cp1255", "iso8859_8")),
        *((JAPANESE, codec) for codec in ("cp932", "euc_jp", "iso2022_jp", "utf-16-le")),
        (ARABIC, "cp1256"),
        (CHINESE, "gb18030"),
        (TAIWANESE, "big5"),
        (KOREAN, "cp949"),
        (THAI, "cp874"),
    ],
)
def test_a_sentence_is_enough(tmp_path: Path, text: str, codec: str) -> None:
    path = file(tmp_path, f"{text}\n".encode(codec))
    assert "".join(decode(path, detect(path))).lstrip("\ufeff") == f"{text}\n"


def test_one_foreign_letter_after_a_megabyte_counts(tmp_path: Path) -> None:
    path = file(tmp_path, b"plain ASCII line\n" * 70_000 + "Das Caf\u00e9 in K\u00f6ln\n".encode("cp1252"))
    assert "Café in Köln" in "".join(decode(path, detect(path)))


def test_one_broken_line_does_not_turn_utf8_into_something_else(tmp_path: Path) -> None:
    path = file(tmp_path, "Würde\n".encode() * 50 + b"broken \xff here\n" + "Geiste für alle\n".encode())
    assert detect(path) == "utf-8"


def test_utf8_cut_at_any_byte_of_a_long_line_is_utf8(tmp_path: Path) -> None:
    for shift in range(4):
        path = file(tmp_path, b"x" * shift + "中文字".encode() * 50_000)
        assert detect(path) == "utf-8"


def test_a_declaration_is_believed_where_it_decodes(tmp_path: Path) -> None:
    path = file(tmp_path, "œuvre".encode("iso8859_15"))
    assert detect(path, declared="iso-8859-15") == "iso8859-15"
    assert detect(path, declared="no-such-thing")


@pytest.mark.parametrize("data", [b"\0" * 4096, bytes(range(256)) * 16, b"\x01\x02\x03\x04" * 100])
def test_binary_data_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadInput, match="binary data"):
        detect(file(tmp_path, data))
