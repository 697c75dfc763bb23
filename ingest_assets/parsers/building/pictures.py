"""Turn the bytes of a picture in a document into a `Picture` in PNG or JPEG.

Every parser uses it for every picture, so that all later steps see two formats and a bounded number of pixels. PNG and
JPEG that any viewer can show are kept unchanged, so that their hash is the hash of the bytes in the document. Only
their header is read here; damage in the pixels is reported when the picture is captioned. All other pictures are
decoded once and become PNG.

The pixel limit replaces Pillow's own check, which only warns at 89 million pixels and does not name the size.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits
from ingest_assets.records import Picture

if TYPE_CHECKING:
    from PIL import Image

PNG, JPEG = "image/png", "image/jpeg"

# Two lines of the smallest readable print. Smaller pictures are bullets, rules, icons and spacers.
MIN_SIDE_PX = 32

_KEPT_MODES = {PNG: {"1", "L", "LA", "P", "RGB", "RGBA"}, JPEG: {"L", "RGB"}}

# Exceptions of Pillow's decoders on damaged bytes; they check little themselves.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    RuntimeError,
    struct.error,
    zlib.error,
)


def encode(data: bytes, *, page_number: int | None, limits: Limits) -> Picture:
    """Make a Picture of PNG, JPEG, GIF, BMP, TIFF or WEBP bytes (the first frame or page of several).

    The size is read from the header and checked before any pixel is decoded.

    Raises:
        BadInput: damaged, of another format, or over `limits.max_picture_pixels`, with the reason.
    """
    where = f"picture on page {page_number}" if page_number is not None else "picture"
    format_name = _format(data, where=where)
    media_type = f"image/{format_name.lower()}"
    with opened(data, where=where) as image:
        width, height = image.size
        check_size(image, where=where, limits=limits)
        if not _is_kept(image, media_type=media_type):
            data, media_type = _png(flatten(image)), PNG
    return encoded_picture(data, media_type=media_type, size=(width, height), page_number=page_number)


def encode_frame(image: Image.Image, *, page_number: int | None) -> Picture:
    """Decode the current frame of an open picture to PNG. Check its size first."""
    return encoded_picture(_png(flatten(image)), media_type=PNG, size=image.size, page_number=page_number)


def encoded_picture(data: bytes, *, media_type: str, size: tuple[int, int], page_number: int | None) -> Picture:
    """Make the record of an encoded picture, named by the sha256 of its bytes; `size` is width and height in pixels."""
    width, height = size
    return Picture(sha256(data).hexdigest(), media_type, width, height, page_number=page_number, data=data)


def check_size(image: Image.Image, *, where: str, limits: Limits) -> None:
    """Check the size that the header declares.

    Raises:
        BadInput: over `limits.max_picture_pixels`.
    """
    width, height = image.size
    if width * height > limits.max_picture_pixels:
        limit = f"{limits.max_picture_pixels:,}"
        raise BadInput(f"{where}: {width:,} x {height:,} pixels, over the limit of {limit}")


def is_decoration(picture: Picture) -> bool:
    """Tell whether a picture has nothing to read: a side is under 32 pixels, or all of it has one colour.

    Pixels are decoded only if there are few bytes for the size, which is always so for one colour.
    """
    if min(picture.width, picture.height) < MIN_SIDE_PX:
        return True
    pixels = picture.width * picture.height
    # One colour needs 1/250 byte per pixel as JPEG, less as PNG, and 1-2 kB of headers; 4 megapixels decode to 12 MB.
    if not picture.data or pixels > 4_000_000 or len(picture.data) > 4_000 + pixels // 100:
        return False
    try:
        with opened(picture.data, where="picture") as image:
            extrema = flatten(image).convert("RGB").getextrema()
    except BadInput:
        return False  # damaged: the captioner reports it
    return all(low == high for low, high in cast("tuple[tuple[int, int], ...]", extrema))


@contextmanager
def opened(data: bytes, *, where: str) -> Iterator[Image.Image]:
    """Open a picture and read its header, without Pillow's own pixel limit; `where` begins the error's message.

    Raises:
        BadInput: Pillow cannot read the header, or cannot decode the pixels inside the block.
    """
    from PIL import Image

    with naming_damage(where), Image.open(io.BytesIO(data), formats=[_format(data, where=where)]) as image:
        yield image


@contextmanager
def naming_damage(where: str) -> Iterator[None]:
    """Turn Pillow's exceptions inside the block into a BadInput; Pillow's own pixel limit and warnings are off there.

    Raises:
        BadInput: a picture that is decoded inside the block is damaged.
    """
    from PIL import Image, UnidentifiedImageError

    pillows_limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata, which is not read
            yield
    except UnidentifiedImageError as error:
        # Pillow's own message holds a memory address, and the same bytes must give the same message.
        raise BadInput(f"{where}: damaged, its header cannot be read") from error
    except BROKEN as error:
        raise BadInput(f"{where}: damaged, cannot be decoded ({error})") from error
    finally:
        Image.MAX_IMAGE_PIXELS = pillows_limit


def open_file(path: Path, *, where: str) -> Image.Image:
    """Open a picture file and read its header; a frame is decoded when it is used.

    Raises:
        BadInput: empty, of another format, or its header is damaged.
    """
    from PIL import Image

    with path.open("rb") as file:
        head = file.read(1024)
    with naming_damage(where):
        return Image.open(path, formats=[_format(head, where=where)])


def flatten(image: Image.Image) -> Image.Image:
    """Decode to opaque L or RGB on a white background; scale 16-bit and float greys to 0-255."""
    from PIL import Image

    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")  # convert copies even then
        page = Image.new("RGB", image.size, "white")
        page.paste(image, mask=image)
        return page
    if image.mode.startswith(("I", "F")):
        wide = image.convert("F")
        low, high = cast("tuple[float, float]", wide.getextrema())
        scale = 255 / ((high - low) or 1)
        return wide.point(lambda value: value * scale - low * scale).convert("L")
    return image.convert("L" if image.mode in {"1", "L"} else "RGB")


def _format(data: bytes, *, where: str) -> str:
    """Return Pillow's name of the format that the first bytes show."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"BM"):
        return "BMP"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    raise BadInput(f"{where}: {_unsupported(data)}; PNG, JPEG, GIF, BMP, TIFF and WEBP can be read")


def _unsupported(data: bytes) -> str:
    if not data:
        return "empty"
    if data.startswith(b"\x01\0\0\0") and data[40:44] == b" EMF":
        return "an EMF drawing"
    if data.startswith((b"\xd7\xcd\xc6\x9a", b"\x01\0\x09\0", b"\x02\0\x09\0")):
        return "a WMF drawing"
    if b"<svg" in data[:1_000].lower():
        return "an SVG drawing"
    return f"unknown format (begins with {data[:4].hex(' ')})"


def _is_kept(image: Image.Image, *, media_type: str) -> bool:
    if image.mode == "P" and image.has_transparency_data:
        return False
    return image.mode in _KEPT_MODES.get(media_type, set())


def _png(image: Image.Image) -> bytes:
    """Encode without metadata, so that the same pixels give the same bytes."""
    image.info = {}
    encoded = io.BytesIO()
    image.save(encoded, format="PNG", compress_level=6)  # fixed: the default belongs to Pillow
    return encoded.getvalue()
