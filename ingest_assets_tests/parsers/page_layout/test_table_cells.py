"""Tables of the corpus are read with every cell that a person sees."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import NotRequired, TypedDict

import pytest

from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.parsers.families import parser_for
from ingest_assets.records import ElementType

# spaCy and what unstructured brings with it.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


class Truth(TypedDict):
    file: str
    rows: list[list[str]]
    why: str
    page: NotRequired[int]
    place: NotRequired[int]


TRUTHS: list[Truth] = tomllib.loads((Path(__file__).parents[1] / "truth" / "tables.toml").read_text(encoding="utf-8"))[
    "table"
]


def cells_of(table: str) -> list[list[str]]:
    """Read a pipe table."""
    header, _, *rows = table.split("\n")
    return [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in (header, *rows)
    ]


def tables_in(path: Path, *, page: int | None) -> list[str]:
    parser = parser_for(detect(path, filename=path.name), filename=path.name)
    tables = []
    for part in parser.read(path, limits=Limits(), start=page or 1):
        if page is None or part.page_number == page:
            tables += [element.text for element in part.elements if element.type is ElementType.TABLE]
        elif part.page_number and part.page_number > page:
            break
    return tables


@pytest.mark.parametrize("truth", TRUTHS, ids=[f"{truth['file']}-{truth['why']}" for truth in TRUTHS])
def test_every_cell_is_right(corpus: Path, truth: Truth) -> None:
    tables = tables_in(corpus / truth["file"], page=truth.get("page"))
    assert cells_of(tables[truth.get("place", 1) - 1]) == truth["rows"]
