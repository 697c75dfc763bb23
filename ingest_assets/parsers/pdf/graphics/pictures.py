"""Read the image objects of a PDF page as encoded pictures.

A JPEG is copied from the file; any other image is decoded by PDFium and becomes PNG. The size is read from the object's
dictionary and checked before pixels are decoded, because 12 kB of JBIG2 can hold a gigapixel.
"""

from __future__ import annotations

import ctypes
import io
import re
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.pictures import MIN_SIDE_PX, encode
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.pdf.objects import Box, ImageObject, PageObjects
from ingest_assets.records import Picture

if TYPE_CHECKING:
    from PIL import Image
    from pypdfium2 import PdfPage

_MIN_SIDE_PT = 12.0  # the height of a line of text; smaller images are bullets, rules and icons
_COVER = 0.8  # of the page: a scan without its margins
_MAX_JPEG_BYTES = 100_000_000  # 40 megapixels at the best quality have less
_MIN_CONTRAST = 96  # of 255: a drop shadow has less, the palest readable print has more
_FAX = ("CCITTFaxDecode", "JBIG2Decode")  # formats that have only black and white
_FRAME = re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf].{7}(.)", re.DOTALL)


class PlacedPicture(NamedTuple):
    """A picture and its box on the page, in points."""

    picture: Picture
    box: Box


def is_large_enough(image: ImageObject) -> bool:
    """Tell a picture from a bullet, a rule or a spacer by its size, without decoding it."""
    width, height = pixels_of(image.handle)
    left, bottom, right, top = image.box
    return min(width, height) >= MIN_SIDE_PX and min(right - left, top - bottom) >= _MIN_SIDE_PT


def read_pictures(
    page: PdfPage, objects: PageObjects, *, page_number: int, limits: Limits
) -> tuple[list[PlacedPicture], list[str]]:
    """Read the pictures of a page, each distinct one once; return them and warnings about those not read.

    A scan under invisible text is the page itself, and is not read as a picture on it.
    """
    found: dict[str, PlacedPicture] = {}
    warnings: list[str] = []
    for image in filter(is_large_enough, objects.images):
        if objects.is_scan_with_text and covers(image.box, page):
            continue
        if len(found) == limits.max_pictures:
            warnings.append(f"page {page_number}: only its first {limits.max_pictures:,} pictures are read")
            break
        try:
            data = _data(page, image, limits=limits)
            if data is not None:
                picture = encode(data, page_number=page_number, limits=limits)
                found.setdefault(picture.sha256, PlacedPicture(picture, image.box))
        except BadInput as error:
            warnings.append(f"page {page_number}: a picture is left out: {error}")
    return list(found.values()), warnings


def covers(box: Box, page: PdfPage) -> bool:
    """Tell whether a box fills a page except its margins."""
    left, bottom, right, top = box
    area: float = page.get_width() * page.get_height()
    return (right - left) * (top - bottom) > _COVER * area


def _data(page: PdfPage, image: ImageObject, *, limits: Limits) -> bytes | None:
    """Return a picture as JPEG or PNG, or None for an area of one colour."""
    width, height = pixels_of(image.handle)
    if width * height > limits.max_picture_pixels:
        raise BadInput(f"{width:,} x {height:,} pixels, over the limit of {limits.max_picture_pixels:,}")
    return _jpeg(image.handle) or _png(page, image.handle)


def pixels_of(handle: Any) -> tuple[int, int]:
    """Return width and height of an image object in pixels, without decoding it."""
    import pypdfium2.raw as raw

    width, height = ctypes.c_uint(), ctypes.c_uint()
    raw.FPDFImageObj_GetImagePixelSize(handle, width, height)
    return width.value, height.value


def _jpeg(handle: Any) -> bytes | None:
    """Return the JPEG in an image object; None if it is not JPEG, or in CMYK, which viewers show differently."""
    import pypdfium2.raw as raw

    if next(_filters(handle), "") != "DCTDecode":
        return None
    size = raw.FPDFImageObj_GetImageDataDecoded(handle, None, 0)
    if not 0 < size <= _MAX_JPEG_BYTES:
        return None
    buffer = ctypes.create_string_buffer(size)
    raw.FPDFImageObj_GetImageDataDecoded(handle, buffer, size)
    frame = _FRAME.search(buffer.raw)
    return buffer.raw if frame and frame[1] in (b"\x01", b"\x03") else None


def _filters(handle: Any) -> Iterator[str]:
    """Yield the names of an image's filters, beginning with the format of the image."""
    import pypdfium2.raw as raw

    for index in reversed(range(raw.FPDFImageObj_GetImageFilterCount(handle))):
        name = ctypes.create_string_buffer(32)
        raw.FPDFImageObj_GetImageFilter(handle, index, name, len(name))
        yield name.value.decode("ascii", "replace")


def _png(page: PdfPage, handle: Any) -> bytes | None:
    import pypdfium2.raw as raw

    is_bilevel = next(_filters(handle), "") in _FAX
    image = _bitmap(raw.FPDFImageObj_GetBitmap(handle), is_bilevel=is_bilevel)
    if image is None:
        raise BadInput("it cannot be decoded")
    if _contrast(image) == 0:  # the mask has the shape, or it is an area of one colour
        image = _bitmap(raw.FPDFImageObj_GetRenderedBitmap(page.pdf.raw, page.raw, handle))
        if image is None or _contrast(image) < _MIN_CONTRAST:
            return None
    encoded = io.BytesIO()
    # A page of line art takes 3.6 ms at level 1 and 5.0 ms at level 6; run lengths alone take 2.6 ms at the size of 6.
    strategy = zlib.Z_RLE if image.mode == "1" else zlib.Z_DEFAULT_STRATEGY
    image.save(encoded, format="PNG", compress_level=1, compress_type=strategy)
    return encoded.getvalue()


def _bitmap(handle: Any, *, is_bilevel: bool = False) -> Image.Image | None:
    """Copy a PDFium bitmap to an image in black and white, grey or RGB, on a white background."""
    from PIL import Image
    from pypdfium2 import PdfBitmap

    if not handle:
        return None
    bitmap = PdfBitmap.from_raw(handle)  # freed with the last reference
    if is_bilevel and bitmap.mode == "L":
        size = (bitmap.width, bitmap.height)
        return Image.frombytes("1", size, bytes(bitmap.buffer), "raw", "1;8", bitmap.stride, 1)
    image: Image.Image = bitmap.to_pil()
    if image.mode == "RGBA":
        page = Image.new("RGBA", image.size, "white")
        page.alpha_composite(image)
        image = page
    return image.copy() if image.mode == "L" else image.convert("RGB")


def _contrast(image: Image.Image) -> int:
    low, high = cast("tuple[int, int]", (image if image.mode == "1" else image.convert("L")).getextrema())
    return high - low
