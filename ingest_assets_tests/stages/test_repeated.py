from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingest_assets.records import Element, ElementType, Part, Picture
from ingest_assets.stages.repeated import repeated


def document(*pages: Sequence[str], scans: Sequence[str] = (), parts_per_page: int = 1) -> Iterator[Part]:
    """A document of pages, each with pictures of these names."""
    numbered = [(number, names) for number, names in enumerate(pages, start=1) for _ in range(parts_per_page)]
    for number, (page, names) in enumerate(numbered, start=1):
        yield Part(
            number,
            elements=tuple(Element(ElementType.IMAGE, "", page, picture=name) for name in names),
            pictures=tuple(Picture(name, "image/png", 90, 90, page, is_page=name in scans) for name in names),
            page_number=page,
        )


def test_a_logo_on_most_pages_is_found_and_a_figure_is_not() -> None:
    assert repeated(document([], ["logo", "figure"], ["logo"], ["logo"], ["logo", "logo"], ["figure"])) == {"logo"}


def test_half_of_the_pages_are_not_most() -> None:
    assert repeated(document(*[["logo"]] * 4, *[[]] * 4)) == frozenset()
    assert repeated(document(*[["logo"]] * 5, *[[]] * 4)) == {"logo"}


def test_a_short_document_has_no_running_picture() -> None:
    assert repeated(document(["chart"], ["chart"], ["chart"])) == frozenset()


def test_equal_scans_are_pages_and_no_decoration() -> None:
    assert repeated(document(*[["blank"]] * 9, scans=["blank"])) == frozenset()


def test_a_sheet_in_many_parts_counts_once() -> None:
    assert repeated(document(["chart"], [], [], [], parts_per_page=9)) == frozenset()


def test_where_text_flows_there_are_no_pages() -> None:
    element = Element(ElementType.IMAGE, "", picture="star")
    assert repeated(Part(number, (element,)) for number in range(1, 9)) == frozenset()
