"""Read the footnotes and endnotes of a Word document (DOCX).

They stand in package parts of their own, `footnotes.xml` and `endnotes.xml`; the text refers to them by id
(`tree.notes`). `parser.py` adds each note after the paragraph that refers to it.
"""

from __future__ import annotations

from typing import Any

from ingest_assets.parsers.building import zip_safety
from ingest_assets.parsers.docx import tree as docx_tree
from ingest_assets.parsers.docx.xml_names import W


class Notes:
    """Return the text of each note by its id, once."""

    def __init__(self, document_part: Any) -> None:
        """Read all notes of the main part of a document."""
        self._notes: dict[tuple[str, str], str] = {}
        for relation in document_part.rels.values():
            kind = relation.reltype.rpartition("/")[2].removesuffix("s")
            if kind not in {"footnote", "endnote"} or relation.is_external:
                continue
            root = zip_safety.parse_xml(relation.target_part.blob)
            docx_tree.simplify(root)
            for note in root.iter(W + kind):
                # The separator lines above the notes are notes with another type.
                if note.get(W + "type") in {None, "normal"}:
                    texts = ["".join(t.text or "" for t in p.iter(W + "t")).strip() for p in note.iter(W + "p")]
                    self._notes[kind, note.get(W + "id", "")] = "\n".join(filter(None, texts))

    def text(self, kind: str, number: str) -> str:
        """Return the text of a note the first time; "" after that, and for an unknown id."""
        return self._notes.pop((kind, number), "")
