"""Load `unstructured` without network access, and translate its element types and title levels to our records.

Before the import three things are switched off that the library does when it is loaded: it reports the import to its
makers, prints an advertisement, and downloads a spaCy model, which a blank English pipeline replaces. The model is only
used to search for a verb, by which `unstructured` tells narrative from other text; both are the same type here.

The library reads its switches from the environment only. They are set here and not in the settings, because they must
hold wherever the library is loaded, also in a test or script that uses a parser without settings.

Its partitioners take a second and some 190 MB to import. Each family that uses one has a module for it, which is
imported inside `read` only; `learn_modules` of dagster.yaml names these modules.
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
    """Return the type of an element: title, list item, code, formula, header or footer; narrative for all others."""
    return _TYPES.get(element.category, ElementType.NARRATIVE_TEXT)


def level_of(element: UnstructuredElement) -> int:
    """Return the level of a title, from 1; 0 for every other element."""
    if element.category != "Title":
        return 0
    return min(9, (element.metadata.category_depth or 0) + 1)


@cache
def load() -> None:
    """Import `unstructured`, once per process, without network access, model or advertisement."""
    for name in ("DO_NOT_TRACK", "SCARF_NO_ANALYTICS", "UNSTRUCTURED_DISABLE_NOTICE"):
        os.environ.setdefault(name, "1")
    with _without("torch"):
        import spacy
        from unstructured.nlp import tokenize

    def blank_pipeline() -> Any:
        pipeline = spacy.blank("en")
        pipeline.add_pipe("sentencizer")
        # The default limit is meant for pipelines that take memory per word; a sentence splitter takes almost none.
        pipeline.max_length = 1 << 30
        return pipeline

    tokenize._load_spacy_model = blank_pipeline
    # It warns of every table without a grid and of every unknown style. Parsers give their own warnings.
    logging.getLogger("unstructured").setLevel(logging.ERROR)


@contextmanager
def _without(module: str) -> Iterator[None]:
    """Hide a module from imports inside the block: spaCy would load torch (170 MB, 3 s) and never use it here."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # None: importing it raises ImportError
    try:
        yield
    finally:
        del sys.modules[module]
