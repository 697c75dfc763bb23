"""Test that a document is written as it was read, as Markdown and as JSON."""

from __future__ import annotations

import json

from ingest_assets.ledger_records import FileRecord, State
from ingest_assets.records import Caption, Chunk, Element, ElementType, Part, Picture
from ingest_assets.stages.retrieval.export import json_of, json_of_chunks, markdown_of, markdown_of_chunks

RECORD = FileRecord(
    file_id="ann:island:a.pdf",
    user_id="ann",
    project_id="island",
    filename="a.pdf",
    key="ann/island/a.pdf",
    state=State.PARTIAL,
    media_type="application/pdf",
    pages=3,
    quarantined=(2,),
)
LAMP = "1" * 64
PARTS = [
    Part(
        number=1,
        page_number=1,
        elements=(
            Element(ElementType.HEADER, "Annual report", page_number=1),
            Element(ElementType.TITLE, "The\nisland", page_number=1, level=1),
            Element(ElementType.NARRATIVE_TEXT, "It lies in the sea.", page_number=1, section=("The island",)),
            Element(ElementType.LIST_ITEM, "sand\nand stones", page_number=1),
            Element(ElementType.TABLE, "| a | b |\n| --- | --- |\n| 1 | 2 |", page_number=1),
            Element(ElementType.IMAGE, "", page_number=1, picture=LAMP),
        ),
        pictures=(Picture(sha256=LAMP, media_type="image/png", width=8, height=9, page_number=1),),
    ),
    Part(number=2, page_number=2, problem="broken -- stream"),
    Part(
        number=3,
        page_number=3,
        elements=(
            Element(ElementType.CODE, "```\nprint()", page_number=3),
            Element(ElementType.FORMULA, "a = b", page_number=3),
            Element(ElementType.IMAGE, "Fig. 2", page_number=3, picture="2" * 64),
            Element(ElementType.FOOTER, "page 3", page_number=3),
        ),
    ),
]
CAPTIONS = {
    LAMP: Caption(LAMP, "A [red] lamp\non a table", "OSRAM\n60 W", 1, "eye-1", confidence=0.4, is_doubtful=True),
}
MARKDOWN = f"""<!-- page 1 -->

# The island

It lies in the sea.

- sand
  and stones

| a | b |
| --- | --- |
| 1 | 2 |

![A (red) lamp on a table](picture:{LAMP})

> OSRAM
> 60 W

<!-- page 2 could not be read: broken – stream -->

<!-- page 3 -->

````
```
print()
````

$$
a = b
$$

Fig. 2

![](picture:{"2" * 64})
"""


def test_markdown_holds_what_was_read_in_reading_order() -> None:
    assert "".join(markdown_of(PARTS, captions=CAPTIONS)) == MARKDOWN


def test_json_holds_every_element_and_what_was_read_from_each_picture() -> None:
    document = json.loads(b"".join(json_of(RECORD, PARTS, captions=CAPTIONS)))
    assert document["file"]["key"] == "ann/island/a.pdf"
    assert [element["type"] for element in document["elements"]] == [
        element.type.value for part in PARTS for element in part.elements
    ]
    assert document["elements"][2]["section"] == ["The island"]
    assert document["elements"][5]["picture"] == {
        "sha256": LAMP,
        "media_type": "image/png",
        "width": 8,
        "height": 9,
        "caption": "A [red] lamp\non a table",
        "text": "OSRAM\n60 W",
        "model": "eye-1",
        "confidence": 0.4,
        "is_doubtful": True,
        "is_page": False,
        "problem": "",
    }
    assert document["unread"] == [{"number": 2, "page_number": 2, "problem": "broken -- stream"}]


def test_an_empty_document_is_written_too() -> None:
    assert "".join(markdown_of([], captions={})).strip() == ""
    assert json.loads(b"".join(json_of(RECORD, [], captions={})))["elements"] == []


def test_chunks_of_a_client_are_written_in_their_order() -> None:
    chunks = [
        Chunk("c1", "f", 0, "one", "", 0, 3, section=("Part", "First"), metadata={"tokens": 1}),
        Chunk("c2", "f", 1, "two", "", 0, 3, section=("Part", "First")),
        Chunk("c3", "f", 2, "three", "", 0, 5),
    ]
    assert "".join(markdown_of_chunks(chunks)) == "## First\n\none\n\ntwo\n\nthree\n"
    document = json.loads(b"".join(json_of_chunks(RECORD, chunks)))
    assert [(chunk["text"], chunk["metadata"]) for chunk in document["chunks"]] == [
        ("one", {"tokens": 1}),
        ("two", {}),
        ("three", {}),
    ]
