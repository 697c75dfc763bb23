"""Test zip archives as folders: every document below its name, nothing outside, and limits."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given

from ingest_assets.errors import BadInput
from ingest_assets.parsers import zip_archive as archive
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.records import ElementType, Part
from ingest_assets_tests.parsers.mutation import many_files, mutated, places, read_or_refuse
from ingest_assets_tests.parsers.reading import elements_of, file, parts_of, png, texts_of

# spaCy, which unstructured loads to read HTML, gives DeprecationWarnings.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def zipped(members: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return out.getvalue()


def texts_in(parts: list[Part]) -> list[str]:
    return [element.text for part in parts for element in part.elements]


def pictures_in(parts: list[Part]) -> set[str]:
    return {picture.sha256 for part in parts for picture in part.pictures}


def warnings_of(path: Path, limits: Limits | None = None) -> list[str]:
    return [w for part in archive.read(path, limits=limits or Limits()) for w in part.warnings]


def test_each_member_is_a_document_below_its_name(tmp_path: Path) -> None:
    members: dict[str, bytes | str] = {
        "a/": "",
        "a/notes.md": "# Head\n\nText.",
        "__MACOSX/a": "x",
        "a/b.csv": "n,m\n1,2\n",
        "c.png": png(),
    }
    path = file(tmp_path, zipped(members))
    assert detect(path, filename="x.zip") == "application/zip"
    assert [(e.type, e.level, e.text.split("\n")[0]) for e in elements_of(archive, path)] == [
        (ElementType.TITLE, 1, "a/notes.md"),
        (ElementType.TITLE, 2, "Head"),
        (ElementType.NARRATIVE_TEXT, 0, "Text."),
        (ElementType.TITLE, 1, "a/b.csv"),
        (ElementType.TABLE, 0, "| n | m |"),
        (ElementType.TITLE, 1, "c.png"),
        (ElementType.IMAGE, 0, ""),
    ]


@pytest.mark.slow
def test_every_family_is_read_in_an_archive_as_it_is_alone(tmp_path: Path, corpus: Path) -> None:
    names = [
        *("docx/textbox.docx", "xlsx/xlsx_06_edge_cases_.xlsx", "pptx/pptx_chart.pptx", "pdf/normal_4pages.pdf"),
        *("html/wiki_duck.html", "odt/fake.odt", "epub/testEPUB.epub", "rtf/testRTFVarious.rtf"),
        *(
            "msg/fake-email-attachment.msg",
            "eml/eng_spa_mult.eml",
            "image/testTIFF_multipage.tif",
            "wrong_extension/fake.doc",
        ),
        *("xlsx/xlsx_emf.xlsx", "wrong_extension/elife-56337.txt"),
    ]
    for name in names:
        alone = read_or_refuse(corpus / name, name)
        inside = read_or_refuse(file(tmp_path, zipped({name: (corpus / name).read_bytes()})), "a.zip")
        assert alone
        assert texts_in(inside)[1:] == texts_in(alone)
        assert pictures_in(inside) == pictures_in(alone)


def test_names_that_lead_out_are_left_out_by_name(tmp_path: Path) -> None:
    members: dict[str, bytes | str] = {
        "../../etc/cron.d/x": "bad",
        "/etc/passwd": "bad",
        "C:\\x.txt": "bad",
        "a\\..\\..\\x": "bad",
        "good.txt": "good",
    }
    path = file(tmp_path, zipped(members))
    assert texts_of(archive, path) == ["good.txt", "good"]
    assert [warning.split(" was left out")[0] for warning in warnings_of(path)] == [
        "../../etc/cron.d/x",
        "/etc/passwd",
        "C:/x.txt",
        "a/../../x",
    ]


def test_encrypted_members_are_named(tmp_path: Path) -> None:
    data = bytearray(zipped({"secret.txt": "x", "open.txt": "text"}))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    path = file(tmp_path, bytes(data))
    assert texts_of(archive, path) == ["open.txt", "text"]
    assert "secret.txt was left out: 'secret.txt' in it is encrypted" in warnings_of(path)[0]


def test_an_archive_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nothing in the archive can be read: tool was left out: a program"):
        parts_of(archive, file(tmp_path, zipped({"tool": b"\x7fELF"})))
    assert parts_of(archive, file(tmp_path, zipped({})))[0].elements == ()


def test_bombs_are_refused_or_left_out(tmp_path: Path) -> None:
    path = file(tmp_path, zipped({"zeros.txt": b"a" * 50_000_000, "good.txt": "good"}))
    assert texts_of(archive, path) == ["good.txt", "good"]
    assert "times its size" in warnings_of(path)[0]
    with pytest.raises(BadInput, match="over the limit of 1 MB"):
        list(archive.read(path, limits=Limits(max_unpacked_bytes=1_000_000)))


def test_archives_in_archives_end(tmp_path: Path) -> None:
    data = zipped({"deep.txt": "deep"})
    for number in range(10):
        data = zipped({f"{number}.zip": data, f"{number}.txt": f"level {number}"})
    path = file(tmp_path, data)
    levels = [text for text in texts_of(archive, path) if text.startswith("level")]
    assert sorted(levels) == [f"level {number}" for number in range(5, 10)]
    assert any("too many levels" in warning for warning in warnings_of(path))


def test_what_all_levels_hold_is_counted_together(tmp_path: Path) -> None:
    inner = zipped({f"{number}.txt": f"text {number}" for number in range(10)})
    path = file(tmp_path, zipped({f"{number}.zip": inner for number in range(10)}))
    parts = list(archive.read(path, limits=Limits(max_documents=30)))
    assert sum(e.text.startswith("text") for part in parts for e in part.elements) == 27
    assert any("more than 30 documents" in warning for part in parts for warning in part.warnings)


def test_a_size_that_lies_is_damage(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": "x" * 5_000, "b.txt": "good"}))
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 100)
    path = file(tmp_path, bytes(data))
    assert texts_of(archive, path)[-1] == "good"
    assert "a.txt was left out: damaged" in warnings_of(path)[0]


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="damaged or truncated"):
        parts_of(archive, file(tmp_path, zipped({"a.txt": "x" * 5_000})[:-30]))


def test_parts_are_the_same_from_any_start(tmp_path: Path) -> None:
    long = "\n\n".join(f"Paragraph {number} of a text. " * 8 for number in range(400))
    path = file(tmp_path, zipped({"a.txt": long, "tool": b"\x7fELF", "b.txt": "short", "c.md": long}))
    parts = parts_of(archive, path)
    assert len(parts) > 5
    for start in range(1, len(parts) + 1):
        assert parts_of(archive, path, start=start) == parts[start - 1 :]


@pytest.mark.slow
@many_files
@given(changes=places)
def test_damage_is_refused_or_read(tmp_path: Path, changes: list[tuple[float, str, bytes]]) -> None:
    inner = zipped({"x.txt": "inner", "y.csv": "a,b\n1,2"})
    data = zipped({"a.md": "# A\n\ntext", "b.zip": inner, "c.png": png(), "d.eml": "From: a@b\nSubject: s\n\ntext"})
    read_or_refuse(file(tmp_path, mutated(data, changes)), "made.zip")
