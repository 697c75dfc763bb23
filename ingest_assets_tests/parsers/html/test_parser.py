"""Test that everything shown on a page is read in order, and scripts, hidden and decorative elements are not."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.numbers import list_label
from ingest_assets.parsers.html import parser as html
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.reading import elements_of, file, parts_of, png, texts_of


def page(body: str) -> str:
    return f"<!doctype html><html><head><meta charset=utf-8></head><body>{body}</body></html>"


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ("bare<p>in p</p>tail", ["bare", "in p", "tail"]),
        ("<div>a<div>b<span>c</span></div>d</div>", ["a", "bc", "d"]),
        ("<form><label>Name</label> <b>bold</b><p>in form</p></form>", ["Name bold", "in form"]),
        ("<form><p>Name: <input value=Ada> <input type=hidden value=x><input type=password value=x></p></form>",
         ["Name: Ada"]),
        ("<p><input type=checkbox checked>yes <input type=RADIO>no <input type=submit value=Go></p>", ["☒ yes ☐ no"]),
        ("<p><select><option>red<option selected>green</select><select multiple><option>x</select></p>", ["green"]),
        ("<p><select><option>first<option>second</select></p>", ["first"]),
        ("<p>a <select><option>x<p>the rest of the page</p>", ["a", "x", "the rest of the page"]),
        ("<p><input type=anything value=seen></p>", ["seen"]),
        ("<ruby>x<rt>y<p>the rest of the page</p>", ["x", "y", "the rest of the page"]),
        ("<p><ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp>字<rt>じ</rt></ruby>です</p>", ["漢字です"]),
        ("<main><p>one</p></main><main><p>two</p></main><p>three</p>", ["one", "two", "three"]),
        ("<figure><figcaption>caption</figcaption></figure>", ["caption"]),
        ("<details><summary>more</summary>hidden text</details>", ["more", "hidden text"]),
        ("<dl><dt>term</dt><dd>meaning</dd></dl>", ["term", "meaning"]),
        ("<p>x</p><p>7</p>", ["x", "7"]),
        ("<custom-tag>own <p>inner</p></custom-tag>", ["own", "inner"]),
        ("<a href=x><h2>linked</h2></a>", ["linked"]),
        ("a<br>b", ["a b"]),
        ("<p>unclosed<p>next<b>bold<i>both</b>wrong</i>", ["unclosed", "nextboldbothwrong"]),
        ("<blockquote>said</blockquote><address>here</address>", ["said", "here"]),
        ("&lt;tag&gt; &amp; &copy; &#x4e2d;", ["<tag> & © 中"]),
        ("<script>var x='no'</script><style>p{}</style><template>no</template><noscript>no</noscript>yes", ["yes"]),
        ("<p style='display: none'>no</p><p hidden>no</p>yes", ["yes"]),
        ("<p>alt: <img src='https://example.org/x.png' alt='a duck'></p>", ["alt: a duck"]),
    ],
)  # fmt: skip
def test_text_is_read_in_order(tmp_path: Path, body: str, texts: list[str]) -> None:
    assert texts_of(html, file(tmp_path, page(body))) == texts


def test_types_and_levels(tmp_path: Path) -> None:
    body = "<h1>One</h1><h3>Three</h3><ul><li>item<ul><li>inner</li></ul></li></ul><pre>  code\n    more</pre>"
    assert [(e.type, e.level, e.text) for e in elements_of(html, file(tmp_path, page(body)))] == [
        (ElementType.TITLE, 1, "One"),
        (ElementType.TITLE, 3, "Three"),
        (ElementType.LIST_ITEM, 0, "item"),
        (ElementType.LIST_ITEM, 0, "inner"),
        (ElementType.CODE, 0, "code\n    more"),
    ]


def test_merged_and_nested_cells(tmp_path: Path) -> None:
    body = (
        "<table><tr><th>a</th><th colspan=2>b|c</th></tr><tr><td rowspan=2>1</td><td>2</td>"
        "<td><table><tr><th>in</th></tr><tr><td>ner</td></tr></table></td></tr><tr><td>3</td><td>4<br>5</td></tr></table>"
    )
    assert texts_of(html, file(tmp_path, page(body))) == [
        "| a | b\\|c | b\\|c |\n| --- | --- | --- |\n| 1 | 2 | in ner |\n| 1 | 3 | 4 5 |"
    ]


def test_a_layout_table_is_not_a_table(tmp_path: Path) -> None:
    body = "<table><tr><td><h1>Title</h1><p>text</p></td><td><p>more</p></td></tr></table>"
    assert texts_of(html, file(tmp_path, page(body))) == ["Title", "text", "more"]


def test_an_embedded_picture_stands_in_its_place_once(tmp_path: Path) -> None:
    uri = f"data:image/png;charset=utf-8;base64,{base64.b64encode(png()).decode()}"
    path = file(
        tmp_path, page(f"<p>before<img src='{uri}'>after</p><table><tr><th><img src='{uri}'>x</th></tr></table>")
    )
    (part,) = parts_of(html, path)
    assert [element.type.value for element in part.elements] == [
        "NarrativeText", "Image", "NarrativeText", "Table", "Image",
    ]  # fmt: skip
    assert len(part.pictures) == 1


def test_a_broken_embedded_picture_is_a_warning(tmp_path: Path) -> None:
    (part,) = parts_of(html, file(tmp_path, page("<p>text<img src='data:image/png;base64,AAAA'></p>")))
    assert [element.text for element in part.elements] == ["text"]
    assert "left out" in part.warnings[0]


@pytest.mark.parametrize("tag", ["div", "b", "font", "ul><li", "table><tr><td", "blockquote", "custom-x"])
def test_ten_thousand_levels_lose_no_text(tmp_path: Path, tag: str) -> None:
    start = time.process_time()
    texts = " ".join(texts_of(html, file(tmp_path, page(f"first{f'<{tag}>' * 10_000}deep</p><p>last"))))
    assert all(word in texts for word in ("first", "deep", "last"))
    assert time.process_time() - start < 20


def test_hostile_spans_stay_small(tmp_path: Path) -> None:
    body = "<table><tr><th>h</th></tr>" + "<tr><td colspan=1000 rowspan=65000>x</td></tr>" * 2_000 + "</table>"
    assert sum(map(len, texts_of(html, file(tmp_path, page(body))))) < 20_000_000


def test_a_megabyte_without_a_tag_is_read(tmp_path: Path) -> None:
    texts = texts_of(html, file(tmp_path, page("word " * 500_000)))
    assert sum(text.count("word") for text in texts) == 500_000


def test_the_title_stands_in_for_a_missing_heading(tmp_path: Path) -> None:
    source = "<html><head><title>Name of it</title></head><body><p>text</p></body></html>"
    assert texts_of(html, file(tmp_path, source)) == ["Name of it", "text"]


def test_entities_are_never_expanded_from_a_dtd(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE html [<!ENTITY a "boom"><!ENTITY b SYSTEM "file:///etc/passwd">]><html><body><p>x&a;&b;y</p></body></html>'
    text = " ".join(texts_of(html, file(tmp_path, bomb)))
    assert "boom" not in text
    assert "root:" not in text


def test_zero_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="empty file"):
        parts_of(html, file(tmp_path, b""))


def test_elements_of_impossible_names_are_read(tmp_path: Path) -> None:
    source = f"<html><body><p>One{'.' * 900}</p><band< x>two</band<><b\x01d>three\x02</b\x01d><p>four</p></body></html>"
    assert " ".join(texts_of(html, file(tmp_path, source))).replace(".", "").split() == ["One", "twothree", "four"]


def test_a_rule_separates_words_and_a_formula_is_its_characters(tmp_path: Path) -> None:
    source = page("One<hr>two <p>Let <math><mi>a</mi><mo>+</mo><mi>b</mi></math> be.</p>")
    assert " ".join(texts_of(html, file(tmp_path, source))) == "One two Let a+b be."


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ("<ol start=3><li>Take it<li value=9><p>Turn it</p></li><li><a id=x></a><b>Put</b> it</ol>",
         ["3. Take it", "9. Turn it", "10. Put it"]),
        ("<ol type=A><li>one<ol style='list-style-type: lower-roman'><li>two<li>three</ol></ol>",
         ["A. one", "i. two", "ii. three"]),
        ("<ol reversed><li>b<li>a</ol><ul><li>c</ul>", ["2. b", "1. a", "c"]),
        ("<ol style='list-style: none'><li>plain</ol><ol><li>1. written</ol>", ["plain", "1. written"]),
        ("<ol><li><ol><li>inner</ol></ol>", ["1. inner"]),
        ("<table><tr><td>a<td>b<tr><td><ol><li>x<li>y</ol><td>z</table>", ["| a | b |\n| --- | --- |\n| x y | z |"]),
        ("<ol><li>one<li>2.5 l of water<li><br>three<li style='list-style: inside none'>four</ol>",
         ["1. one", "2. 2.5 l of water", "3. three", "four"]),
        ("<ol start=abc><li value=99999999999999999999>x</ol>", ["1. x"]),
    ],
)  # fmt: skip
def test_ordered_lists_keep_their_numbers(tmp_path: Path, body: str, texts: list[str]) -> None:
    assert texts_of(html, file(tmp_path, page(body))) == texts


@pytest.mark.parametrize(
    ("count", "kind", "written"),
    [
        *[(1, "a", "a"), (26, "a", "z"), (27, "A", "AA"), (703, "a", "aaa"), (0, "a", "0"), (-2, "i", "-2")],
        *[(1994, "I", "MCMXCIV"), (3999, "i", "mmmcmxcix"), (4000, "i", "4000"), (12, "1", "12"), (5, "x", "5")],
    ],
)
def test_numbers_of_lists_are_written_as_browsers_do(count: int, kind: str, written: str) -> None:
    assert list_label(count, kind) == written


def test_references_to_control_characters_are_removed(tmp_path: Path) -> None:
    source = "<html><body><p>a&#1;b&#x1F;c&#xfffe;d&#13;e&#x100;</p><select>x</select>&#2;tail<hr>&#3;y</body></html>"
    assert texts_of(html, file(tmp_path, source)) == ["abcd eĀ", "tail y"]


def test_selects_that_never_close_are_read_at_once(tmp_path: Path) -> None:
    began = time.process_time()
    texts = texts_of(html, file(tmp_path, page("<select><option selected>x" * 2_000)))
    assert time.process_time() - began < 20
    assert len("".join(texts)) < 20_000
