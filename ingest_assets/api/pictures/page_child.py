"""Draw one page, or find the words in its picture, in a process of its own with capped memory and time.

Its input is a `PageRequest` as JSON. Its output is one line of JSON with the words, or with what is wrong, and then the
picture. Whatever a file does to the libraries that draw it happens here, and the service goes on.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits
from ingest_assets.stages.retrieval.page_image import PlacedWord, draw_page, open_picture


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page to draw, and what it may take."""

    path: str
    media_type: str
    page_number: int
    max_pages: int
    max_picture_pixels: int
    memory_mb: int
    seconds: int
    """Of processor time."""
    languages: tuple[str, ...] = ()
    """Languages in which OCR looks for words in a picture; empty: the page is drawn."""
    models: str = ""
    """Folder of the models of these languages; empty: those that come with OCR."""


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """What was drawn, without the picture's bytes."""

    width: int = 0
    height: int = 0
    words: tuple[PlacedWord, ...] = ()
    is_read_by_ocr: bool = False
    problem: str = ""
    """Why the page could not be drawn."""


def main() -> None:
    """Read the request, draw the page, write the answer."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=PageRequest)
    limit = asked.memory_mb << 20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (asked.seconds, asked.seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    data = b""
    try:
        answer, data = (_read(asked), b"") if asked.languages else _drawn(asked)
    except BadInput as error:
        answer = PageAnswer(problem=str(error))
    except MemoryError:
        answer = PageAnswer(problem=f"the page needs more than {asked.memory_mb} MB to be drawn; read the text beside")
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n" + data)


def _drawn(asked: PageRequest) -> tuple[PageAnswer, bytes]:
    page = draw_page(
        Path(asked.path), media_type=asked.media_type, page_number=asked.page_number, limits=_limits(asked)
    )
    return PageAnswer(page.width, page.height, page.words), page.data


def _read(asked: PageRequest) -> PageAnswer:
    """Find the lines in a picture."""
    import numpy as np

    from ingest_assets.clients.ocr.reader import OcrReader

    image = open_picture(Path(asked.path), limits=_limits(asked))
    width, height = image.size
    reader = OcrReader(asked.languages, folder=Path(asked.models) if asked.models else None)
    words = tuple(
        PlacedWord(
            line.text,
            round(line.left / width, 5),
            round(line.top / height, 5),
            round((line.right - line.left) / width, 5),
            round((line.bottom - line.top) / height, 5),
        )
        for line in reader.find(np.ascontiguousarray(np.asarray(image)[:, :, ::-1]))
    )
    return PageAnswer(width, height, words, is_read_by_ocr=True)


def _limits(asked: PageRequest) -> Limits:
    return Limits(max_pages=asked.max_pages, max_picture_pixels=asked.max_picture_pixels)


if __name__ == "__main__":
    main()
