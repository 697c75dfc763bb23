"""Import the HTML partitioner of `unstructured`. Import this module late: it takes a second and some 190 MB."""

from __future__ import annotations

from typing import Any

from ingest_assets.parsers.unstructured_elements import load


def _partitioner() -> Any:
    """Return the partitioner, with its guess of types from the text replaced: it drops single letters and digits."""
    load()
    from unstructured.cleaners.core import clean_bullets
    from unstructured.documents.elements import ListItem, Text
    from unstructured.partition.html import parser, partition_html
    from unstructured.partition.text_type import is_bulleted_text

    def by_bullet(text: str) -> Any:
        return ListItem if is_bulleted_text(text) and clean_bullets(text) else Text

    parser.derive_element_type_from_text = by_bullet
    return partition_html


partition_html = _partitioner()
"""`unstructured.partition.html.partition_html`."""
