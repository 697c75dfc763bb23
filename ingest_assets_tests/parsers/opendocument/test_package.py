"""Test that OpenDocument packages are checked before they are read."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Parser
from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.parsers.opendocument import odt
from ingest_assets_tests.parsers.mutation import many_files, mutated, places, read_or_refuse
from ingest_assets_tests.parsers.opendocument.odf_files import KINDS, odf, p, row, sheet
from ingest_assets_tests.parsers.reading import parts_of, rewritten


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_is_found_from_the_content(tmp_path: Path, kind: str) -> None:
    assert detect(odf(tmp_path, "", kind=kind), filename="a.zip") == f"application/vnd.oasis.opendocument.{kind}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x [<!ENTITY c SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_a_document_type_definition_is_refused(tmp_path: Path, kind: str, prolog: str) -> None:
    parser: Parser = KINDS[kind]
    path = odf(tmp_path, "", kind=kind, prolog=prolog)
    with pytest.raises(BadInput, match="document type definition"):
        parts_of(parser, path)


@pytest.mark.parametrize("kind", KINDS)
def test_an_encrypted_document_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    manifest = b"<manifest:manifest><manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"
    path = odf(tmp_path, "", {"META-INF/manifest.xml": manifest}, kind=kind)
    with pytest.raises(BadInput, match="encrypted; upload it without a password"):
        parts_of(KINDS[kind], path)


def test_a_bomb_and_a_package_without_content_are_refused(tmp_path: Path) -> None:
    path = odf(tmp_path, "", {"Pictures/a.png": b"\0" * 50_000_000})
    with pytest.raises(BadInput, match="times its size"):
        parts_of(odt, path)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
    path.write_bytes(out.getvalue())
    with pytest.raises(BadInput, match=r"content\.xml is missing"):
        parts_of(odt, path)


@pytest.mark.slow
@many_files
@given(changes=places)
def test_damage_is_refused_or_read(tmp_path: Path, corpus: Path, changes: list[tuple[float, str, bytes]]) -> None:
    source = corpus / "odt" / "fake.odt"
    path = tmp_path / "made"
    path.write_bytes(mutated(source.read_bytes(), changes))
    read_or_refuse(path, "made.odt")
    slide = f"<draw:page><draw:frame><draw:text-box>{p('x')}</draw:text-box></draw:frame></draw:page>"
    for kind, body in (
        ("text", p("Text.") * 20),
        ("spreadsheet", sheet("S", row("a", "b"), row("c", "d")) * 3),
        ("presentation", slide * 3),
    ):
        made = odf(tmp_path, body, kind=kind)
        with zipfile.ZipFile(made) as archive:
            content = mutated(archive.read("content.xml"), changes)
        read_or_refuse(rewritten(made, path, {"content.xml": content}), "made")
