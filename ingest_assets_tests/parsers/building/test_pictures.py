"""Pictures become PNG or JPEG of bounded size, or a named refusal."""

from __future__ import annotations

import io
import struct
import zlib
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.pictures import encode, flatten, is_decoration, opened
from ingest_assets.parsers.contract import Limits
from ingest_assets.records import Picture

LIMITS = Limits()


def gradient(mode: str, *, side: int = 256) -> Image.Image:
    return Image.radial_gradient("L").resize((side, side)).convert(mode)


def saved(image: Image.Image, format_name: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header names a size that its few bytes of pixels do not bear out."""

    def piece(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + piece(b"IHDR", header) + piece(b"IDAT", zlib.compress(b"\0" * 999)) + piece(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("mode", "format_name", "media_type"),
    [
        ("RGB", "PNG", "image/png"),
        ("RGBA", "PNG", "image/png"),
        ("P", "PNG", "image/png"),
        ("1", "PNG", "image/png"),
        ("RGB", "JPEG", "image/jpeg"),
        ("L", "JPEG", "image/jpeg"),
    ],
)
def test_png_and_jpeg_that_any_viewer_shows_stay_as_they_are(mode: str, format_name: str, media_type: str) -> None:
    data = saved(gradient(mode), format_name)
    assert encode(data, page_number=3, limits=LIMITS) == Picture(
        sha256=sha256(data).hexdigest(), media_type=media_type, width=256, height=256, page_number=3, data=data
    )


@pytest.mark.parametrize(
    ("mode", "format_name"),
    [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("P", "GIF"), ("RGB", "BMP"), ("1", "TIFF"), ("RGBA", "WEBP"), ("F", "TIFF")],
)
def test_other_kinds_become_the_same_png_each_time(mode: str, format_name: str) -> None:
    data = saved(gradient(mode), format_name)
    picture = encode(data, page_number=None, limits=LIMITS)
    assert picture == encode(data, page_number=None, limits=LIMITS)
    assert (picture.media_type, picture.width, picture.height) == ("image/png", 256, 256)
    assert picture.sha256 == sha256(picture.data).hexdigest()
    with Image.open(io.BytesIO(picture.data)) as image:
        grey = np.asarray(image.convert("L"))
    assert grey[128, 128] < 30
    assert grey[0, 0] > 200


def test_metadata_does_not_make_a_converted_picture_another_one() -> None:
    plain = encode(saved(gradient("RGB"), "TIFF"), page_number=None, limits=LIMITS)
    described = encode(
        saved(gradient("RGB"), "TIFF", description="holiday", dpi=(72, 72)), page_number=None, limits=LIMITS
    )
    assert plain.sha256 == described.sha256


def test_a_see_through_palette_is_put_on_white_paper() -> None:
    image = Image.new("P", (40, 40), 0)
    image.putpalette([10, 10, 10, 200, 0, 0])
    picture = encode(saved(image, "PNG", transparency=0), page_number=None, limits=LIMITS)
    with Image.open(io.BytesIO(picture.data)) as page:
        assert page.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_the_first_frame_stands_for_an_animation() -> None:
    frames = [Image.new("RGB", (50, 40), colour) for colour in ("red", "blue")]
    picture = encode(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]), page_number=None, limits=LIMITS)
    with Image.open(io.BytesIO(picture.data)) as image:
        assert image.convert("RGB").getpixel((5, 5)) == (255, 0, 0)


def test_a_picture_over_the_limit_is_refused_at_its_header() -> None:
    with pytest.raises(BadInput, match=r"^picture on page 3: 35,000 x 35,000 pixels, over the limit of 40,000,000$"):
        encode(png_claiming(35_000, 35_000), page_number=3, limits=LIMITS)


def test_the_limit_is_the_callers_even_above_pillows_own() -> None:
    picture = encode(png_claiming(20_000, 20_000), page_number=None, limits=Limits(max_picture_pixels=400_000_000))
    assert picture.width == 20_000


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b'<?xml version="1.0"?><svg xmlns="x"/>', "an SVG drawing"),
        (b"\xd7\xcd\xc6\x9a" + bytes(40), "a WMF drawing"),
        (b"\x01\0\0\0" + bytes(36) + b" EMF", "an EMF drawing"),
        (b"%PDF-1.7", "unknown format"),
        (b"\x89PNG\r\n\x1a\nnothing", "its header cannot be read"),
        (b"GIF89a", "its header cannot be read"),
        (saved(gradient("RGB"), "BMP")[:5_000], "cannot be decoded"),
        (saved(gradient("L"), "WEBP")[:200], "damaged"),
    ],
)
def test_what_cannot_be_a_picture_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(BadInput, match=f"picture on page 7: .*{reason}"):
        encode(data, page_number=7, limits=LIMITS)


def test_a_refusal_is_worded_the_same_each_time() -> None:
    words = set()
    for _ in range(3):
        with pytest.raises(BadInput) as caught:
            encode(b"GIF89a", page_number=1, limits=LIMITS)
        words.add(str(caught.value))
    assert len(words) == 1


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P"])
def test_one_colour_and_thin_pictures_are_decoration(mode: str) -> None:
    for format_name in ("PNG", "JPEG"):
        if format_name == "JPEG" and mode in {"RGBA", "P"}:
            continue
        plain = encode(saved(Image.new(mode, (640, 480)), format_name), page_number=None, limits=LIMITS)
        drawn = encode(saved(gradient(mode), format_name), page_number=None, limits=LIMITS)
        thin = encode(saved(gradient(mode).resize((400, 12)), format_name), page_number=None, limits=LIMITS)
        assert [is_decoration(picture) for picture in (plain, drawn, thin)] == [True, False, True]


def test_a_picture_without_its_data_is_judged_by_its_size() -> None:
    assert is_decoration(Picture(sha256="a", media_type="image/png", width=31, height=900))
    assert not is_decoration(Picture(sha256="a", media_type="image/png", width=32, height=900))


def test_sixteen_bit_grey_keeps_its_contrast() -> None:
    dim = gradient("L").convert("I").point(lambda value: value * 3 + 100).convert("I;16")
    with opened(saved(dim, "PNG"), where="picture") as image:
        assert flatten(image).getextrema() == (0, 255)


def test_pillows_own_limit_is_as_before_afterwards() -> None:
    before = Image.MAX_IMAGE_PIXELS
    encode(saved(gradient("L"), "PNG"), page_number=None, limits=LIMITS)
    with pytest.raises(BadInput):
        encode(b"GIF89a", page_number=None, limits=LIMITS)
    assert before == Image.MAX_IMAGE_PIXELS


def test_the_pictures_of_the_corpus_are_taken(corpus: Path) -> None:
    names = ("chi_sim_image.jpeg", "double-column-A.jpg", "testTIFF_multipage.tif", "typewriter.png", "webp-test.webp")
    found = [encode((corpus / "image" / name).read_bytes(), page_number=None, limits=LIMITS) for name in names]
    assert [(picture.width, picture.height) for picture in found] == [
        (449, 110),
        (1248, 1664),
        (800, 600),
        (4000, 2864),
        (2000, 2829),
    ]
