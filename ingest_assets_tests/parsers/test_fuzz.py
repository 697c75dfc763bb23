"""Read damaged files of every family in a capped process: each gives parts or a BadInput, nothing else.

The gate reads a dozen files of each family; `make soak` reads thousands.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_assets_tests.parsers.capped_reader import CappedReader
from ingest_assets_tests.parsers.mutation import mutated, places
from testing.soaking import share

pytestmark = pytest.mark.slow

# Small files of every kind; other tests measure the cost of large ones.
FAMILIES = {
    "pdf": (
        "pdf/vertical.pdf",
        "pdf/jo.pdf",
        "pdf/libreoffice-form.pdf",
        "pdf/testPDFPackage.pdf",
        "pdf/right_to_left_01.pdf",
    ),
    "pdf_hostile": ("pdf_hostile/Pages-tree-refs.pdf", "pdf_hostile/zen_of_python_corrupted.pdf"),
    "docx": ("docx/docx-tables.docx", "docx/equations.docx", "docx/textbox.docx"),
    "pptx": ("pptx/pptx_chart.pptx", "pptx/testPPT_various2.pptx"),
    "xlsx": ("xlsx/testEXCEL_dateFormats.xlsx", "xlsx/xlsx_06_edge_cases_.xlsx", "xlsx/xlsx_emf.xlsx"),
    "odt": ("odt/fake.odt", "odt/text_document_02.odt"),
    "epub": ("epub/testEPUB.epub",),
    "html": ("html/fake-html-cp1252.html", "html/html_rich_table_cells.html"),
    "markdown": ("md/umlauts-non-utf8.md", "md/wiki.md"),
    "csv": ("csv/semicolon-delimited.csv", "csv/stanley-cups-utf-16.csv", "csv/test_mskanji.csv"),
    "text": ("txt/russian.cp866.txt", "txt/fake-text-utf-16-be.txt"),
    "mail": ("eml/eng_spa_mult.eml", "eml/email-with-image.eml"),
    "outlook": ("msg/fake-email-attachment.msg", "msg/testMSG_att_doc.msg"),
    "rtf": ("rtf/testRTFVarious.rtf", "rtf/testRTFJapanese.rtf"),
    "image": ("image/webp-test.webp", "image/typewriter.png"),
}
# Kinds that the corpus does not contain.
MADE = {
    "xml": {
        "a.xml": b'<!DOCTYPE a [<!ENTITY x "y">]><a b="1">' + b"<c>one &x; two</c><d/>three <e>4</e>" * 9 + b"</a>"
    },
    "json": {
        "a.json": b'{"title": "Rain", "rows": [{"at": 1, "mm": 2.5}, {"at": 2, "mm": null}], "notes": ["a", "b"]}'
    },
    "json lines": {"a.jsonl": b'{"at": 1, "mm": 2.5, "note": "one"}\n{"at": 2, "mm": null, "note": "\\u00e4"}\n' * 20},
    "source": {"a.py": b'"""Read the gauge."""\n\nimport time\n\n\ndef read(a: int) -> int:\n    return a + 1\n' * 5},
}


@pytest.fixture(scope="module")
def reader(corpus: Path) -> Iterator[CappedReader]:
    reader = CappedReader(corpus / files[0] for files in FAMILIES.values())
    yield reader
    reader.close()


def damaged(data: bytes, changes: list[tuple[float, str, bytes]], *, inside: bool, which: float) -> bytes:
    """Damage a file, or a member of a zip: a damaged zip would rarely be unpacked far enough to reach its parser."""
    if not inside or not data.startswith(b"PK"):
        return mutated(data, changes)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as copy:
        names = source.namelist()
        chosen = names[int(which * len(names))]
        for name in names:
            content = source.read(name)
            copy.writestr(name, mutated(content, changes) if name == chosen else content)
    return out.getvalue()


def test_an_exception_that_is_not_a_refusal_is_a_finding(tmp_path: Path, reader: CappedReader) -> None:
    assert "FileNotFoundError" in reader.read(tmp_path / "missing.txt").finding


@pytest.mark.parametrize("family", [*FAMILIES, *MADE])
def test_a_damaged_file_gives_parts_or_a_refusal(
    family: str, corpus: Path, tmp_path: Path, reader: CappedReader
) -> None:
    wholes = MADE.get(family) or {name: (corpus / name).read_bytes() for name in FAMILIES[family]}

    @settings(
        max_examples=share(12, 200),
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(name=st.sampled_from(list(wholes)), changes=places, inside=st.booleans(), which=st.floats(0, 0.999))
    def fuzz(name: str, changes: list[tuple[float, str, bytes]], inside: bool, which: float) -> None:
        path = tmp_path / "damaged"
        path.write_bytes(damaged(wholes[name], changes, inside=inside, which=which))
        assert reader.read(path, name=Path(name).name, small=True).finding == ""

    fuzz()
