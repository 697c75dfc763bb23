"""Read what is drawn on a worksheet: pictures, text boxes, titles of charts, and comments.

`openpyxl` reads none of them when it streams. The numbers of a chart stand in the cells already.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.parsers.building import zip_safety
from ingest_assets.parsers.ooxml.charts import chart_table
from ingest_assets.parsers.ooxml.drawing_text import A, paragraph_text

if TYPE_CHECKING:
    from lxml import etree

_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def drawings(package: Path, worksheet: str) -> Iterator[bytes | str]:
    """Yield pictures as bytes and texts, in the order of the drawing; then the comments as text."""
    with zipfile.ZipFile(package) as archive:
        related = _related(archive, worksheet)
        for kind, member in related.values():
            if kind == "drawing":
                yield from _drawn(archive, member)
        for kind, member in related.values():
            if kind == "comments":
                for comment in zip_safety.parse_xml(archive.read(member)).iter(f"{_MAIN}comment"):
                    text = "".join(node.text or "" for node in comment.iter(f"{_MAIN}t"))
                    yield f"{comment.get('ref', '')}: {text}"


def _drawn(archive: zipfile.ZipFile, drawing: str) -> Iterator[bytes | str]:
    related = _related(archive, drawing)
    for node in zip_safety.parse_xml(archive.read(drawing)).iter(f"{A}blip", f"{A}p", f"{_C}chart"):
        if node.tag == f"{A}p":
            yield paragraph_text(node)
            continue
        _, member = related.get(_relation(node), ("", ""))
        if member and node.tag == f"{A}blip":
            yield archive.read(member)
        elif member:
            yield chart_table(zip_safety.parse_xml(archive.read(member)))[0]


def _relation(node: etree._Element) -> str:
    return node.get(f"{_R}embed") or node.get(f"{_R}id") or ""


def _related(archive: zipfile.ZipFile, member: str) -> dict[str, tuple[str, str]]:
    """Return kind and member name of each relationship of a member inside the package, by relationship id."""
    folder, name = posixpath.split(member)
    rels = f"{folder}/_rels/{name}.rels"
    names = set(archive.namelist())
    if rels not in names:
        return {}
    found: dict[str, tuple[str, str]] = {}
    for relationship in zip_safety.parse_xml(archive.read(rels)):
        target = posixpath.normpath(posixpath.join("/" + folder, relationship.get("Target", ""))).lstrip("/")
        if relationship.get("TargetMode") != "External" and target in names:
            kind = relationship.get("Type", "").rpartition("/")[2]
            found[relationship.get("Id", "")] = (kind, target)
    return found
