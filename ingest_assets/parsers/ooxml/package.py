"""A DOCX, PPTX or XLSX file in, a package that its library may open out.

Nothing in it is trusted (`archives.py`). A document type definition is what entity bombs and external entities are made
of, and the Open Packaging Conventions forbid it (ECMA-376 part 2, 8.1.4): a member that has one refuses the file.

Two kinds of sound files break `python-docx`, `python-pptx` and `openpyxl`; they are rewritten, member by member, into a
temporary file: "Strict" ones (ISO/IEC 29500-1), which differ in their namespaces, and ones with a relationship to a
member that is not there.
"""

from __future__ import annotations

import posixpath
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building import zip_safety as archives
from ingest_assets.parsers.contract import Limits

_STRICT_NAMES = (
    (b"purl.oclc.org/ooxml/wordprocessingml/main", b"schemas.openxmlformats.org/wordprocessingml/2006/main"),
    (b"purl.oclc.org/ooxml/presentationml/main", b"schemas.openxmlformats.org/presentationml/2006/main"),
    (b"purl.oclc.org/ooxml/spreadsheetml/main", b"schemas.openxmlformats.org/spreadsheetml/2006/main"),
    (b"purl.oclc.org/ooxml/officeDocument/math", b"schemas.openxmlformats.org/officeDocument/2006/math"),
    (b"purl.oclc.org/ooxml/officeDocument/", b"schemas.openxmlformats.org/officeDocument/2006/"),
    (b"purl.oclc.org/ooxml/drawingml/", b"schemas.openxmlformats.org/drawingml/2006/"),
)
# Macro documents, templates and slide shows are documents under another name; python-docx refuses the name.
_VARIANTS = (
    (b"ms-word.document.macroEnabled.main", b"openxmlformats-officedocument.wordprocessingml.document.main"),
    (b"ms-word.template.macroEnabledTemplate.main", b"openxmlformats-officedocument.wordprocessingml.document.main"),
    (b"wordprocessingml.template.main", b"wordprocessingml.document.main"),
    (
        b"ms-powerpoint.presentation.macroEnabled.main",
        b"openxmlformats-officedocument.presentationml.presentation.main",
    ),
    (b"ms-powerpoint.slideshow.macroEnabled.main", b"openxmlformats-officedocument.presentationml.presentation.main"),
    (b"ms-powerpoint.template.macroEnabled.main", b"openxmlformats-officedocument.presentationml.presentation.main"),
    (b"presentationml.slideshow.main", b"presentationml.presentation.main"),
    (b"presentationml.template.main", b"presentationml.presentation.main"),
)


@contextmanager
def opened(path: Path, *, limits: Limits) -> Iterator[Path]:
    """Check a package and give the path to open: its own, or that of a rewritten copy which is removed at the end.

    Raises:
        BadInput: truncated, a bomb, no package, or XML with a document type definition.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_directory(archive, limits=limits)
            _check_xml(archive)
            missing = _missing_targets(archive)
            if not (missing or _is_strict(archive) or _is_variant(archive)):
                rewritten = None
            else:
                rewritten = _rewrite(archive, missing=missing)
    except archives.ZIP_ERRORS as error:
        raise BadInput(f"the file is damaged or truncated ({error}); save or upload it again") from error
    try:
        yield rewritten or path
    finally:
        if rewritten:
            rewritten.unlink(missing_ok=True)


def _check_directory(archive: zipfile.ZipFile, *, limits: Limits) -> None:
    archives.check(archive, limits=limits)
    if "[Content_Types].xml" not in archive.namelist():
        raise BadInput("no office document: [Content_Types].xml is missing; save it again from its program")
    for member in archive.infolist():
        if _is_xml(member.filename) and "/worksheets/" not in member.filename:
            archives.check_xml_size(member)


def _is_xml(name: str) -> bool:
    return name.lower().endswith((".xml", ".rels", ".vml"))


def _check_xml(archive: zipfile.ZipFile) -> None:
    for member in archive.infolist():
        if _is_xml(member.filename) and member.file_size:
            archives.refuse_doctype(archive, member)


def _is_strict(archive: zipfile.ZipFile) -> bool:
    return "_rels/.rels" in archive.namelist() and b"purl.oclc.org/ooxml/" in archive.read("_rels/.rels")


def _is_variant(archive: zipfile.ZipFile) -> bool:
    types = archive.read("[Content_Types].xml")
    return any(variant in types for variant, _ in _VARIANTS)


_RELATIONSHIP = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*?(?:/>|>\s*</(?:\w+:)?Relationship>)", re.DOTALL)
_TARGET = re.compile(rb"""\bTarget\s*=\s*["']([^"']*)["']""")


def _missing_targets(archive: zipfile.ZipFile) -> dict[str, set[bytes]]:
    """Find relationships to members that are not there, by the .rels member they stand in."""
    names = {name.lower() for name in archive.namelist()}
    missing: dict[str, set[bytes]] = {}
    for rels in archive.namelist():
        if not rels.endswith(".rels"):
            continue
        base = posixpath.dirname(posixpath.dirname(rels))
        for relationship in _RELATIONSHIP.findall(archive.read(rels)):
            target = _TARGET.search(relationship)
            if target is None or b'"External"' in relationship or b"'External'" in relationship:
                continue
            member = posixpath.normpath(posixpath.join("/" + base, target[1].decode("utf-8", "replace"))).lstrip("/")
            if member.split("#")[0].lower() not in names:
                missing.setdefault(rels, set()).add(relationship)
    return missing


def _rewrite(archive: zipfile.ZipFile, *, missing: dict[str, set[bytes]]) -> Path:
    """Copy the package with transitional namespaces and without dangling relationships."""
    with tempfile.NamedTemporaryFile(prefix="ingest-", suffix=".zip", delete=False) as file:
        path = Path(file.name)
    try:
        # Stored, not deflated: the copy is read once and removed.
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as copy:
            for member in archive.infolist():
                if not member.is_dir():
                    _copy(archive, member, copy, drop=missing.get(member.filename, set()))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, copy: zipfile.ZipFile, *, drop: set[bytes]) -> None:
    # A fresh entry with the bare name: nothing of the old one's flags and extra fields is carried over.
    entry = zipfile.ZipInfo(member.filename)
    if drop:
        data = archive.read(member)
        for relationship in sorted(drop):
            data = data.replace(relationship, b"")
        copy.writestr(entry, _transitional(data))
        return
    with archive.open(member) as source, copy.open(entry, "w", force_zip64=True) as target:
        if not _is_xml(member.filename):
            while block := source.read(1 << 16):
                target.write(block)
            return
        rest = b""
        while block := source.read(1 << 16):
            # A namespace may lie across two blocks: hold back what follows the last tag's end.
            whole, end, rest_of_block = (rest + block).rpartition(b">")
            target.write(_transitional(whole + end))
            rest = rest_of_block
        target.write(_transitional(rest))


def _transitional(data: bytes) -> bytes:
    for strict, transitional in _STRICT_NAMES + _VARIANTS:
        data = data.replace(strict, transitional)
    return data
