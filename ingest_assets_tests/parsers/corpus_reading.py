"""Read a document of the corpus once for all the tests that look at it.

The modules that use it are one group (`pytest.mark.xdist_group`), so that one process runs them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.parsers.families import count_pages, parser_for
from ingest_assets.records import Part


@dataclass
class CorpusReading:
    """What came of one document; its pictures are here without their bytes."""

    path: str
    media_type: str = ""
    error: str = ""
    pages: int = 0
    parts: list[Part] = field(default_factory=list)
    seconds: float = 0.0
    """Of processor time."""

    @property
    def text(self) -> str:
        return "\n".join(element.text for part in self.parts for element in part.elements)

    @property
    def problems(self) -> list[str]:
        return [part.problem for part in self.parts if part.problem]


@cache
def read_once(corpus: Path, name: str) -> CorpusReading:
    """Read a document of the corpus, or return what came of it before."""
    path, limits = corpus / name, Limits()
    outcome = CorpusReading(name)
    start = time.process_time()
    try:
        outcome.media_type = detect(path, filename=path.name)
        parser = parser_for(outcome.media_type, filename=path.name)
        outcome.pages = count_pages(parser, path, limits=limits)
        outcome.parts = [without_bytes(part) for part in parser.read(path, limits=limits)]
    except BadInput as error:
        outcome.error = str(error)
    outcome.seconds = time.process_time() - start
    return outcome


def without_bytes(part: Part) -> Part:
    return replace(part, pictures=tuple(replace(picture, data=b"") for picture in part.pictures))
