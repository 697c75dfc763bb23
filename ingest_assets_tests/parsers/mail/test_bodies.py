"""Test which body of a mail is read, and in which encoding."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from ingest_assets.parsers.mail import eml as mail
from ingest_assets_tests.parsers.mail.mails import message
from ingest_assets_tests.parsers.reading import elements_of, file, texts_of

# spaCy, which unstructured loads to read HTML, gives DeprecationWarnings.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_plain_text_is_preferred_to_html_that_says_the_same(tmp_path: Path) -> None:
    made = message("The text, with words enough.")
    made.add_alternative("<style>p {color: red}</style><p>The <b>text</b>, with words and signs.</p>", subtype="html")
    assert texts_of(mail, file(tmp_path, bytes(made)))[5:] == ["The text, with words enough."]


TABLE = "<table><tr><th>Item</th><th>Pieces</th></tr><tr><td>Lamp</td><td>4</td></tr></table>"
READ = "| Item | Pieces |\n| --- | --- |\n| Lamp | 4 |"
LIT = " ".join(["The lamp is lit at dusk."] * 9)


@pytest.mark.parametrize(
    ("plain", "rich", "read"),
    [
        ("Please see the table in the HTML.", TABLE, ["Please see the table in the HTML.", READ]),
        ("Lamp", TABLE, [READ]),
        (LIT, "<p>View this online</p>", [LIT, "View this online"]),
    ],
    ids=["each says what the other lacks", "the HTML says all and more", "the HTML is the stub"],
)
def test_of_two_alternatives_nothing_is_lost(tmp_path: Path, plain: str, rich: str, read: list[str]) -> None:
    made = message(plain)
    made.add_alternative(rich, subtype="html")
    assert texts_of(mail, file(tmp_path, bytes(made)))[5:] == read


def test_a_stub_of_plain_text_beside_html_is_not_read(tmp_path: Path) -> None:
    made = message("Your program cannot show HTML.")
    made.add_alternative(f"<h1>News</h1><p>{'Long words. ' * 100}</p>", subtype="html")
    elements = elements_of(mail, file(tmp_path, bytes(made)))[5:]
    assert (elements[0].text, elements[0].level) == ("News", 2)
    assert elements[1].text.startswith("Long words.")


@pytest.mark.parametrize(
    ("charset", "declared", "text"),
    [
        ("cp1252", "iso-8859-1", "“Zitat” – für dich"),
        ("gb18030", "gb2312", "新鲜甘草黄酮养分"),
        ("iso2022_jp", "iso-2022-jp", "ゾルゲと尾崎"),
        ("utf-8", "us-ascii", "naïve café"),
        ("utf-8", "x-unknown", "naïve café"),
        ("cp1251", "none", "Это письмо написано по-русски, и его нужно прочитать."),
    ],
)
def test_a_text_is_decoded_also_with_a_wrong_or_unknown_charset(
    tmp_path: Path, charset: str, declared: str, text: str
) -> None:
    head = f"Subject: s\nContent-Type: text/plain; charset={declared}\nContent-Transfer-Encoding: base64\n\n"
    assert texts_of(mail, file(tmp_path, head.encode() + base64.b64encode(text.encode(charset))))[-1] == text
