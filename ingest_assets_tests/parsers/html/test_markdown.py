"""Test Markdown: it is read as CommonMark with tables."""

from __future__ import annotations

import base64
from pathlib import Path

from ingest_assets.parsers.html import markdown
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.reading import elements_of, file, parts_of, png, texts_of

SOURCE = """\
---
title: Front matter
---
# One
text that goes
on
- item
  - inner
    ```
    code  here
    ```

Setext
------

| a | b |
| - | - |
| 1 | x\\|y |

> quoted <b>html</b>
"""


def test_structure(tmp_path: Path) -> None:
    assert [(e.type, e.level, e.text) for e in elements_of(markdown, file(tmp_path, SOURCE))] == [
        (ElementType.NARRATIVE_TEXT, 0, "title: Front matter"),
        (ElementType.TITLE, 1, "One"),
        (ElementType.NARRATIVE_TEXT, 0, "text that goes on"),
        (ElementType.LIST_ITEM, 0, "item"),
        (ElementType.LIST_ITEM, 0, "inner"),
        (ElementType.CODE, 0, "code  here"),
        (ElementType.TITLE, 2, "Setext"),
        (ElementType.TABLE, 0, "| a | b |\n| --- | --- |\n| 1 | x\\|y |"),
        (ElementType.NARRATIVE_TEXT, 0, "quoted html"),
    ]


def test_an_embedded_picture_is_kept_and_a_remote_one_is_its_alternative_text(tmp_path: Path) -> None:
    uri = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    (part,) = parts_of(markdown, file(tmp_path, f"![inline]({uri})\n\n![a duck](https://example.org/x.png)\n"))
    assert [(element.type.value, element.text) for element in part.elements] == [
        ("Image", ""),
        ("NarrativeText", "a duck"),
    ]
    assert len(part.pictures) == 1


def test_a_long_file_is_read_in_parts_that_do_not_depend_on_the_start(tmp_path: Path) -> None:
    path = file(
        tmp_path, "".join(f"## Section {number}\n\n{f'Some text of {number}. ' * 12}\n\n" for number in range(500))
    )
    parts = parts_of(markdown, path)
    assert len(parts) > 2
    assert sum(len(part.elements) for part in parts) == 1_000
    assert parts_of(markdown, path, start=2) == parts[1:]


def test_deep_quotes_and_brackets_lose_no_text(tmp_path: Path) -> None:
    texts = " ".join(
        texts_of(markdown, file(tmp_path, f"{'> ' * 500}deep\n\n{'[' * 5_000}brackets\n\n{'*' * 5_000}stars\n"))
    )
    assert all(word in texts for word in ("deep", "brackets", "stars"))


def test_an_open_fence_holds_the_rest(tmp_path: Path) -> None:
    assert "# not a title" in texts_of(markdown, file(tmp_path, "```\n# not a title\n"))[0]


def test_a_rule_at_the_start_is_not_front_matter(tmp_path: Path) -> None:
    assert texts_of(markdown, file(tmp_path, "---\n\nJust text, with: colon.\n")) == ["Just text, with: colon."]


def test_characters_of_formulas_are_not_mark_up(tmp_path: Path) -> None:
    source = "With $a*b*c$ and $p_i^*<x$ it costs $5 and $6 *now* in $HOME/$USER."
    source += "\n\n$$\n\\{x\\} \\\\ y\n$$\n\nSo $$x^2$$ (eq1)\n"
    assert texts_of(markdown, file(tmp_path, source)) == [
        "With $a*b*c$ and $p_i^*<x$ it costs $5 and $6 now in $HOME/$USER.",
        "$$\\{x\\} \\\\ y$$",
        "So $$x^2$$ (eq1)",
    ]
