"""Windows hold every word piece of a text, once, and fit the model; their vectors are merged by weight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ingest_assets.clients.embedding.wordpieces import PieceWindow, WordPieces, merge
from ingest_assets_tests.clients.conftest import text


def cutter(weights: Path, *, window_pieces: int) -> WordPieces:
    return WordPieces(weights / "tokenizer.json", window_pieces=window_pieces)


@pytest.mark.parametrize("words", [0, 1, 50, 62, 63, 500])
def test_every_piece_is_in_one_window_that_fits(weights: Path, words: int) -> None:
    (whole,) = cutter(weights, window_pieces=10**6).windows([text(words)])
    windows = cutter(weights, window_pieces=64).windows([text(words)])
    assert [piece for window in windows for piece in window.ids[1:-1]] == list(whole.ids[1:-1])
    assert max(len(window.ids) for window in windows) <= 64


def test_windows_of_a_text_are_about_equal(weights: Path) -> None:
    sizes = [len(window.ids) for window in cutter(weights, window_pieces=64).windows([text(100)])]
    assert len(sizes) == 2
    assert max(sizes) - min(sizes) <= 3


def test_a_window_ends_between_words(weights: Path) -> None:
    strange = " ".join(f"unbelievability{n}" for n in range(100))
    for window in cutter(weights, window_pieces=64).windows([strange]):
        assert set(window.text.split()) <= set(strange.split())


def test_a_word_longer_than_a_window_is_cut(weights: Path) -> None:
    word = "donaudampfschifffahrtsgesellschaftskapitänswitwenrente"
    windows = cutter(weights, window_pieces=8).windows([word])
    assert len(windows) > 1
    assert "".join(window.text for window in windows) == word


def test_windows_know_their_text(weights: Path) -> None:
    windows = cutter(weights, window_pieces=64).windows(["one", text(100), "three"])
    assert [window.text_number for window in windows] == [0, 1, 1, 2]


def test_a_window_counts_by_its_pieces() -> None:
    windows = [PieceWindow(0, "", (1, 2, 3)), PieceWindow(0, "", (1,)), PieceWindow(1, "", (1, 2))]
    vectors = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
    merged = merge(vectors, windows, texts=2)
    assert np.allclose(merged, np.array([[3 / 10**0.5, 1 / 10**0.5], [0, 1]]))
