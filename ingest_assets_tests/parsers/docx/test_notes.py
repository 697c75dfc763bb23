"""Test that the footnotes and endnotes of a DOCX follow the paragraph that refers to them."""

from __future__ import annotations

from pathlib import Path

from ingest_assets.parsers.docx import parser as docx
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.docx.word_files import body, run
from ingest_assets_tests.parsers.reading import elements_of, member, rewritten


def test_a_footnote_follows_its_paragraph(tmp_path: Path) -> None:
    w = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    path = body(
        tmp_path, f"<w:p>{run('Claim.')}<w:r><w:footnoteReference w:id='2'/></w:r></w:p><w:p>{run('Next.')}</w:p>"
    )
    notes = (
        f'<w:footnotes xmlns:w="{w}"><w:footnote w:id="2"><w:p>{run("Source of it.")}</w:p></w:footnote></w:footnotes>'
    )
    rels = member(path, "word/_rels/document.xml.rels").replace(
        b"</Relationships>",
        b'<Relationship Id="rIdN" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"'
        b' Target="footnotes.xml"/></Relationships>',
    )
    path = rewritten(
        path, tmp_path / "noted.docx", {"word/footnotes.xml": notes.encode(), "word/_rels/document.xml.rels": rels}
    )
    assert [(e.type, e.text) for e in elements_of(docx, path)] == [
        (ElementType.NARRATIVE_TEXT, "Claim."),
        (ElementType.FOOTNOTE, "Source of it."),
        (ElementType.NARRATIVE_TEXT, "Next."),
    ]
