"""Write Word documents for the tests."""

from __future__ import annotations

from pathlib import Path

from ingest_assets_tests.parsers.reading import member, rewritten


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
