"""Test that every chunk gets its vector in order, nothing is embedded twice, and a wrong answer stops the run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from ingest_assets.errors import OutsideError
from ingest_assets.records import Chunk
from ingest_assets.stages.embed import embed

Vector = npt.NDArray[np.float32]


class HashEmbedder:
    """A deterministic embedder that remembers what it was asked."""

    model = "hash"
    dimension = 8

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> Vector:
        self.asked.append(list(texts))
        return np.vstack([vector_of(text) for text in texts])


class BrokenEmbedder(HashEmbedder):
    """Answers with what it is given."""

    def __init__(self, answer: Vector) -> None:
        super().__init__()
        self.answer = answer

    def embed(self, texts: Sequence[str]) -> Vector:
        return self.answer


def vector_of(text: str) -> Vector:
    raw = np.frombuffer(hashlib.sha256(text.encode()).digest()[:8], dtype=np.uint8).astype(np.float32) + 1
    return np.asarray(raw / np.linalg.norm(raw), dtype=np.float32)


def a_chunk(text: str, index: int = 0) -> Chunk:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return Chunk(f"id{index}", "u/p/f", index, text, sha256, start=0, end=len(text))


def nothing(_: Sequence[str]) -> Mapping[str, Vector]:
    return {}


def test_each_chunk_keeps_its_own_vector_and_its_place() -> None:
    chunks = [a_chunk("word " * (1 + index * 7 % 10), index) for index in range(40)]
    found = list(embed(chunks, embedder=HashEmbedder(), known=nothing, window=7))
    assert [item.chunk for item in found] == chunks
    for item in found:
        assert np.array_equal(item.vector, vector_of(item.chunk.text))
    assert {item.model for item in found} == {"hash"}


def test_a_text_that_stands_twice_in_a_window_is_embedded_once() -> None:
    embedder = HashEmbedder()
    found = list(embed([a_chunk("same", 0), a_chunk("other", 1), a_chunk("same", 2)], embedder=embedder, known=nothing))
    assert [sorted(texts) for texts in embedder.asked] == [["other", "same"]]
    assert np.array_equal(found[0].vector, found[2].vector)


def test_what_the_store_has_is_not_embedded_again() -> None:
    embedder = HashEmbedder()
    store = {a_chunk("old").text_sha256: vector_of("kept as it is")}
    found = list(embed([a_chunk("old", 0), a_chunk("new", 1)], embedder=embedder, known=lambda _: store))
    assert embedder.asked == [["new"]]
    assert [item.reused for item in found] == [True, False]
    assert np.array_equal(found[0].vector, vector_of("kept as it is"))


def test_the_store_is_asked_once_per_window_and_the_model_not_at_all_if_all_is_known() -> None:
    embedder, questions = HashEmbedder(), []

    def known(hashes: Sequence[str]) -> Mapping[str, Vector]:
        questions.append(len(hashes))
        return {text_sha256: vector_of(text_sha256) for text_sha256 in hashes}

    list(embed([a_chunk(str(index), index) for index in range(10)], embedder=embedder, known=known, window=4))
    assert questions == [4, 4, 2]
    assert embedder.asked == []


def test_a_damaged_vector_of_the_store_is_made_again() -> None:
    store = {a_chunk("old").text_sha256: np.full(8, np.nan, dtype=np.float32)}
    (found,) = embed([a_chunk("old")], embedder=HashEmbedder(), known=lambda _: store)
    assert not found.reused
    assert np.array_equal(found.vector, vector_of("old"))


def test_the_longest_texts_come_first() -> None:
    embedder = HashEmbedder()
    list(
        embed(
            [a_chunk(text, index) for index, text in enumerate(["bb", "dddd", "a", "ccc"])],
            embedder=embedder,
            known=nothing,
        )
    )
    assert embedder.asked == [["dddd", "ccc", "bb", "a"]]


def test_it_reads_one_window_ahead_at_most() -> None:
    read = []

    def source() -> Iterator[Chunk]:
        for index in range(100):
            read.append(index)
            yield a_chunk(str(index), index)

    next(embed(source(), embedder=HashEmbedder(), known=nothing, window=8))
    assert len(read) == 8


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.zeros((0, 8)), "0 vectors for 1 texts"),
        (np.full((1, 7), 0.3), "wrong dimension"),
        (np.full((1, 8), np.nan), "not finite"),
        (np.full((1, 8), 0.5), "not of norm 1"),
    ],
)
def test_a_wrong_answer_of_the_model_is_an_outside_error(answer: Vector, message: str) -> None:
    with pytest.raises(OutsideError, match=message):
        list(embed([a_chunk("text")], embedder=BrokenEmbedder(answer.astype(np.float32)), known=nothing))
