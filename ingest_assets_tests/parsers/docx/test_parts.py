"""Test that what Word stores in other parts of the package (notes, charts, diagrams) is read in its place."""

from __future__ import annotations

from pathlib import Path

from ingest_assets.parsers.docx import parser as docx
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.docx.test_parser import body, run
from ingest_assets_tests.parsers.reading import elements_of, member, parts_of, rewritten, texts_of


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


def test_a_diagram_gives_its_texts(tmp_path: Path) -> None:
    drawing_ml = "http://schemas.openxmlformats.org/drawingml/2006"
    names = f"xmlns:dgm='{drawing_ml}/diagram' xmlns:a='{drawing_ml}/main'"
    points = "".join(
        f"<dgm:pt modelId='{number}' type='{kind}'><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>"
        for number, (kind, text) in enumerate([("doc", ""), ("node", "Plan"), ("parTrans", "no"), ("asst", "Build")])
    )
    drawing = f"<w:r><w:drawing><dgm:relIds {names} r:dm='rIdD'/></w:drawing></w:r>"
    path = with_part(
        body(tmp_path, f"<w:p>{run('Steps')}{drawing}</w:p><w:p>{run('end')}</w:p>"),
        name="diagrams/data1.xml",
        kind="diagramData",
        data=f"<dgm:dataModel {names}><dgm:ptLst>{points}</dgm:ptLst></dgm:dataModel>".encode(),
    )
    assert [(element.type.value, element.text) for element in elements_of(docx, path)] == [
        ("NarrativeText", "Steps"),
        ("ListItem", "Plan"),
        ("ListItem", "Build"),
        ("NarrativeText", "end"),
    ]


def test_a_document_of_another_format_inside_is_read_in_its_place(tmp_path: Path) -> None:
    xml = f"<w:p>{run('Before it.')}</w:p><w:altChunk r:id='rIdD'/><w:p>{run('After it.')}</w:p>"
    page = "<html><body><h2>Inside</h2><p>It is a page of the web.</p></body></html>"
    path = with_part(body(tmp_path, xml), name="chunk.htm", kind="aFChunk", data=page.encode())
    assert texts_of(docx, path) == ["Before it.", "Inside", "It is a page of the web.", "After it."]
    broken = with_part(body(tmp_path, xml), name="chunk.pdf", kind="aFChunk", data=b"%PDF-1.7 is all there is")
    assert texts_of(docx, broken) == ["Before it.", "After it."]
    assert any("chunk.pdf was left out" in warning for part in parts_of(docx, broken) for warning in part.warnings)


def with_part(path: Path, *, name: str, kind: str, data: bytes) -> Path:
    """Add a part to a document, related to it as rIdD."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    relation = f'<Relationship Id="rIdD" Type="{office}/{kind}" Target="{name}"/></Relationships>'
    relations = member(path, "word/_rels/document.xml.rels").decode().replace("</Relationships>", relation)
    types = member(path, "[Content_Types].xml").decode()
    suffix = name.rpartition(".")[2]
    types = types.replace("<Default ", f'<Default Extension="{suffix}" ContentType="text/{suffix}"/><Default ', 1)
    changes = {f"word/{name}": data, "word/_rels/document.xml.rels": relations.encode()}
    changes |= {"[Content_Types].xml": types.encode()} if suffix != "xml" else {}
    return rewritten(path, path.with_name("with-part.docx"), changes)
