"""Compare headings, reading order and element types with what a person sees in documents of the corpus."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NotRequired, TypedDict

import pytest

from ingest_assets.records import Element, ElementType
from ingest_assets_tests.parsers.corpus_reading import read_once
from ingest_assets_tests.parsers.reading import folded

# spaCy and other dependencies of unstructured give DeprecationWarnings.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("corpus"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


class Truth(TypedDict):
    headings: list[str]
    passage: str
    why: str
    pages: NotRequired[list[int]]
    parts: NotRequired[list[int]]
    kinds: NotRequired[list[str]]


TRUTHS: dict[str, Truth] = tomllib.loads(
    (Path(__file__).parent / "truth" / "structure.toml").read_text(encoding="utf-8")
)


def elements_seen(corpus: Path, name: str, truth: Truth) -> list[Element]:
    """Return the elements of the pages or parts for which the corpus says what a person sees."""
    parts = read_once(corpus, name).parts
    seen = truth.get("pages", truth.get("parts", [part.number for part in parts]))
    return [element for part in parts if part.number in seen for element in part.elements]


def by_order(headings: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Renumber levels without gaps: 2, 4, 5 become 1, 2, 3."""
    levels = sorted({level for level, _ in headings})
    return [(levels.index(level) + 1, text) for level, text in headings]


@pytest.mark.parametrize("name", TRUTHS)
def test_the_structure_is_what_a_person_sees(corpus: Path, name: str) -> None:
    truth = TRUTHS[name]
    elements = elements_seen(corpus, name, truth)
    titles = [(element.level, folded(element.text)) for element in elements if element.type is ElementType.TITLE]
    wanted = [(int(level), folded(text)) for level, _, text in (line.partition(" ") for line in truth["headings"])]
    assert by_order(titles) == by_order(wanted)
    assert folded(truth["passage"]) in folded(" ".join(element.text for element in elements)), truth["why"]
    for kind, _, beginning in (line.partition(" ") for line in truth.get("kinds", [])):
        texts = [element.text for element in elements if element.type == kind]
        assert any(folded(text).startswith(folded(beginning)) for text in texts), (kind, beginning)
