"""Test what only the styles of an OpenDocument file say: how items are numbered, and what is raised."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_assets.parsers.opendocument import odp, odt
from ingest_assets_tests.parsers.opendocument.odf_files import NAMES, odf, p, row
from ingest_assets_tests.parsers.reading import texts_of


def test_items_keep_their_numbers(tmp_path: Path) -> None:
    def level(number: int, attributes: str) -> str:
        return f'<text:list-level-style-number text:level="{number}" {attributes}/>'

    def items(*texts: str, of: str = "") -> str:
        return f"<text:list {of}>{''.join(f'<text:list-item>{text}</text:list-item>' for text in texts)}</text:list>"

    levels = level(1, 'style:num-format="1" style:num-suffix="."') + level(
        2, 'style:num-format="a" style:num-suffix=")"'
    )
    levels += level(3, 'style:num-format="1" text:display-levels="3"')
    styles = f'<text:list-style style:name="L">{levels}</text:list-style>'
    inner = items(p("sub") + items(p("deep")), p("sub2"))
    body = items(p("one") + inner + p("more"), p("two"), of='text:style-name="L"') + p("between")
    body += items(p("three"), of='text:style-name="L" text:continue-numbering="true"')
    body += items(p("again"), of='text:style-name="L"') + items(p("bullet"), of='text:style-name="unknown"')
    inline = odf(tmp_path, f"</office:text><office:x>{styles}</office:x><office:text>{body}")
    assert texts_of(odt, inline)[:3] == ["1. one", "a) sub", "1.a.1 deep"]
    styled = f"<office:document-styles {NAMES}><office:styles>{styles}</office:styles></office:document-styles>"
    assert texts_of(odt, odf(tmp_path, body, {"styles.xml": styled.encode()})) == [
        *("1. one", "a) sub", "1.a.1 deep", "b) sub2", "more", "2. two", "between", "3. three", "1. again", "bullet"),
    ]


@pytest.mark.parametrize("kind", ["text", "presentation"])
def test_raised_numbers_behind_digits_are_powers(tmp_path: Path, kind: str) -> None:
    raised, lowered = (f'<text:span text:style-name="{name}">7</text:span>' for name in ("T1", "T2"))
    body = (
        p(f"10{raised} cells, word{raised}, 10{lowered}, 2{raised}/9")
        + f"<table:table>{row(f'10{raised}', 'b')}</table:table>"
    )
    if kind == "presentation":
        body = f"<draw:page><draw:frame><draw:text-box>{body}</draw:text-box></draw:frame></draw:page>"
    found = texts_of({"text": odt, "presentation": odp}[kind], odf(tmp_path, body, kind=kind))
    assert found == ["10^7 cells, word7, 107, 2 7/9", "| 10^7 | b |\n| --- | --- |"]
