"""A name that deceives, leaves the project or would never be found is refused, and says why."""

from __future__ import annotations

import unicodedata

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.uploads.names import plain_folder, plain_name


@pytest.mark.parametrize(
    "name", ["a.txt", "Größe 3.pdf", "文件.docx", "می\u200cخواهم.txt", "👩\u200d🔬.png", "x" * 255, "a:b,c*.txt"]
)
def test_a_name_of_any_script_is_taken(name: str) -> None:
    assert plain_name(unicodedata.normalize("NFD", name)) == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "empty"),
        ("../../etc/passwd", "holds a path"),
        ("/etc/passwd", "holds a path"),
        ("a\\b.txt", "holds a path"),
        ("..", "holds a path"),
        ("a\0.txt", "control"),
        ("a\r\nSet-Cookie: x.txt", "control"),
        ("a\x1b[31m.txt", "control"),
        ("a\u2028b.txt", "control"),
        ("\u202etxt.exe", "direction"),
        ("a\u200f.txt", "direction"),
        ("\udcff.txt", "UTF-8"),
        ("x" * 256, "256 bytes"),
        ("é" * 128, "256 bytes"),
        (".hidden", "passed over"),
        ("Thumbs.db", "passed over"),
        ("a.part", "passed over"),
    ],
)
def test_a_name_that_is_not_plain_is_refused_in_printable_letters(name: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        plain_name(name)
    assert str(caught.value).isprintable()


def test_a_folder_is_a_path_of_plain_names() -> None:
    assert plain_folder("/reports/2026/") == "reports/2026"
    assert plain_folder("") == plain_folder("/") == ""
    for folder in ("a/../b", "a//b", "a\\b", ".git/x"):
        with pytest.raises(BadInput):
            plain_folder(folder)
