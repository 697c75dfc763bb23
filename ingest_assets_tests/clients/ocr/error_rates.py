"""Compute character error rates of texts that were read against the true texts.

The rate is the edit distance divided by the length of the truth, with white space, quotation marks, dashes and
full-width forms normalised. If the truth has several blocks, each is compared with the part of the text that fits it
best: articles and advertisements on a newspaper page have no defined order, but the lines in each have.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np

TRUTHS = Path(__file__).with_name("ocr_truths.txt")
_FOLDED = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "⁄": "/"})


def truths() -> dict[str, list[str]]:
    """Return the blocks of each file of the corpus."""
    _, *sections = TRUTHS.read_text(encoding="utf-8").split("\n== ")
    named = (section.split("\n", 1) for section in sections)
    return {name: [folded(block) for block in text.split("\n--\n")] for name, text in named}


def folded(text: str) -> str:
    text = unicodedata.normalize("NFKC", text.translate(_FOLDED)).translate(_FOLDED)
    return " ".join(text.replace("''", '"').split())


def error_rate(text: str, blocks: list[str]) -> float:
    """Return the error rate of a text, 0 for none; several blocks are each compared with the best part of the text."""
    read = folded(text)
    errors = sum(_distance(read, block, anywhere=len(blocks) > 1) for block in blocks)
    return errors / sum(map(len, blocks))


def _distance(read: str, block: str, *, anywhere: bool) -> int:
    """Return the edit distance of a block to the text, or to the nearest part of the text if `anywhere`."""
    letters = np.array([ord(letter) for letter in read], dtype=np.int32)
    places = np.arange(len(read) + 1)
    row = np.zeros_like(places) if anywhere else places.copy()
    for count, letter in enumerate(block, 1):
        best = np.minimum(row[1:] + 1, row[:-1] + (letters != ord(letter)))
        row = np.concatenate(([count], best))
        row = np.minimum.accumulate(row - places) + places  # what was read too much, along the row
    return int(row.min() if anywhere else row[-1])
