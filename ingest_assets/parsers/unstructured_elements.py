"""Elements of `unstructured` in, our records' types and levels out; and the library loaded so that it stays at home.

Three of its habits are switched off before it is imported: the message to its makers that it was loaded, the
advertisement, and the download of a spaCy model, in whose place stands a blank English pipeline. What is lost with the
model is the search for a verb, by which `unstructured` tells narrative from other text; both are the same to us.

Import only inside a parser's `read`: it costs a second and some 190 MB.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from ingest_assets.records import ElementType

if TYPE_CHECKING:
    from unstructured.documents.elements import Element as UnstructuredElement

_TYPES = {
    "Title": ElementType.TITLE,
    "ListItem": ElementType.LIST_ITEM,
    "CodeSnippet": ElementType.CODE,
    "Formula": ElementType.FORMULA,
    "Header": ElementType.HEADER,
    "Footer": ElementType.FOOTER,
}


def type_of(element: UnstructuredElement) -> ElementType:
    """Give the type in our words; what is neither title, item, code, formula, header nor footer is narrative."""
    return _TYPES.get(element.category, ElementType.NARRATIVE_TEXT)


def level_of(element: UnstructuredElement) -> int:
    """Give a title's depth from 1; 0 for everything else."""
    if element.category != "Title":
        return 0
    return min(9, (element.metadata.category_depth or 0) + 1)


@cache
def load() -> None:
    """Import `unstructured` without network, model and advertisement; once per process."""
    # Not settings of this project: words that the library reads at import.
    for name in ("DO_NOT_TRACK", "SCARF_NO_ANALYTICS", "UNSTRUCTURED_DISABLE_NOTICE"):
        os.environ.setdefault(name, "1")
    with _without("torch"):
        import spacy
        from unstructured.nlp import tokenize

    def blank_pipeline() -> Any:
        pipeline = spacy.blank("en")
        pipeline.add_pipe("sentencizer")
        # Its bound is meant for parsers that take memory per word; a sentence splitter takes next to none.
        pipeline.max_length = 1 << 30
        return pipeline

    tokenize._load_spacy_model = blank_pipeline
    # It warns of every table without a grid and every unknown style; what matters we say ourselves.
    logging.getLogger("unstructured").setLevel(logging.ERROR)


@contextmanager
def _without(module: str) -> Iterator[None]:
    """Hide a module from imports inside the block: spaCy takes 170 MB and 3 s for a torch that it never uses here."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]


@cache
def load_html() -> None:
    """Load the HTML partitioner; its guess of an element's type from the text drops single letters and digits."""
    load()
    from unstructured.cleaners.core import clean_bullets
    from unstructured.documents.elements import ListItem, Text
    from unstructured.partition.html import parser
    from unstructured.partition.text_type import is_bulleted_text

    def by_bullet(text: str) -> type[Text]:
        return ListItem if is_bulleted_text(text) and clean_bullets(text) else Text

    parser.derive_element_type_from_text = by_bullet
