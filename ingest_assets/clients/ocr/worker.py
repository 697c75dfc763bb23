"""Run OCR in a process of its own, which needs 400 MB: read pictures from its input, write their text to its output.

Its arguments are the languages to read, and `--models FOLDER` for their models (see `clients.pictures.worker_loop`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.clients.pictures.bounded_pixels import decode
from ingest_assets.clients.pictures.worker_loop import Answer, Look, serve

if TYPE_CHECKING:
    from ingest_assets.clients.ocr.reader import Pixels

# Longest side of a picture for OCR, as in RapidOCR: A4 at 170 dots per inch, where print of 8 points is 19 px high.
MAX_SIDE_PX = 2_000


def main() -> None:
    """Read each picture until the input ends."""
    serve(lambda: _reader(sys.argv[1:]))


def _reader(arguments: list[str]) -> Look:
    from ingest_assets.clients.ocr.reader import OcrReader

    parser = argparse.ArgumentParser()
    parser.add_argument("languages", nargs="+")
    parser.add_argument("--models", type=Path)
    options = parser.parse_args(arguments)
    reader = OcrReader(options.languages, folder=options.models)

    def read(picture: bytes) -> Answer:
        page = reader.read(_pixels(picture))
        return {"text": page.text, "confidence": page.confidence}

    return read


def _pixels(picture: bytes) -> Pixels:
    """Decode a picture to BGR pixels."""
    import cv2
    import numpy as np

    pixels = np.asarray(decode(picture, max_side_px=MAX_SIDE_PX))
    bgr: Pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR if pixels.ndim == 2 else cv2.COLOR_RGB2BGR)  # type: ignore[assignment]  # of bytes
    return bgr


if __name__ == "__main__":
    main()
