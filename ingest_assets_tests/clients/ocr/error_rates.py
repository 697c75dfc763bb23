"""Texts that were read and what stands there in truth in, character error rates out.

The rate is the edit distance over the length of the truth, with white space, quotation marks, dashes and full-width
forms folded. Where the truth comes in blocks, each is looked for wherever it fits best: the order of articles and
advertisements on a newspaper's page is nobody's to say, that of the lines in each is.
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
    """Compare the whole text where the truth is one block, else the best place for each."""
    read = folded(text)
    errors = sum(_distance(read, block, anywhere=len(blocks) > 1) for block in blocks)
    return errors / sum(map(len, blocks))


def _distance(read: str, block: str, *, anywhere: bool) -> int:
    """Return the edit distance, row by row of the truth; `anywhere`: to the part of the text that is nearest."""
    letters = np.array([ord(letter) for letter in read], dtype=np.int32)
    places = np.arange(len(read) + 1)
    row = np.zeros_like(places) if anywhere else places.copy()
    for count, letter in enumerate(block, 1):
        best = np.minimum(row[1:] + 1, row[:-1] + (letters != ord(letter)))
        row = np.concatenate(([count], best))
        row = np.minimum.accumulate(row - places) + places  # what was read too much, along the row
    return int(row.min() if anywhere else row[-1])
