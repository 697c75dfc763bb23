"""The part of a Word document that refers to its notes in, the text of each footnote and endnote out."""

from __future__ import annotations

from typing import Any

from ingest_assets.parsers.building import zip_safety
from ingest_assets.parsers.docx import tree as docx_tree
from ingest_assets.parsers.docx.xml_names import W


class Notes:
    """Footnotes and endnotes by their ids; each is given once."""

    def __init__(self, document_part: Any) -> None:
        """Read all notes of a document."""
        self._notes: dict[tuple[str, str], str] = {}
        for relation in document_part.rels.values():
            kind = relation.reltype.rpartition("/")[2].removesuffix("s")
            if kind not in {"footnote", "endnote"} or relation.is_external:
                continue
            root = zip_safety.parse_xml(relation.target_part.blob)
            docx_tree.plain(root)
            for note in root.iter(W + kind):
                # Separators, the lines above the notes, are notes of a type.
                if note.get(W + "type") in {None, "normal"}:
                    texts = ["".join(t.text or "" for t in p.iter(W + "t")).strip() for p in note.iter(W + "p")]
                    self._notes[kind, note.get(W + "id", "")] = "\n".join(filter(None, texts))

    def text(self, kind: str, number: str) -> str:
        """Return a note's text the first time that it is asked for; after that, and where there is none, nothing."""
        return self._notes.pop((kind, number), "")
