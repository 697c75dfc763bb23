"""Show the beginning of a document and its pictures in Dagster's UI: cut at words, with pages, in Markdown."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from itertools import islice

from ingest_assets.artifacts.sequences import Stored
from ingest_assets.records import Caption, Part, Picture

_PICTURES = 4
_PICTURE_CHARS = 300
_SIDE_PIXELS = 160
_LARGEST_PIXELS = 2_000_000  # 8 MB when it is decoded: memory that a run does not need for its own work
_JPEG_QUALITY = 60  # about 4 kB for a picture of that side; each run keeps its metadata in Dagster's event log


def cut(text: str, chars: int) -> str:
    """Shorten a text to whole words, and mark with … that there is more."""
    text = text.strip()
    if len(text) <= chars:
        return text
    head = text[:chars]
    return (head.rsplit(None, 1)[0] if len(head.split()) > 1 else head) + " …"


def pictures_as_markdown(captions: Iterable[Caption], parsed: Stored[Part]) -> str:
    """Show the first pictures that have a caption or text: a thumbnail of each, with its caption and text."""
    told = list(islice((row for row in captions if row.caption or row.text), _PICTURES))
    if not told:
        return "no picture shows anything that can be told"
    pictures = _find({row.picture for row in told}, parsed)
    return "\n\n".join(_shown(row, pictures.get(row.picture), parsed) for row in told)


def _find(wanted: set[str], parsed: Stored[Part]) -> dict[str, Picture]:
    found: dict[str, Picture] = {}
    for part in parsed:
        found |= {picture.sha256: picture for picture in part.pictures if picture.sha256 in wanted}
        if len(found) == len(wanted):
            break
    return found


def _shown(row: Caption, picture: Picture | None, parsed: Stored[Part]) -> str:
    page = f"**Page {row.page_number}**\n\n" if row.page_number is not None else ""
    words = cut(" ".join(f"{row.caption}\n{row.text}".split()), _PICTURE_CHARS)
    return f"{page}{_thumbnail(picture, parsed)}{words}"


def _thumbnail(picture: Picture | None, parsed: Stored[Part]) -> str:
    """Return the picture as Markdown; "" if it is large or cannot be decoded."""
    if picture is None or picture.width * picture.height > _LARGEST_PIXELS:
        return ""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(parsed.attachment(picture.sha256))) as image:
            if image.width * image.height > _LARGEST_PIXELS:
                return ""
            small = image.convert("RGB")
            small.thumbnail((_SIDE_PIXELS, _SIDE_PIXELS))
            data = io.BytesIO()
            small.save(data, "JPEG", quality=_JPEG_QUALITY)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""  # OCR could read the picture and Pillow cannot: only its words are shown
    return f"![picture](data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()})\n\n"
