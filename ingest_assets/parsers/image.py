"""Read a picture file: one part per page, each with one IMAGE element whose text the caption stage recognises.

Each frame of a TIFF is a page. Of an animation (GIF, WEBP, PNG) only the first frame is read, because the others show
almost the same. A photograph is rotated as its EXIF data say, because OCR does not read sideways text.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building import pictures
from ingest_assets.parsers.contract import Limits
from ingest_assets.records import Element, ElementType, Part, Picture

if TYPE_CHECKING:
    from PIL import Image

VERSION = "1"
PART = "page"

_ORIENTATION = 0x0112
_SUBFILE_TYPE = 254


def count_pages(path: Path, *, limits: Limits) -> int:
    """Count the frames of a TIFF; 1 for every other picture.

    Raises:
        BadInput: damaged, empty, or more frames than the limit of pages.
    """
    with pictures.open_file(path, where="picture") as image:
        return _count(image, limits=limits)


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the pages, each with its picture. The size of a picture is checked before it is decoded.

    Raises:
        BadInput: damaged, empty, or too many frames; or the only page is over `limits.max_picture_pixels`.
    """
    with pictures.open_file(path, where="picture") as image:
        total = _count(image, limits=limits)
        for number in range(start, total + 1):
            try:
                part = _page(image, path, number=number, limits=limits)
            except BadInput as error:
                if total == 1:
                    raise
                part = Part(number, page_number=number, problem=str(error))
            yield part


def _count(image: Image.Image, *, limits: Limits) -> int:
    """Count the frames up to and including the first damaged one, which is yielded as a page with a problem."""
    if image.format != "TIFF":
        return 1
    for frame in range(1, limits.max_pages + 1):
        try:
            with pictures.naming_damage("picture"):
                image.seek(frame)
        except BadInput as error:
            # Pillow raises EOFError when there is no such frame.
            return frame if isinstance(error.__cause__, EOFError) else frame + 1
    raise BadInput(f"it has more pages than the limit of {limits.max_pages:,}; split the file")


def _page(image: Image.Image, path: Path, *, number: int, limits: Limits) -> Part:
    where = f"picture on page {number}"
    warnings: tuple[str, ...] = ()
    with pictures.naming_damage(where):
        if image.format == "TIFF":
            image.seek(number - 1)
            if number > 1 and _is_reduced(image):
                return Part(number, page_number=number, warnings=(f"page {number} is a small copy of another",))
        elif getattr(image, "is_animated", False):
            warnings = ("an animation: only its first frame is read",)
            image.seek(0)
        pictures.check_size(image, where=where, limits=limits)
        picture = _picture(image, path, number=number, limits=limits)
    element = Element(ElementType.IMAGE, "", page_number=number, picture=picture.sha256)
    return Part(number, (element,), (picture,), page_number=number, warnings=warnings)


def _is_reduced(image: Image.Image) -> bool:
    """Return whether the frame is a preview of another page (TIFF 6.0, NewSubfileType, bit 0)."""
    kind = getattr(image, "tag_v2", {}).get(_SUBFILE_TYPE, 0)
    return isinstance(kind, int) and bool(kind & 1)


def _picture(image: Image.Image, path: Path, *, number: int, limits: Limits) -> Picture:
    from PIL import ImageOps

    turned = image.getexif().get(_ORIENTATION, 1) in range(2, 9)
    if turned:
        return pictures.encode_frame(ImageOps.exif_transpose(image), page_number=number)
    if image.format == "TIFF":
        return pictures.encode_frame(image, page_number=number)
    return pictures.encode(path.read_bytes(), page_number=number, limits=limits)
