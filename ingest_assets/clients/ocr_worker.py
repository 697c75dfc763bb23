"""Pictures in on stdin, what is read in them out on stdout: the process in which OCR runs.

It has a process of its own so that its memory (400 MB) is given back before embedding needs as much, and so that a
picture that crashes a native decoder takes nobody else down. Messages are a length in 4 bytes and that many bytes:
a picture on the way in, a JSON object on the way out. It ends when its input does, or with its parent. Its arguments
are the languages to read, and `--models FOLDER` where their models lie.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ingest_assets.errors import BadInput
from ingest_assets.parsers.pictures import BROKEN, flatten, opened

if TYPE_CHECKING:
    from PIL import Image

    from ingest_assets.clients.ocr_reader import OcrReader, Pixels

LENGTH_BYTES = 4

# Longest side that lines are cut from, RapidOCR's own: a page of A4 at 170 dots per inch, print of 8 points 19 px high.
MAX_SIDE_PX = 2_000


def main() -> None:
    """Answer each picture until the input ends."""
    _die_with_parent()
    answers = _take_stdout()
    reader: OcrReader | None = None
    while (picture := read_message(sys.stdin.buffer)) is not None:
        try:
            reader = reader or _reader(sys.argv[1:])
        except (ImportError, OSError) as error:
            write_message(answers, _answer(fatal=str(error)))
            return
        write_message(answers, _read(picture, reader))


def read_message(stream: IO[bytes]) -> bytes | None:
    """Take one message; None at the end of the stream."""
    length = stream.read(LENGTH_BYTES)
    if len(length) < LENGTH_BYTES:
        return None
    return stream.read(int.from_bytes(length, "big"))


def write_message(stream: IO[bytes], message: bytes) -> None:
    """Give one message."""
    stream.write(len(message).to_bytes(LENGTH_BYTES, "big") + message)
    stream.flush()


def _reader(arguments: list[str]) -> OcrReader:
    from ingest_assets.clients.ocr_reader import OcrReader

    parser = argparse.ArgumentParser()
    parser.add_argument("languages", nargs="+")
    parser.add_argument("--models", type=Path)
    options = parser.parse_args(arguments)
    return OcrReader(options.languages, folder=options.models)


def _read(picture: bytes, reader: OcrReader) -> bytes:
    try:
        page = reader.read(_pixels(picture))
        return _answer(text=page.text, confidence=page.confidence)
    except BadInput as error:
        return _answer(problem=str(error))
    except MemoryError:
        return _answer(out_of_memory="not enough memory for a picture")
    except Exception as error:  # noqa: BLE001 - the process's outermost loop; OpenCV and OpenVINO raise kinds of their own
        if re.search("alloc|out of memory|insufficient memory", str(error), re.IGNORECASE):
            return _answer(out_of_memory=f"not enough memory for a picture ({error})")
        return _answer(problem=f"picture: cannot be read ({type(error).__name__}: {error})")


def _pixels(picture: bytes) -> Pixels:
    """Decode upright, on white, blue first, no larger than lines are cut from."""
    import cv2
    import numpy as np

    bounds = (MAX_SIDE_PX, MAX_SIDE_PX)
    with opened(picture, where="picture") as image:
        image.draft(None, bounds)  # a JPEG decodes to a half or a quarter at once
        factor = max(image.size) // MAX_SIDE_PX
        if factor > 1 and image.mode in {"L", "LA", "RGB", "RGBA"}:
            image = image.reduce(factor)  # before what copies it: 40 million pixels take 160 MB
        if image.mode not in {"L", "RGB"} or image.has_transparency_data:
            image = flatten(image)
        image.thumbnail(bounds, reducing_gap=2.0)
        pixels = np.asarray(_upright(image))
    bgr: Pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR if pixels.ndim == 2 else cv2.COLOR_RGB2BGR)  # type: ignore[assignment]
    return bgr


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except BROKEN:
        return image  # damaged metadata around a sound picture


def _answer(**facts: str | float | None) -> bytes:
    return json.dumps({**facts, "peak_mb": _peak_mb()}).encode()


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")  # ru_maxrss would begin at the parent's
    kilobytes = re.search(r"^VmHWM:\s*(\d+)", status, re.MULTILINE)
    return int(kilobytes[1]) / 1024 if kilobytes else 0.0


def _die_with_parent() -> None:
    pr_set_pdeathsig = 1
    parent = os.getppid()
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent or parent == 1:
        sys.exit("the parent is gone")


def _take_stdout() -> IO[bytes]:
    """Keep the pipe for answers; what a library prints goes to stderr."""
    answers = open(os.dup(1), "wb")  # noqa: SIM115, PTH123 - a descriptor, for as long as the process lives
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    main()
