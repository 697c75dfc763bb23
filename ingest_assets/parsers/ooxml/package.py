"""Check a DOCX, PPTX or XLSX package and give its library a file that it can open.

Nothing in the package is trusted (`building/zip_safety.py`). Entity bombs and external entities need a document type
definition, which the Open Packaging Conventions forbid (ECMA-376 part 2, 8.1.4): a file with one is refused.

Two kinds of valid files break `python-docx`, `python-pptx` and `openpyxl`: "Strict" files (ISO/IEC 29500-1), which use
other namespaces, and files with a relationship to a member that does not exist. Both are rewritten, member by member,
into a temporary file.
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
from ingest_assets.parsers.building import zip_safety
from ingest_assets.parsers.contract import Limits

_STRICT_NAMES = (
    (b"purl.oclc.org/ooxml/wordprocessingml/main", b"schemas.openxmlformats.org/wordprocessingml/2006/main"),
    (b"purl.oclc.org/ooxml/presentationml/main", b"schemas.openxmlformats.org/presentationml/2006/main"),
    (b"purl.oclc.org/ooxml/spreadsheetml/main", b"schemas.openxmlformats.org/spreadsheetml/2006/main"),
    (b"purl.oclc.org/ooxml/officeDocument/math", b"schemas.openxmlformats.org/officeDocument/2006/math"),
    (b"purl.oclc.org/ooxml/officeDocument/", b"schemas.openxmlformats.org/officeDocument/2006/"),
    (b"purl.oclc.org/ooxml/drawingml/", b"schemas.openxmlformats.org/drawingml/2006/"),
)
# Content types of macro documents, templates and slide shows, which python-docx and python-pptx refuse, and of the
# plain document that each of them is.
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
    """Check a package and give the path to open: its own, or that of a rewritten copy, which is removed at the end.

    Raises:
        BadInput: truncated, a bomb, no Office package, or XML with a document type definition.
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
    except zip_safety.ZIP_ERRORS as error:
        raise BadInput(f"the file is damaged or truncated ({error}); save or upload it again") from error
    try:
        yield rewritten or path
    finally:
        if rewritten:
            rewritten.unlink(missing_ok=True)


def _check_directory(archive: zipfile.ZipFile, *, limits: Limits) -> None:
    zip_safety.check(archive, limits=limits)
    if "[Content_Types].xml" not in archive.namelist():
        raise BadInput("no office document: [Content_Types].xml is missing; save it again from its program")
    for member in archive.infolist():
        if _is_xml(member.filename) and "/worksheets/" not in member.filename:
            zip_safety.check_xml_size(member)


def _is_xml(name: str) -> bool:
    return name.lower().endswith((".xml", ".rels", ".vml"))


def _check_xml(archive: zipfile.ZipFile) -> None:
    for member in archive.infolist():
        if _is_xml(member.filename) and member.file_size:
            zip_safety.refuse_doctype(archive, member)


def _is_strict(archive: zipfile.ZipFile) -> bool:
    return "_rels/.rels" in archive.namelist() and b"purl.oclc.org/ooxml/" in archive.read("_rels/.rels")


def _is_variant(archive: zipfile.ZipFile) -> bool:
    types = archive.read("[Content_Types].xml")
    return any(variant in types for variant, _ in _VARIANTS)


_RELATIONSHIP = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*?(?:/>|>\s*</(?:\w+:)?Relationship>)", re.DOTALL)
_TARGET = re.compile(rb"""\bTarget\s*=\s*["']([^"']*)["']""")


def _missing_targets(archive: zipfile.ZipFile) -> dict[str, set[bytes]]:
    """Find the relationships whose target does not exist, by the name of the .rels member."""
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
    """Copy the package with transitional namespaces and without the relationships in `missing`."""
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
    # A new entry with the name alone: flags and extra fields of the old one are not copied.
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
            # A namespace may lie across two blocks: keep what follows the last tag for the next block.
            whole, end, rest_of_block = (rest + block).rpartition(b">")
            target.write(_transitional(whole + end))
            rest = rest_of_block
        target.write(_transitional(rest))


def _transitional(data: bytes) -> bytes:
    for strict, transitional in _STRICT_NAMES + _VARIANTS:
        data = data.replace(strict, transitional)
    return data
