"""Read every document of the corpus: its text is there, or the refusal names what is wrong."""

from __future__ import annotations

import csv
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.families import parser_for
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.corpus_reading import CorpusReading, read_once
from ingest_assets_tests.parsers.reading import folded

# spaCy and other dependencies of unstructured give DeprecationWarnings.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("corpus"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

# Their words stand in pictures, which the caption stage reads.
PICTURES = {"pdf_scanned", "image"}
# Of processor time, which other work on the machine does not raise; the longest one, the 400-page PDF, takes a few.
MAX_SECONDS = 60


@pytest.fixture(scope="module")
def outcomes(corpus: Path, request: pytest.FixtureRequest) -> Iterator[dict[str, CorpusReading]]:
    found = {row["path"]: read_once(corpus, row["path"]) for row in manifest(corpus)}
    yield found
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        sys.stdout.write(table_of(found))


def table_of(outcomes: dict[str, CorpusReading]) -> str:
    lines = [f"\n{'file':42} {'media type':40} {'outcome':8} pages elements pictures seconds"]
    for outcome in outcomes.values():
        elements = sum(len(part.elements) for part in outcome.parts)
        pictures = sum(len(part.pictures) for part in outcome.parts)
        state = "refused" if outcome.error else "in part" if outcome.problems else "read" if elements else "empty"
        what = f"{outcome.path:42} {outcome.media_type[-40:]:40} {state:8}"
        lines.append(f"{what} {outcome.pages:5} {elements:8} {pictures:8} {outcome.seconds:7.2f}")
    return "\n".join([*lines, ""])


def manifest(corpus: Path) -> list[dict[str, str]]:
    with (corpus / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def holds(outcome: CorpusReading, phrase: str) -> bool:
    # A phrase of a CSV has commas where the table has cells.
    text = folded(outcome.text)
    return folded(phrase) in text or folded(phrase) in re.sub(r" *\| *", ",", text)


def test_every_file_that_is_ok_gives_its_phrases(corpus: Path, outcomes: dict[str, CorpusReading]) -> None:
    missing: list[tuple[str, str, str]] = []
    for row in manifest(corpus):
        family, outcome = row["path"].split("/")[0], outcomes[row["path"]]
        if row["expected_outcome"] != "ok" or family in PICTURES:
            continue
        phrases = filter(None, (row["ground_truth_phrase"], row["late_phrase_near_the_end"]))
        missing.extend((outcome.path, phrase, outcome.error) for phrase in phrases if not holds(outcome, phrase))
    assert missing == []


def test_every_file_that_is_wrong_is_refused_by_name(corpus: Path, outcomes: dict[str, CorpusReading]) -> None:
    accepted = [
        row["path"]
        for row in manifest(corpus)
        if row["expected_outcome"].startswith("clear error")
        and "ok if" not in row["expected_outcome"]
        and "or empty" not in row["expected_outcome"]
        and not outcomes[row["path"]].error
    ]
    assert accepted == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("docx/testWORD_truncated.docx", "damaged or truncated"),
        ("docx/testWORD_protected_passtika.docx", "without a password"),
        ("pptx/testPPT_protected_passtika.pptx", "without a password"),
        ("xlsx/password_protected.xlsx", "without a password"),
        ("txt/empty.txt", "empty file (0 bytes)"),
        ("wrong_extension/random.bin", "binary data"),
        ("wrong_extension/testODTnotaZipFile.odt", "plain text"),
        ("eml/fake-encrypted.eml", "encrypted (PGP"),
        ("odt/testODTEncrypted.odt", "encrypted; upload it without a password"),
    ],
)
def test_a_refusal_names_the_problem(outcomes: dict[str, CorpusReading], name: str, words: str) -> None:
    assert words in outcomes[name].error


def test_a_file_that_is_a_picture_is_read_as_one(outcomes: dict[str, CorpusReading]) -> None:
    without = [
        outcome.path
        for outcome in outcomes.values()
        if outcome.path.startswith("image/") and not any(part.pictures for part in outcome.parts)
    ]
    assert without == []


def test_no_file_takes_long(outcomes: dict[str, CorpusReading]) -> None:
    assert [outcome.path for outcome in outcomes.values() if outcome.seconds > MAX_SECONDS] == []


def test_elements_are_clean_and_their_pictures_come_along(outcomes: dict[str, CorpusReading]) -> None:
    for outcome in outcomes.values():
        numbers = [part.number for part in outcome.parts]
        assert numbers == list(range(1, len(numbers) + 1)), outcome.path
        sent = {picture.sha256 for part in outcome.parts for picture in part.pictures}
        for part in outcome.parts:
            for element in part.elements:
                assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", element.text), outcome.path
                assert unicodedata.is_normalized("NFC", element.text), outcome.path
                assert (element.type is ElementType.TITLE) == (element.level > 0), outcome.path
                assert not element.picture or element.picture in sent, outcome.path


@pytest.mark.parametrize(
    "name",
    ["docx/handbook-872p.docx", "html/wiki_duck.html", "pptx/testPPT_various2.pptx", "xlsx/xlsx_04_inflated.xlsx",
     "txt/book-war-and-peace-1225p.txt", "wrong_extension/elife-56337.txt",
     "image/testTIFF_multipage.tif",
     "eml/email-with-image.eml",
     "odt/text_document_02.odt",
     "epub/winter-sports.epub",
     "rtf/testRTFVarious.rtf",
     "msg/testMSG_att_doc.msg"],
)  # fmt: skip
def test_a_reading_that_goes_on_yields_the_same_parts(
    corpus: Path, outcomes: dict[str, CorpusReading], name: str
) -> None:
    path, whole = corpus / name, outcomes[name]
    middle = len(whole.parts) // 2 + 1
    parser = parser_for(whole.media_type, filename=path.name)
    rest = list(parser.read(path, limits=Limits(), start=middle))
    assert [(part.number, part.elements) for part in rest] == [
        (part.number, part.elements) for part in whole.parts[middle - 1 :]
    ]
