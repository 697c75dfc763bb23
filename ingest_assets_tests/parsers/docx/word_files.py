"""Write Word documents for the tests."""

from __future__ import annotations

from pathlib import Path

import docx as python_docx
from docx.document import Document

from ingest_assets_tests.parsers.reading import member, rewritten


def saved(made: Document, tmp_path: Path) -> Path:
    path = tmp_path / "made.docx"
    made.save(str(path))
    return path


def body(tmp_path: Path, xml: str) -> Path:
    """Write a document with this XML as its body."""
    path = saved(python_docx.Document(), tmp_path)
    old = member(path, "word/document.xml").decode()
    new = old[: old.index("<w:body>") + 8] + xml + old[old.index("<w:sectPr") :]
    return rewritten(path, tmp_path / "new.docx", {"word/document.xml": new.encode()})


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


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
