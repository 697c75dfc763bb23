"""Test mails: headers, the best text, attachments as documents of their own, and limits on nesting."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path

import docx as python_docx
import pytest
from hypothesis import given

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.mail import eml as mail
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.mail.mails import message
from ingest_assets_tests.parsers.mutation import many_files, mutated, places, read_or_refuse
from ingest_assets_tests.parsers.reading import elements_of, file, parts_of, png, texts_of

# spaCy, which unstructured loads to read HTML, gives DeprecationWarnings.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def word(text: str) -> bytes:
    document = python_docx.Document()
    document.add_heading("Inside", level=1)
    document.add_paragraph(text)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def test_the_subject_is_the_title_and_the_headers_follow(tmp_path: Path) -> None:
    elements = elements_of(mail, file(tmp_path, bytes(message())))
    assert [(element.type, element.level, element.text) for element in elements] == [
        (ElementType.TITLE, 1, "Plan für März"),
        (ElementType.NARRATIVE_TEXT, 0, "From: Ann <ann@example.org>"),
        (ElementType.NARRATIVE_TEXT, 0, "To: Bob <bob@example.org>"),
        (ElementType.NARRATIVE_TEXT, 0, "Cc: Chär <c@example.org>"),
        (ElementType.NARRATIVE_TEXT, 0, "Date: Wed, 04 Oct 2023 09:27:45 -0500"),
        (ElementType.NARRATIVE_TEXT, 0, "The text."),
    ]


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n", b"\n\n"])
def test_a_byte_order_mark_or_blank_line_hides_no_header(tmp_path: Path, before: bytes) -> None:
    assert texts_of(mail, file(tmp_path, before + bytes(message())))[0] == "Plan für März"


def test_an_attachment_is_a_document_below_its_name(tmp_path: Path) -> None:
    made = message()
    made.add_attachment(word("Only in the attachment."), maintype="application", subtype="x", filename="Bericht ä.docx")
    made.add_attachment("a,b\n1,2\n", filename="table.csv")
    titles = [(e.text, e.level) for e in elements_of(mail, file(tmp_path, bytes(made))) if e.type is ElementType.TITLE]
    assert titles == [("Plan für März", 1), ("Bericht ä.docx", 2), ("Inside", 3), ("table.csv", 2)]
    assert "Only in the attachment." in texts_of(mail, file(tmp_path, bytes(made)))
    assert {element.page_number for element in elements_of(mail, file(tmp_path, bytes(made)))} == {None}


def test_an_attachment_that_cannot_be_read_is_a_warning_by_name(tmp_path: Path) -> None:
    made = message()
    made.add_attachment(b"\x7fELF" + bytes(99), maintype="application", subtype="x", filename="tool.bin")
    made.add_attachment("still read", filename="later.txt")
    parts = parts_of(mail, file(tmp_path, bytes(made)))
    assert [warning for part in parts for warning in part.warnings] == [
        "tool.bin was left out: a program (application/x-executable): it holds no document text"
    ]
    assert "still read" in texts_of(mail, file(tmp_path, bytes(made)))


def test_inline_and_attached_pictures_are_pictures(tmp_path: Path) -> None:
    made = message()
    made.add_attachment(png("blue"), maintype="image", subtype="png", filename="photo.png")
    made.add_attachment(png("green"), maintype="image", subtype="png", disposition="inline", filename="logo.png")
    parts = parts_of(mail, file(tmp_path, bytes(made)))
    assert [len(part.pictures) for part in parts] == [1, 1]
    assert [e.text for e in parts[1].elements] == ["photo.png", ""]


def test_a_forwarded_mail_stands_below(tmp_path: Path) -> None:
    inner = message("Inner text.", subject="Inner")
    inner.add_attachment("Deep down.", filename="deep.txt")
    made = message()
    made.add_attachment(inner)
    elements = elements_of(mail, file(tmp_path, bytes(made)))
    titles = [(e.text, e.level) for e in elements if e.type is ElementType.TITLE]
    assert titles == [("Plan für März", 1), ("Inner", 2), ("deep.txt", 3)]
    assert elements[-1].text == "Deep down."


def test_fifty_nested_mails_end_with_a_warning(tmp_path: Path) -> None:
    made = message("Number 0.", subject="Mail 0")
    for number in range(1, 50):
        outer = message(f"Number {number}.", subject=f"Mail {number}")
        outer.add_attachment(made)
        made = outer
    parts = parts_of(mail, file(tmp_path, bytes(made)))
    texts = texts_of(mail, file(tmp_path, bytes(made)))
    assert [text for text in texts if text.startswith("Number")] == [
        f"Number {number}." for number in range(49, 43, -1)
    ]
    assert any("too many levels" in warning for part in parts for warning in part.warnings)


def test_mails_nested_without_end_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read as a mail"):
        parts_of(mail, file(tmp_path, b"From: a\nContent-Type: message/rfc822\n\n" * 20_000))


def test_a_mailbox_is_its_mails_one_after_the_other(tmp_path: Path) -> None:
    mails = [message(f"Text {number}.", subject=f"Mail {number}") for number in range(3)]
    mails[0].add_attachment("attached", filename="a.txt")
    locked = b"Subject: x\nContent-Type: application/pkcs7-mime\n\nAAAA\n"
    path = file(tmp_path, b"".join(b"From ann Wed\n" + made + b"\n" for made in [*map(bytes, mails), locked]))
    titles = [e.text for e in elements_of(mail, path) if e.type is ElementType.TITLE]
    assert titles == ["Mail 0", "a.txt", "Mail 1", "Mail 2"]
    assert "mail 4 was left out: the mail is encrypted" in parts_of(mail, path)[-1].warnings[0]


def test_a_saved_web_page_gives_its_text_and_pictures(tmp_path: Path) -> None:
    pieces = ("text/html", "<h1>Page</h1><p>Text.</p>"), ("text/css", "p {}"), ("image/png", "")
    body = "".join(
        f"--x\nContent-Type: {type_}\nContent-Location: http://h/{number}\nContent-Transfer-Encoding: base64\n\n"
        f"{base64.b64encode(text.encode() or png()).decode()}\n"
        for number, (type_, text) in enumerate(pieces)
    )
    head = 'From: <Saved by X>\nSubject: The page\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary="x"\n\n'
    parts = read_or_refuse(file(tmp_path, f"{head}{body}--x--"), "page.bin")
    assert [e.text for part in parts for e in part.elements] == ["The page", "From: <Saved by X>", "Page", "Text.", ""]


def test_attachments_are_bounded_in_number_and_size(tmp_path: Path) -> None:
    made = message()
    for number in range(5):
        made.add_attachment("x" * 1_000, filename=f"{number}.txt")
    path = file(tmp_path, bytes(made))
    few = list(mail.read(path, limits=Limits(max_documents=2)))
    assert "holds more than 2 documents" in few[-1].warnings[0]
    small = list(mail.read(path, limits=Limits(max_unpacked_bytes=2_500)))
    assert "come to more than" in small[-1].warnings[0]


def test_all_levels_of_nesting_are_counted_together(tmp_path: Path) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * 60_000_000)
        archive.writestr("[Content_Types].xml", "wordprocessingml")
    made = message()
    made.add_attachment(bomb.getvalue(), maintype="application", subtype="x", filename="bomb.zip")
    warnings = [warning for part in parts_of(mail, file(tmp_path, bytes(made))) for warning in part.warnings]
    assert warnings


@pytest.mark.parametrize(
    "type_", ['multipart/encrypted; boundary="x"', "application/pkcs7-mime; smime-type=enveloped-data"]
)
def test_an_encrypted_mail_is_refused_by_name(tmp_path: Path, type_: str) -> None:
    source = f"From: a@b\nSubject: s\nMIME-Version: 1.0\nContent-Type: {type_}\n\n--x\n\nsecret\n--x--\n"
    with pytest.raises(BadInput, match="encrypted"):
        parts_of(mail, file(tmp_path, source))


def test_an_encrypted_mail_in_a_mail_is_a_warning(tmp_path: Path) -> None:
    inner = "Subject: locked\nContent-Type: application/pkcs7-mime\n\nAAAA\n"
    head = 'Subject: s\nContent-Type: multipart/mixed; boundary="x"'
    source = f"{head}\n\n--x\nContent-Type: message/rfc822\n\n{inner}\n--x--"
    parts = parts_of(mail, file(tmp_path, source))
    assert "locked was left out: the mail is encrypted" in parts[-1].warnings[0]


def test_bare_bytes_in_a_header_are_read(tmp_path: Path) -> None:
    source = "Subject: Größe\nFrom: =?utf-8?q?J=C3=B6rg?= <j@example.org>\n\nText".encode()
    assert texts_of(mail, file(tmp_path, source))[:2] == ["Größe", "From: Jörg <j@example.org>"]


CUT = "=?utf-8?B?VGhlIHRpZGVzI?="  # one character too many for base64


@pytest.mark.parametrize("name", ["Subject", "From", "To", "Cc"])
def test_a_cut_word_in_a_header_stays_as_it_is_written(tmp_path: Path, name: str) -> None:
    others = "".join(f"{other}: x\n" for other in ("Subject", "From", "To", "Cc") if other != name)
    texts = texts_of(mail, file(tmp_path, f"{others}{name}: {CUT}\n\nThe text."))
    assert len(texts) == 5
    assert (CUT if name == "Subject" else f"{name}: {CUT}") in texts
    assert texts[-1] == "The text."


def test_the_other_words_of_a_header_with_a_cut_one_are_decoded(tmp_path: Path) -> None:
    source = f"Subject: s\nTo: =?utf-8?q?J=C3=B6rg_?=\n =?utf-8?q?M=C3=BCller?= <j@example.org>, {CUT} <a@b>\n\nText"
    assert texts_of(mail, file(tmp_path, source))[1] == f"To: Jörg Müller <j@example.org>, {CUT} <a@b>"


def test_a_cut_name_of_an_attachment_costs_neither_the_mail_nor_the_attachment(tmp_path: Path) -> None:
    head = 'Subject: s\nContent-Type: multipart/mixed; boundary="x"\n\n--x\nContent-Type: text/plain\n\nThe text.\n'
    attached = f'--x\nContent-Type: text/plain; name="{CUT}"\nContent-Disposition: attachment\n\nattached\n--x--'
    assert texts_of(mail, file(tmp_path, head + attached)) == ["s", "The text.", CUT, "attached"]


def test_a_mail_with_a_cut_header_is_read_in_a_mailbox(tmp_path: Path) -> None:
    box = "".join(f"From a Wed\nSubject: {subject}\n\nText.\n\n" for subject in ("one", CUT, "three"))
    assert texts_of(mail, file(tmp_path, box)) == ["one", "Text.", CUT, "Text.", "three", "Text."]


def test_a_forwarded_mail_with_a_cut_header_is_read(tmp_path: Path) -> None:
    head = 'Subject: s\nContent-Type: multipart/mixed; boundary="x"\n\n--x\nContent-Type: message/rfc822\n\n'
    assert texts_of(mail, file(tmp_path, f"{head}Subject: {CUT}\n\nDeep.\n--x--")) == ["s", CUT, "Deep."]


@pytest.mark.parametrize(
    "header",
    [
        "Content-Type: text/plain; charset*=utf\0-8''x",
        f"Content-Type: text/plain; charset*{'1' * 5000}=x",
        "Content-Disposition: inline; filename*=u\0tf''x",
        f"Content-Disposition: inline; filename*{'1' * 5000}=x",
        f"Content-Type: multipart/mixed; boundary*{'1' * 5000}=x",
    ],
    ids=["charset with NUL", "long charset", "file name with NUL", "long file name", "long boundary"],
)
def test_a_damaged_parameter_costs_nothing_but_itself(tmp_path: Path, header: str) -> None:
    assert texts_of(mail, file(tmp_path, f"Subject: s\n{header}\n\nThe text."))[-1] == "The text."


def test_fifty_thousand_addresses_are_cut(tmp_path: Path) -> None:
    many = ", ".join(f"person{number}@example.org" for number in range(50_000))
    assert len(texts_of(mail, file(tmp_path, f"Subject: s\nTo: {many}\n\nText"))[1]) < 2_100


def test_parts_are_the_same_from_any_start(tmp_path: Path) -> None:
    made = message("\n\n".join(f"Paragraph {number} of the mail." for number in range(3_000)))
    made.add_attachment("\n\n".join(f"Paragraph {n} of the file." for n in range(3_000)), filename="long.txt")
    made.add_attachment("short", filename="short.txt")
    path = file(tmp_path, bytes(made))
    parts = parts_of(mail, path)
    assert len(parts) > 5
    for start in range(1, len(parts) + 1):
        assert parts_of(mail, path, start=start) == parts[start - 1 :]


def test_a_part_of_an_attachment_can_be_left_unread(tmp_path: Path) -> None:
    made = message()
    made.add_attachment("\n\n".join(f"Paragraph {n} of the file." for n in range(5_000)), filename="long.txt")
    path = file(tmp_path, bytes(made))
    parts = parts_of(mail, path)
    left = list(mail.read(path, limits=Limits(unread=frozenset({3}))))
    assert left[:2] + left[3:] == parts[:2] + parts[3:]
    assert left[2].problem.startswith("long.txt: block of text 2 needs more memory")


@pytest.mark.slow
@many_files
@given(changes=places)
def test_damage_is_refused_or_read(tmp_path: Path, corpus: Path, changes: list[tuple[float, str, bytes]]) -> None:
    for name in ("eng_spa_mult.eml", "fake-encrypted.eml"):
        read_or_refuse(file(tmp_path, mutated((corpus / "eml" / name).read_bytes(), changes), name), name)
