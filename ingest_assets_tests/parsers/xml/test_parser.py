"""Test that XML of any schema gives its text, and nothing from outside the file."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.parsers.xml import parser as xml_text
from ingest_assets_tests.parsers.reading import elements_of, file, parts_of, texts_of


def test_titles_paragraphs_and_mark_up_inside_them(tmp_path: Path) -> None:
    source = (
        "<article><title>Name</title><sec><title>Inner</title><p><b>Bold</b> and <i>more</i> text.</p>"
        "<list><item>one thing</item></list></sec></article>"
    )
    assert [(e.type.value, e.level, e.text) for e in elements_of(xml_text, file(tmp_path, source))] == [
        ("Title", 1, "Name"),
        ("Title", 2, "Inner"),
        ("NarrativeText", 0, "Bold and more text."),
        ("ListItem", 0, "one thing"),
    ]


def test_fields_of_a_record_are_one_paragraph(tmp_path: Path) -> None:
    assert texts_of(xml_text, file(tmp_path, "<r><name>Ada</name><city>London</city></r>")) == ["Ada, London"]


def test_entities_that_multiply_are_refused(tmp_path: Path) -> None:
    laughs = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    source = f'<!DOCTYPE x [<!ENTITY e0 "ha">{laughs}]><x><p>a &e11; b</p></x>'
    with pytest.raises(BadInput, match="cannot be read as XML"):
        parts_of(xml_text, file(tmp_path, source))


def test_entities_are_not_fetched(tmp_path: Path) -> None:
    source = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x><p>before &f; behind</p></x>'
    assert "root:" not in " ".join(texts_of(xml_text, file(tmp_path, source)))


def test_the_text_before_a_broken_end_is_kept(tmp_path: Path) -> None:
    assert texts_of(xml_text, file(tmp_path, "<x><p>One sentence.</p><p>Two sent"))[0] == "One sentence."


def test_a_file_that_is_no_xml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read as XML"):
        parts_of(xml_text, file(tmp_path, "just words"))


def test_a_file_that_was_cut_off_has_a_problem(tmp_path: Path) -> None:
    parts = parts_of(xml_text, file(tmp_path, "<a><p>The lamp is lit at dusk.</p><p>And put out at"))
    assert "lamp" in parts[0].elements[0].text
    assert "damaged" in parts[-1].problem


def test_damage_without_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read as XML"):
        parts_of(xml_text, file(tmp_path, "<a>" * 100_000))


@pytest.mark.parametrize("root", ["a", "ref", "code", "note"])
def test_the_outermost_element_is_a_paragraph_whatever_its_name(tmp_path: Path, root: str) -> None:
    assert texts_of(xml_text, file(tmp_path, f"<{root}><b>The lamp is</b> lit.</{root}>")) == ["The lamp is lit."]


def test_an_undeclared_entity_loses_no_other_word(tmp_path: Path) -> None:
    source = '<!DOCTYPE x SYSTEM "x.dtd"><x><p>The lamp&nbsp;is lit &amp; put out.</p></x>'
    assert texts_of(xml_text, file(tmp_path, source)) == ["The lamp is lit & put out."]


def test_a_row_keeps_its_empty_cells(tmp_path: Path) -> None:
    source = "<?xml version='1.0'?><table><tr><td>1</td><td/><td>a|b</td></tr></table>"
    assert texts_of(xml_text, file(tmp_path, source)) == ["1 | | a\\|b"]


def test_a_document_with_attributes_only_gives_its_attributes(tmp_path: Path) -> None:
    source = '<?xml version="1.0"?><catalog><product name="Widget" price="9.99"/></catalog>'
    assert texts_of(xml_text, file(tmp_path, source)) == ["product: name: Widget, price: 9.99"]


def test_a_declaration_of_utf16_in_ascii_bytes_is_ignored(tmp_path: Path) -> None:
    source = '<?xml version="1.0" encoding="utf-16"?><note><to>Ännchen</to></note>'
    assert texts_of(xml_text, file(tmp_path, source)) == ["Ännchen"]
    assert texts_of(xml_text, file(tmp_path, source.encode("utf-16"))) == ["Ännchen"]


def test_a_line_break_separates_words(tmp_path: Path) -> None:
    assert texts_of(xml_text, file(tmp_path, "<x><p>The lamp<lb/>is lit.</p></x>")) == ["The lamp is lit."]


@pytest.mark.parametrize(
    ("inside", "read"),
    [
        ("<country><code>DE</code><name>Germany</name></country>", ["DE, Germany"]),
        ("<sec><b>Bold words.</b><p>The lamp is lit.</p></sec>", ["Bold words.", "The lamp is lit."]),
        ("<rows><row>hello one.</row></rows>", ["hello one."]),
        ("<tr><td>1</td>&nbsp;<td>2</td></tr>", ["1 | 2"]),
        ("<p>The &notice; is &co; here.</p>", ["The &notice; is &co; here."]),
    ],
)
def test_text_is_read_wherever_it_stands(tmp_path: Path, inside: str, read: list[str]) -> None:
    assert texts_of(xml_text, file(tmp_path, f'<!DOCTYPE x SYSTEM "x.dtd"><x>{inside}</x>')) == read


def test_text_about_mark_up_is_not_read_as_a_page(tmp_path: Path) -> None:
    doc = "<doc><summary>Writes a &lt;p&gt; tag, use &lt;b&gt;x&lt;/b&gt; there.</summary></doc>"
    assert texts_of(xml_text, file(tmp_path, doc)) == ["Writes a <p> tag, use <b>x</b> there."]


def test_pages_in_a_feed_are_read_as_pages(tmp_path: Path) -> None:
    feed = (
        "<rss><channel><item><title>Storm &amp; fog</title><description>&lt;p&gt;The &lt;b&gt;lamp&lt;/b&gt; "
        "&amp;amp; horn.&lt;/p&gt;&lt;p&gt;Both ran until the morning.&lt;/p&gt;</description></item>"
        "<item><summary>A year has a &lt; b days, it is said here.</summary></item>"
        "<item><para>Write &lt;b&gt;bold&lt;/b&gt; as it stands here.</para></item></channel></rss>"
    )
    assert texts_of(xml_text, file(tmp_path, feed)) == [
        "Storm & fog",
        "The lamp & horn. Both ran until the morning.",
        "A year has a < b days, it is said here.",
        "Write <b>bold</b> as it stands here.",
    ]


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ('<order id="17" note=""><line sku="A1" qty="3">Chair</line><line sku="B2"/></order>',
         ["order: id: 17, line: sku: A1, qty: 3, Chair, line: sku: B2"]),
        ('<gpx><wpt lat="52.5" lon="13.4"><name>Berlin</name></wpt></gpx>',
         ["wpt: lat: 52.5, lon: 13.4, Berlin"]),
        ('<posts><row Id="1" Body="How is it lit?"/><row Id="2" Body="By hand."/></posts>',
         ["row: Id: 1, Body: How is it lit?", "row: Id: 2, Body: By hand."]),
        ('<document><part name="a"/></document>', ["part: name: a"]),
        ('<log><p id="1">The lamp burned until the morning.</p></log>', ["The lamp burned until the morning."]),
        ('<log id="1"><entry id="2">The <b>lamp</b> burned until the morning.</entry></log>',
         ["The lamp burned until the morning."]),
    ],
)  # fmt: skip
def test_attributes_of_data_are_read_and_those_of_prose_are_not(tmp_path: Path, source: str, texts: list[str]) -> None:
    assert texts_of(xml_text, file(tmp_path, source)) == texts


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("<para>Run <command>make</command><footnote><para>GNU.</para></footnote> first.</para>",
         ["Run make (GNU.) first."]),
        ("<note><para>It is a block of its own.</para></note>", ["It is a block of its own."]),
        ("<para>See<indexterm><primary>index</primary></indexterm> the lamp.</para>", ["See the lamp."]),
        ("<p>It is <choice><sic>hte</sic><corr>the</corr></choice> end.</p>", ["It is the end."]),
        ("<programlisting>a = 1\n  b = 2</programlisting>", ["a = 1\n  b = 2"]),
    ],
)  # fmt: skip
def test_notes_marks_and_code_in_books(tmp_path: Path, source: str, texts: list[str]) -> None:
    assert texts_of(xml_text, file(tmp_path, f"<book>{source}</book>")) == texts


def test_a_bold_word_does_not_turn_a_price_list_into_prose(tmp_path: Path) -> None:
    source = "<list>" + "<entry key='k'>value</entry>" * 30 + "<remark>a <b>word</b> in bold is here.</remark></list>"
    *fields, remark = texts_of(xml_text, file(tmp_path, source))
    assert ", ".join(fields).count("entry: key: k, value") == 30
    assert remark == "a word in bold is here."


def test_fifty_thousand_attributes_are_read_in_linear_time(tmp_path: Path) -> None:
    began = time.process_time()
    texts = texts_of(xml_text, file(tmp_path, "<a " + " ".join(f"a{n}='{n}'" for n in range(50_000)) + "/>"))
    assert "a49999: 49999" in texts[-1]
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("codec", "declared", "broken"),
    [
        ("cp1252", "", b""),
        ("cp1252", "windows-1252", b"\x9d"),
        ("cp1252", "iso-8859-1", b""),
        ("gb18030", "gb2312", b"\xb6"),
        ("cp932", "shift_jis", b"\x93"),
        ("utf-8", "iso-8859-1", b""),
        ("utf-8", "", b"\xe5"),
    ],
)
def test_a_damaged_byte_or_a_wrong_declaration_costs_no_other_word(
    tmp_path: Path, codec: str, declared: str, broken: bytes
) -> None:
    words = {"gb18030": "船票价格是十四元，九点离港。", "cp932": "渡し船は毎週日曜の朝九時に出ます。"}.get(
        codec, "Båten går på søndag. “Ja”."
    )
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    data = (
        f"{head}<a><p>{words}".encode(codec) + broken + f" {words}</p><p>More words follow here.</p></a>".encode(codec)
    )
    damaged = "\ufffd" if broken else ""
    assert texts_of(xml_text, file(tmp_path, data)) == [f"{words}{damaged} {words}", "More words follow here."]
