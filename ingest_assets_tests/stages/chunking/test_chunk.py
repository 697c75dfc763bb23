"""Test that chunks hold the whole document, within their sizes, and are cut at its own boundaries."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_assets.errors import ConfigError
from ingest_assets.records import Caption, Chunk, Element, ElementType, Part
from ingest_assets.stages.chunking.boundaries import count_words
from ingest_assets.stages.chunking.chunk import ChunkSizes, chunk

SIZES = ChunkSizes()
SMALL = ChunkSizes(max_words=40, min_words=12, overlap_words=6)


def sentences(count: int, *, words: int = 12, seed: int = 0) -> str:
    dice = random.Random(seed)
    return " ".join(" ".join(f"w{dice.randrange(5000)}" for _ in range(words)).capitalize() + "." for _ in range(count))


def paragraph(count: int, *, seed: int = 0, section: tuple[str, ...] = (), page: int | None = None) -> Element:
    """A paragraph of twelve-word sentences."""
    return Element(ElementType.NARRATIVE_TEXT, sentences(count, seed=seed), page_number=page, section=section)


def title(text: str) -> Element:
    return Element(ElementType.TITLE, text, level=1)


def table(rows: int, *, cells: int = 3) -> Element:
    lines = ["| " + " | ".join(f"head{c}" for c in range(cells)) + " |", "| " + " | ".join(["---"] * cells) + " |"]
    lines += ["| " + " | ".join(f"r{r}c{c}" for c in range(cells)) + " |" for r in range(rows)]
    return Element(ElementType.TABLE, "\n".join(lines))


def parts(elements: Sequence[Element], *, size: int = 1000) -> list[Part]:
    return [Part(number=i // size + 1, elements=tuple(elements[i : i + size])) for i in range(0, len(elements), size)]


def chunks(elements: Sequence[Element], *, sizes: ChunkSizes = SIZES, captions: Iterable[Caption] = ()) -> list[Chunk]:
    by_picture = {caption.picture: caption for caption in captions}
    return list(chunk(parts(elements), file_id="u/p/f.txt", captions=by_picture, sizes=sizes))


def document(elements: Iterable[Element]) -> str:
    return "\n\n".join(element.text for element in elements if element.text.strip())


WORDS = st.sampled_from(
    ["a", "tree", "falls.", "Why?", "No.", "3.5", "中文字", "ภาษาไทย", "x" * 90, "\n", "\n\n", "end!"]
)
TEXTS = st.lists(WORDS, min_size=1, max_size=120).map(" ".join)
ROWS = st.lists(st.lists(st.sampled_from(["1", "two words", "中文"]), min_size=2, max_size=2), min_size=1, max_size=60)
TABLES = ROWS.map(lambda rows: "\n".join(["| a | b |", "| --- | --- |", *(f"| {row[0]} | {row[1]} |" for row in rows)]))
ELEMENTS = st.lists(
    st.one_of(
        st.builds(
            Element, type=st.just(ElementType.NARRATIVE_TEXT), text=TEXTS, section=st.sampled_from([("A",), ("B",)])
        ),
        st.builds(Element, type=st.just(ElementType.TITLE), text=st.sampled_from(["Title", "Long title " * 9])),
        st.builds(Element, type=st.just(ElementType.TABLE), text=TABLES),
    ),
    max_size=12,
)


@given(ELEMENTS)
def test_every_word_of_the_document_is_in_a_chunk_and_every_chunk_is_a_stretch_of_it(elements: list[Element]) -> None:
    text = document(elements)
    covered = 0
    for piece in chunks(elements, sizes=SMALL):
        assert piece.text == piece.prefix + text[piece.start : piece.end]
        assert not text[covered : piece.start].strip()
        assert piece.end > covered
        covered = piece.end
    assert not text[covered:].strip()


@given(ELEMENTS)
def test_no_chunk_is_longer_than_allowed_and_its_words_are_counted_right(elements: list[Element]) -> None:
    for piece in chunks(elements, sizes=SMALL):
        assert piece.words == count_words(piece.text) <= SMALL.max_words


@given(ELEMENTS, st.integers(1, 5))
def test_chunks_do_not_depend_on_how_elements_are_grouped_into_parts(elements: list[Element], size: int) -> None:
    grouped = chunk(parts(elements, size=size), file_id="u/p/f.txt", captions={}, sizes=SMALL)
    assert list(grouped) == chunks(elements, sizes=SMALL)


@given(ELEMENTS.map(lambda elements: [element for element in elements if element.type is not ElementType.TABLE]))
def test_without_tables_no_chunk_is_below_the_minimum_unless_it_is_the_only_one(elements: list[Element]) -> None:
    found = chunks(elements, sizes=SMALL)
    assert len(found) <= 1 or min(piece.words for piece in found) >= SMALL.min_words


@given(ELEMENTS)
def test_a_table_that_fits_is_in_one_chunk(elements: list[Element]) -> None:
    texts = [piece.text for piece in chunks(elements, sizes=SMALL)]
    for element in elements:
        if element.type is ElementType.TABLE and count_words(element.text) <= SMALL.max_words:
            assert any(element.text in text for text in texts)


@given(ELEMENTS)
def test_a_chunk_is_named_by_its_content_and_no_two_share_a_name(elements: list[Element]) -> None:
    ids = [piece.chunk_id for piece in chunks(elements + elements, sizes=SMALL)]
    assert len(set(ids)) == len(ids)
    assert all(len(chunk_id) == 32 for chunk_id in ids)


def test_equal_texts_of_two_files_have_different_names() -> None:
    one, other = (
        next(chunk(parts([paragraph(3)]), file_id=file_id, captions={}, sizes=SIZES)) for file_id in ("a", "b")
    )
    assert one.text_sha256 == other.text_sha256
    assert one.chunk_id != other.chunk_id


def test_names_stay_the_same_on_every_machine() -> None:
    first = chunks([paragraph(100)])[0]
    assert (first.chunk_id, first.words) == ("5559f9b1cf22b270e7e4d1d6a5a2c647", 312)


def test_a_short_document_is_one_chunk() -> None:
    assert [piece.words for piece in chunks([title("Note"), paragraph(2)])] == [25]


def test_a_document_without_text_has_no_chunks() -> None:
    assert chunks([Element(ElementType.NARRATIVE_TEXT, " \n "), Element(ElementType.IMAGE, "", picture="p")]) == []


def test_headers_and_footers_of_pages_are_left_out() -> None:
    elements = [Element(ElementType.HEADER, "Journal"), paragraph(2), Element(ElementType.FOOTER, "Page 1")]
    assert [piece.text for piece in chunks(elements)] == [elements[1].text]


def test_neighbours_share_about_fifty_words_that_begin_with_a_sentence() -> None:
    found = chunks([paragraph(20, seed=seed) for seed in range(20)])
    text = document(paragraph(20, seed=seed) for seed in range(20))
    for before, after in pairwise(found):
        shared = text[after.start : before.end]
        assert 25 <= count_words(shared) <= 50
        assert shared[0].isupper()


def test_a_chunk_begins_with_a_section_rather_than_a_paragraph() -> None:
    one = [paragraph(6, seed=seed, section=("One",)) for seed in range(5)]
    two = [paragraph(6, seed=seed, section=("Two",)) for seed in range(50, 55)]
    found = chunks([title("One"), *one, title("Two"), *two])
    assert [piece.section for piece in found] == [("One",), ("Two",)]
    assert "\n\nTwo\n\n" in found[1].text
    assert "Two" not in found[0].text


def test_a_title_stays_with_the_text_below_it() -> None:
    elements = [part for seed in range(40) for part in (title(f"Title {seed}"), paragraph(9, seed=seed))]
    assert not any(piece.text.split("\n\n")[-1].startswith("Title") for piece in chunks(elements))


def test_a_short_end_of_a_section_is_shared_out_rather_than_left() -> None:
    long = [paragraph(4, seed=seed, section=("A",)) for seed in range(12)]  # 576 words: not one chunk
    found = chunks([*long, title("B"), *(paragraph(4, seed=seed, section=("B",)) for seed in range(50, 60))])
    assert any(piece.text.endswith(long[-1].text) for piece in found)


def test_a_table_that_fits_is_whole_though_the_text_before_it_is_short() -> None:
    grid = table(60)  # 434 words
    found = chunks([paragraph(8), grid, paragraph(20, seed=1)])
    assert sum(grid.text in piece.text for piece in found) == 1
    assert all(piece.prefix == "" for piece in found if grid.text in piece.text)


def test_a_long_table_is_split_by_rows_under_its_header() -> None:
    grid = table(400)
    header = "\n".join(grid.text.splitlines()[:2]) + "\n"
    found = chunks([grid])
    assert len(found) > 4
    assert found[0].prefix == ""
    for piece in found:
        assert piece.text.startswith(header)
        assert all(line.count("|") == 4 for line in piece.text.splitlines())
    assert {piece.prefix for piece in found[1:]} == {header}


def test_a_header_that_would_crowd_out_the_rows_is_not_repeated() -> None:
    assert {piece.prefix for piece in chunks([table(40, cells=80)])} == {""}


def test_a_caption_stands_where_its_picture_stood() -> None:
    caption = Caption(picture="p1", caption="A red boat.", text="EXIT", page_number=2, model="m")
    picture = Element(ElementType.IMAGE, "", page_number=2, picture="p1")
    before, after = paragraph(1, page=1), paragraph(1, seed=1, page=3)
    (found,) = chunks([before, picture, after], captions=[caption])
    assert found.text == f"{before.text}\n\nA red boat.\nEXIT\n\n{after.text}"
    assert found.pages == (1, 2, 3)


def test_a_chunk_knows_its_pages_only() -> None:
    found = chunks([paragraph(30, seed=page, page=page) for page in range(1, 7)])
    text = document(paragraph(30, seed=page) for page in range(1, 7))
    for piece in found:
        pages = {text.count("\n\n", 0, at) + 1 for at in (piece.start, piece.end - 1)}
        assert (piece.pages[0], piece.pages[-1]) == (min(pages), max(pages))


def test_a_chinese_text_without_spaces_is_cut_at_its_sentences() -> None:
    dice = random.Random(1)
    text = "".join("".join(chr(dice.randrange(0x4E00, 0x9FFF)) for _ in range(30)) + "。" for _ in range(200))
    found = chunks([Element(ElementType.NARRATIVE_TEXT, text)])
    assert max(len(piece.text) for piece in found) <= 500
    assert all(piece.text.endswith("。") for piece in found)


def test_an_endless_word_is_cut() -> None:
    found = chunks([Element(ElementType.NARRATIVE_TEXT, "x" * 100_000)])
    assert max(len(piece.text) for piece in found) <= 500 * 40


def test_an_edit_moves_the_cuts_near_it_only() -> None:
    elements = [paragraph(1 + seed % 5, seed=seed) for seed in range(800)]
    before = {piece.text_sha256 for piece in chunks(elements)}
    edited = [*elements[:40], paragraph(4, seed=9999), *elements[40:]]
    after = [piece.text_sha256 for piece in chunks(edited)]
    assert len(after) > 60
    assert len(set(after) - before) <= 4


def test_it_reads_no_further_than_it_needs() -> None:
    read = 0

    def endless() -> Iterable[Part]:
        nonlocal read
        while True:
            read += 1
            yield Part(number=read, elements=(paragraph(5, seed=read),))

    stream = chunk(endless(), file_id="f", captions={}, sizes=SIZES)
    for _ in range(20):
        next(stream)
    assert read * 60 < 20 * 500 + 1000


@pytest.mark.parametrize("sizes", [(100, 200, 10), (100, 50, 60), (100, 0, 10)])
def test_sizes_that_contradict_each_other_are_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError, match="words"):
        ChunkSizes(*sizes)
