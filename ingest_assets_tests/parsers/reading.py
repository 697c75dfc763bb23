"""Read files with a parser, and write small files, for the tests of the parsers."""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from pathlib import Path

import docx
from PIL import Image

from ingest_assets.parsers.contract import Limits, Parser
from ingest_assets.records import Element, ElementType, Part


def parts_of(parser: Parser, path: Path, *, start: int = 1) -> list[Part]:
    return list(parser.read(path, limits=Limits(), start=start))


def elements_of(parser: Parser, path: Path) -> list[Element]:
    return [element for part in parts_of(parser, path) for element in part.elements]


def texts_of(parser: Parser, path: Path) -> list[str]:
    return [element.text for element in elements_of(parser, path) if element.type is not ElementType.IMAGE]


def file(tmp_path: Path, data: bytes | str, name: str = "file") -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def folded(text: str) -> str:
    """Normalise as the README of the corpus says: NFKC, white space folded, bidi marks and soft hyphens removed."""
    text = unicodedata.normalize("NFKC", text)
    return " ".join(re.sub("[\u00ad\u200e\u200f\u202a-\u202e\u2066-\u2069]", "", text).split())


def word(path: Path, *pictures: bytes) -> Path:
    """Write a Word document of a sentence and pictures."""
    document = docx.Document()
    document.add_paragraph("It rained on the fourth of May.")
    for picture in pictures:
        document.add_picture(io.BytesIO(picture))
    document.save(str(path))
    return path


def png(color: str = "red") -> bytes:
    out = io.BytesIO()
    image = Image.new("RGB", (64, 48), color)
    image.putpixel((1, 1), (1, 2, 3))
    image.save(out, "PNG")
    return out.getvalue()


def rewritten(path: Path, target: Path, changes: dict[str, bytes]) -> Path:
    """Copy a zip file with some members replaced or added."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for member in source.infolist():
            if member.filename not in changes:
                copy.writestr(member.filename, source.read(member))
        for name, data in changes.items():
            copy.writestr(name, data)
    return target


def member(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)
