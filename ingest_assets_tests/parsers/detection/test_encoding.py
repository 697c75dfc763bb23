"""Encodings: found from the bytes; a declaration and a few damaged bytes do not mislead."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.parsers.detection.encoding import decode, decode_bytes, detect
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


def _read(path: Path, *, declared: str = "") -> str:
    return "".join(decode(path, detect(path, declared=declared)))


# A lead byte without its second half, or a byte that the code page does not define; then the next words.
DAMAGED = [
    *((text, codec, b"\x9d") for text, codec in ((GERMAN, "cp1252"), (FRENCH, "cp1252"))),
    *((FRENCH, "cp1252", code) for code in (b"\x81", b"\x8d", b"\x8f", b"\x90")),
    *((POLISH, "cp1250", code) for code in (b"\x81", b"\x83", b"\x88", b"\x90", b"\x98")),
    (RUSSIAN, "cp1251", b"\x98"),
    (GREEK, "cp1253", b"\xd2"),
    (HEBREW, "cp1255", b"\xd9"),
    (THAI, "cp874", b"\xdb"),
    (CHINESE, "gb18030", b"\xb6"),
    (TAIWANESE, "big5", b"\xa4"),
    (JAPANESE, "cp932", b"\x93"),
    (JAPANESE, "euc_jp", b"\xa4"),
    (KOREAN, "euc_kr", b"\xb0"),
    *((text, "utf-8", b"\xe5") for text in (GERMAN, FRENCH, RUSSIAN, ARABIC, CHINESE, JAPANESE, KOREAN, THAI)),
    *((text, "utf-8", b"\xd0") for text in (POLISH, GREEK, HEBREW, TAIWANESE)),
]


@pytest.mark.parametrize("is_declared", [False, True], ids=["undeclared", "declared"])
@pytest.mark.parametrize(("text", "codec", "broken"), DAMAGED)
def test_one_damaged_byte_costs_one_character(
    tmp_path: Path, text: str, codec: str, broken: bytes, is_declared: bool
) -> None:
    data = text.encode(codec) + broken + b" " + text.encode(codec)
    declared = codec if is_declared else ""
    assert _read(file(tmp_path, data), declared=declared) == f"{text}\ufffd {text}"
    assert decode_bytes(data, declared=declared) == f"{text}\ufffd {text}"


@pytest.mark.parametrize(
    ("text", "codec"), [(GERMAN, "utf-8"), (CHINESE, "gb18030"), (JAPANESE, "cp932"), (KOREAN, "cp949")]
)
def test_a_text_that_is_cut_in_its_last_character_is_itself(tmp_path: Path, text: str, codec: str) -> None:
    path = file(tmp_path, (text * 3).encode(codec) + "字".encode(codec)[:-1])
    assert _read(path) == text * 3 + "\ufffd"


@pytest.mark.parametrize(("text", "codec"), [(GERMAN, "utf-8"), (GERMAN, "cp1252"), (CHINESE, "gb18030")])
def test_one_line_without_end_is_judged_by_where_it_is_not_ascii(tmp_path: Path, text: str, codec: str) -> None:
    """Minified JSON: one line, and ASCII as far as a sample of its beginning reaches."""
    data = b'{"id":1},' * 2000 + f'{{"text":"{text}"}}'.encode(codec) + b',"\x9d",' + b'{"id":1},' * 20_000
    assert f'{{"text":"{text}"}},"\ufffd",' in _read(file(tmp_path, data))


def test_a_pair_of_surrogates_in_utf8_is_its_character(tmp_path: Path) -> None:
    data = (
        "Würde ".encode() + "😀".encode("utf-16-be").decode("utf-16-be").encode() + b" \xed\xa0\xbd\xed\xb8\x80 Recht"
    )
    assert _read(file(tmp_path, data)) == "Würde 😀 😀 Recht"
    assert decode_bytes(data, declared="utf-8") == "Würde 😀 😀 Recht"


def test_the_euro_of_a_chinese_windows_is_a_euro(tmp_path: Path) -> None:
    data = CHINESE.encode("gbk") + b"\x8014" + CHINESE.encode("gbk")
    assert _read(file(tmp_path, data)) == f"{CHINESE}€14{CHINESE}"
    assert decode_bytes(data, declared="gb2312") == f"{CHINESE}€14{CHINESE}"


def test_japanese_mail_with_a_sign_that_its_alphabet_lacks_stays_japanese() -> None:
    """Windows writes circled numbers (0x2D21) into ISO-2022-JP, which does not have them."""
    data = JAPANESE.encode("iso2022_jp") + b"\x1b$B-!\x1b(B" + JAPANESE.encode("iso2022_jp")
    for declared in ("", "iso-2022-jp"):
        assert decode_bytes(data, declared=declared) == f"{JAPANESE}\ufffd{JAPANESE}"


@pytest.mark.parametrize(
    ("text", "codec", "declared"),
    [
        (RUSSIAN.upper(), "cp866", "iso-8859-1"),
        (JAPANESE, "cp932", "iso-8859-1"),
        (JAPANESE, "cp932", "us-ascii"),
        (CHINESE, "gb18030", "utf-8"),
        (FRENCH, "cp1252", "utf-8"),
        (GERMAN, "cp1252", "us-ascii"),
        (GERMAN, "utf-8", "iso-8859-1"),
        (GERMAN, "cp1252", "undefined"),
        (GERMAN, "cp1252", "utf-16"),
        ("Words.", "ascii", "utf-16"),
        ("Café", "cp1252", "utf-8"),
    ],
)
def test_a_wrong_declaration_does_not_mislead(tmp_path: Path, text: str, codec: str, declared: str) -> None:
    assert _read(file(tmp_path, text.encode(codec)), declared=declared) == text
    assert decode_bytes(text.encode(codec), declared=declared) == text


@pytest.mark.parametrize(
    ("text", "codec", "declared"),
    [
        ("“Straße” – 5 €", "cp1252", "iso-8859-1"),
        ("“Straße” – 5 €", "cp1252", "x-cp1252"),
        ("镕基", "gb18030", "gb2312"),
        ("①東京", "cp932", "shift_jis"),
        ("①東京", "euc_jis_2004", "x-euc-jp"),
        ("똠방각하", "cp949", "ks_c_5601-1987"),
        ("שלום עולם", "iso8859_8", "ISO-8859-8-I"),
        ("Да", "cp866", "dos-866"),
        ("Łódź", "iso8859_2", "iso-8859-2"),
        ("東京", "utf-7", "utf-7"),
        ("Wörter", "utf-16-le", "utf-16le"),
    ],
)
def test_a_declared_name_stands_for_the_larger_encoding_that_programs_mean(
    text: str, codec: str, declared: str
) -> None:
    assert decode_bytes(text.encode(codec), declared=declared) == text


@pytest.mark.parametrize("codec", ["utf-8", "cp1252"])
def test_a_stray_nul_does_not_make_utf16_of_a_short_table(tmp_path: Path, codec: str) -> None:
    text = "name,depth\nKästrel\0,1.5\nHeron,2\n"
    assert _read(file(tmp_path, text.encode(codec))) == text


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [f"{CHINESE}\n", f"{RUSSIAN}\n", "a,b\n1,2\n"])
def test_short_utf16_without_a_mark_stays_utf16(tmp_path: Path, text: str, codec: str) -> None:
    assert _read(file(tmp_path, text.encode(codec))) == text
