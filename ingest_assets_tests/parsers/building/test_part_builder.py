"""Parts are numbered from the first wanted one to the end of a document, without losing warnings."""

from ingest_assets.parsers.building.part_builder import MAX_ELEMENT_CHARS, PartBuilder, split
from ingest_assets.parsers.contract import Limits
from ingest_assets.records import ElementType, Part


def _builder(*, start: int = 1) -> PartBuilder:
    return PartBuilder(limits=Limits(), start=start)


def test_a_document_without_content_has_one_empty_part() -> None:
    assert list(_builder().rest()) == [Part(number=1, elements=())]


def test_nothing_follows_a_part_that_was_exactly_full() -> None:
    builder = _builder()
    builder.add(ElementType.NARRATIVE_TEXT, "The last words.")
    assert len(list(builder.flush())) == 1
    assert list(builder.rest()) == []


def test_a_warning_after_a_part_that_was_exactly_full_is_kept() -> None:
    builder = _builder()
    builder.add(ElementType.NARRATIVE_TEXT, "The last words.")
    list(builder.flush())
    builder.warn("a picture was left out")
    assert [(part.number, part.warnings) for part in builder.rest()] == [(2, ("a picture was left out",))]


def test_the_rest_is_not_yielded_again_when_it_is_before_the_start() -> None:
    builder = _builder(start=2)
    builder.add(ElementType.NARRATIVE_TEXT, "Words of part 1.")
    assert list(builder.rest()) == []


def test_a_long_line_is_cut_at_a_full_stop() -> None:
    sentence = "Twenty-four characters. "
    pieces = list(split(sentence * 2000))
    assert "".join(f"{piece} " for piece in pieces) == sentence * 2000
    assert all(len(piece) <= MAX_ELEMENT_CHARS and piece.endswith(".") for piece in pieces)
