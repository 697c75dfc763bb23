"""Test that diagrams and documents of other formats in the package of a DOCX are read in their place."""

from __future__ import annotations

from pathlib import Path

from ingest_assets.parsers.docx import parser as docx
from ingest_assets_tests.parsers.docx.word_files import body, run, with_part
from ingest_assets_tests.parsers.reading import elements_of, parts_of, texts_of


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
