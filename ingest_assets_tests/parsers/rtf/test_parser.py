"""Test rich text: encodings, Unicode, tables, notes, pictures, and groups without end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_assets.errors import BadInput
from ingest_assets.parsers.rtf import parser as rtf
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.mutation import many_files, mutated, places, read_or_refuse
from ingest_assets_tests.parsers.reading import elements_of, file, parts_of, png, texts_of

FONTS = r"{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset128 MS Mincho;}{\f2\fcharset204 Arial;}{\f3\fcharset2 Symbol;}}"


def document(body: str, *, head: str = FONTS) -> bytes:
    return (r"{\rtf1\ansi\ansicpg1252\deff0" + head + body + "}").encode("latin-1")


def texts(tmp_path: Path, body: str) -> list[str]:
    return texts_of(rtf, file(tmp_path, document(body)))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (r"caf\'e9 \'80", "café €"),
        (r"{\f1 \'83\'5d\'83\'8b\'83\'51}", "ゾルゲ"),
        (r"{\f1 \'83A\'83C}", "アイ"),
        (r"{\f2 \'cf\'f0\'e8}", "При"),
        (r"\uc1\u8364 ?\u8211?x", "€–x"),
        (r"\uc2\u12478 \'83\'5d!", "ゾ!"),
        (r"\u-10179?\u-8704?", "😀"),
        (r"\uc0\u233 t\u233 ", "été"),
        (r"{\f3 \'b7} item", "• item"),
        (r"a\~b\_c\-d\{\}\\", "a b‑cd{}\\"),
        (r"{\v hidden}shown{\deleted gone}", "shown"),
        (r"{\*\unknown skipped}kept{\info{\title skipped}}", "kept"),
        (r"{\field{\*\fldinst HYPERLINK \"x\"}{\fldrslt the link}}", "the link"),
        (r"{\upr{\'e9 ansi}{\*\ud{\u233?unicode}}}", "éunicode"),
        (r"one\line two", "one\ntwo"),
    ],
)
def test_text_is_decoded(tmp_path: Path, body: str, expected: str) -> None:
    assert texts(tmp_path, body + r"\par") == [expected]


def test_styles_and_outlines_are_titles(tmp_path: Path) -> None:
    head = FONTS + r"{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 heading 1;}{\s7 \'dcberschrift 3;}}"
    body = r"\pard\s1 One\par\pard Text.\par{\pard\s7 Three\par}\pard\outlinelevel1 Two\par"
    elements = elements_of(rtf, file(tmp_path, document(body, head=head)))
    assert [(e.type, e.level, e.text) for e in elements] == [
        (ElementType.TITLE, 1, "One"),
        (ElementType.NARRATIVE_TEXT, 0, "Text."),
        (ElementType.TITLE, 3, "Three"),
        (ElementType.TITLE, 2, "Two"),
    ]


def test_items_tables_notes_and_headers(tmp_path: Path) -> None:
    table = r"\trowd\pard\intbl a\cell b\cell\row\trowd\pard\intbl c\par d\cell e\cell\row\pard"
    body = (
        r"{\header\pard Top\par}\pard{\listtext\'b7\tab}item\par"
        rf"\pard Text{{\super{{\footnote\pard A note.}}}} on.\par{table} After.\par"
    )
    assert [(e.type, e.text) for e in elements_of(rtf, file(tmp_path, document(body)))] == [
        (ElementType.LIST_ITEM, "item"),
        (ElementType.HEADER, "Top"),
        (ElementType.NARRATIVE_TEXT, "Text on."),
        (ElementType.FOOTNOTE, "A note."),
        (ElementType.TABLE, "| a | b |\n| --- | --- |\n| c d | e |"),
        (ElementType.NARRATIVE_TEXT, "After."),
    ]


def test_pictures_in_hex_and_in_bytes(tmp_path: Path) -> None:
    red, blue = png("red"), png("blue")
    shape = r"{\*\shppict{\pict{\*\picprop{\sp{\sn x}}}{\*\blipuid 00ff}\pngblip\picw64 " + red.hex("\n", 32) + "}}"
    fallback = r"{\nonshppict{\pict\wmetafile8 0100}}"
    data = (
        document(f"Text. {shape}{fallback}", head="")[:-1] + rb"{\pict\pngblip\bin" + b"%d " % len(blue) + blue + b"}}"
    )
    (part,) = parts_of(rtf, file(tmp_path, data))
    assert [picture.data for picture in part.pictures] == [red, blue]
    assert (part.elements[0].text, part.warnings) == ("Text.", ())


def test_a_picture_that_cannot_be_read_is_a_warning(tmp_path: Path) -> None:
    (part,) = parts_of(rtf, file(tmp_path, document(r"{\pict\wmetafile8 0100090000}Text.\par")))
    assert "a WMF drawing" in part.warnings[0]


def test_deep_groups_and_endless_notes_end(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nested deeper"):
        parts_of(rtf, file(tmp_path, b"{\\rtf1 " + b"{" * 2_000_000))
    assert texts(tmp_path, "{" * 5_000 + "x" + "}" * 5_000) == ["x"]
    start = time.process_time()
    parts_of(rtf, file(tmp_path, b"{\\rtf1 " + b"\\footnote x" * 100_000))
    assert time.process_time() - start < 10


def test_raw_bytes_that_claim_gigabytes_are_read_to_the_end_of_the_file(tmp_path: Path) -> None:
    assert parts_of(rtf, file(tmp_path, rb"{\rtf1 Text.\par{\pict\pngblip\bin2000000000 abc"))[0].elements


def test_a_file_that_is_cut_off_is_read_with_a_warning(tmp_path: Path) -> None:
    (part,) = parts_of(rtf, file(tmp_path, document(r"One.\par Two.")[:-1]))
    assert [e.text for e in part.elements] == ["One.", "Two."]
    assert "cut off" in part.warnings[0]


def test_parts_are_the_same_from_any_start(tmp_path: Path) -> None:
    body = "".join(rf"\pard Paragraph number {number} says something.\par" for number in range(4_000))
    parts = parts_of(rtf, file(tmp_path, document(body)))
    assert len(parts) > 3
    assert parts_of(rtf, file(tmp_path, document(body)), start=3) == parts[2:]


def test_tokens_are_the_same_wherever_a_block_ends(tmp_path: Path) -> None:
    for shift in range(70):
        body = "x" * (65_536 - shift) + r"\'e9\u8364?{\b bold}\par"
        assert "".join(texts(tmp_path, body)).endswith("xé€bold")


@pytest.mark.slow
@many_files
@given(changes=places, noise=st.text(alphabet="\\{}'u*19 \n\tfabpict", max_size=200))
def test_damage_is_refused_or_read(
    tmp_path: Path, corpus: Path, changes: list[tuple[float, str, bytes]], noise: str
) -> None:
    path = file(tmp_path, mutated((corpus / "rtf" / "testRTFVarious.rtf").read_bytes(), changes))
    read_or_refuse(path, "made.rtf")
    read_or_refuse(file(tmp_path, document(noise)), "made.rtf")


def test_a_list_keeps_its_numbers_and_not_its_bullets(tmp_path: Path) -> None:
    body = (
        r"{\listtext\pard\plain 4.2\tab}The lamp is lit.\par{\pntext\bullet\tab}At dusk.\par"
        r"{\listtext o\tab}And put out.\par o\tab later\par"
    )
    assert texts(tmp_path, body) == ["4.2 The lamp is lit.", "At dusk.", "And put out.", "o later"]
