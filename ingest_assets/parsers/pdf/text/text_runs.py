"""Read the text layer of a page as runs of words with their boxes.

PDFium returns the text of a page in one call, already divided into lines. Boxes are requested only for the first and
the last character of each word: requesting all would be too slow in Python for a hundred pages per second
(benchmarks/pdf/README.md).
"""

from __future__ import annotations

import ctypes
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from math import hypot
from operator import sub
from typing import TYPE_CHECKING, NamedTuple

from ingest_assets.parsers.page_layout.runs import Run
from ingest_assets.parsers.page_layout.words import clean
from ingest_assets.parsers.pdf.graphics.rules import Rule
from ingest_assets.parsers.pdf.pdfium_calls import Characters
from ingest_assets.parsers.pdf.text.superscripts import raised_numbers, with_signs

if TYPE_CHECKING:
    from pypdfium2 import PdfTextPage

# PDFium writes a hyphen at a line end as U+FFFE (older builds: U+0002), without a line end after it.
_WORD = re.compile("[^\\s\ufffe\x02]+[\ufffe\x02]?|[\ufffe\x02]")
_LINE_END = re.compile("[\n\ufffe\x02]")
_LAM_ALEF = re.compile("[اأإآٱ]ل")
_EAST_ASIAN = "\u2e80"  # the first character of the scripts that can be vertical
_BOLD = re.compile(r"bold|black|heavy|demi|(?:cm|sf|ec|lm)bx|-medi", re.IGNORECASE)
_ITALIC = re.compile(r"italic|oblique|-ital|slanted", re.IGNORECASE)
# A steeper line (rise over run) counts as turned: a stamp across the page. Pages that were scanned askew are flatter.
_SLANTED = 0.3
# A word 3 times as tall as its neighbour starts a new line (a stamp), unless it is a single letter (a drop cap).
_STAMP = 3.0
# A wider gap, in ems, separates table cells and columns. Runs are joined again later if nothing else shows a column.
_CELL_GAP = 0.9
_MAX_BARS = 200  # more belong to a drawing


class _Words(NamedTuple):
    """The words of a page: their places in the text, and their edges in points after turning them upright."""

    starts: list[int]
    ends: list[int]
    x0: list[float]
    y0: list[float]
    x1: list[float]
    y1: list[float]


def read_runs(textpage: PdfTextPage, *, bars: Sequence[Rule] = ()) -> list[Run]:
    """Read the runs of a page in the order of its content; a vertical rule in `bars` ends a run."""
    text = page_text(textpage)
    spans = [found.span() for found in _WORD.finditer(text)]
    if not spans:
        return []
    characters = Characters(textpage)
    words = _words(spans, characters)
    lines = _lines(text, words)
    turned: dict[int, int] = {}
    for (first, last), turn in zip(lines, _turns(text, words, lines, characters), strict=True):
        if turn:
            turned.update(dict.fromkeys(range(first, last), turn))
            _turn_words(words, range(first, last), turn, characters)
    cuts = _cuts(words, bars[:_MAX_BARS]) if bars else set()
    return list(_runs(text, words, _pieces(words, lines, turned, cuts), characters))


def page_text(textpage: PdfTextPage) -> str:
    """Return the text of a page; the place of each character is its index in PDFium."""
    import pypdfium2.raw as raw

    count = max(textpage.count_chars(), 0)
    buffer = (ctypes.c_ushort * (2 * count + 2))()
    written = raw.FPDFText_GetText(textpage.raw, 0, count, buffer)
    text = bytes(buffer)[: 2 * max(written - 1, 0)].decode("utf-16-le", errors="surrogatepass")
    if len(text) == count:
        return text
    # PDFium counts a character above U+FFFF as two; `clean` joins them again.
    return "".join(chr(raw.FPDFText_GetUnicode(textpage.raw, index) & 0xFFFF) for index in range(count))


def _words(spans: list[tuple[int, int]], characters: Characters) -> _Words:
    """Measure words as upright text: from the first to the last character, with the height of the font."""
    starts, ends = [start for start, _ in spans], [end for _, end in spans]
    boxes = characters.loose_boxes(list(chain.from_iterable(zip(starts, [end - 1 for end in ends], strict=True))))
    x0, x1 = map(min, boxes[0::8], boxes[4::8]), map(max, boxes[2::8], boxes[6::8])
    return _Words(starts, ends, list(x0), list(boxes[3::8]), list(x1), list(boxes[1::8]))


def _lines(text: str, words: _Words) -> list[tuple[int, int]]:
    """Return the first word of each line and the word after its last; a stamp across the page is a separate line."""
    count = len(words.starts)
    after = {bisect_left(words.starts, found.end()) for found in _LINE_END.finditer(text)}
    sizes = zip(map(sub, words.y1, words.y0), map(sub, words.ends, words.starts), strict=True)
    for number, ((before, letters), (here, letters_here)) in enumerate(pairwise(sizes), 1):
        if max(before, here) > _STAMP * min(before, here) and min(letters, letters_here) > 1:
            after.add(number)
    firsts = sorted((after | {0}) - {count})
    return list(zip(firsts, [*firsts[1:], count], strict=True))


def _turns(text: str, words: _Words, lines: list[tuple[int, int]], characters: Characters) -> list[int]:
    """Return the quarter turns of each line, measured on its first word with several characters."""
    chosen = [
        next((word for word in range(first, last) if words.ends[word] - words.starts[word] > 1), first)
        for first, last in lines
    ]
    matrices = characters.matrices([words.starts[word] for word in chosen])
    turns = []
    for word, a, b in zip(chosen, matrices[0::6], matrices[1::6], strict=True):
        start, end = words.starts[word], words.ends[word]
        if abs(b) > _SLANTED * abs(a):
            turns.append(1 if b > 0 else 3)
        elif a < 0:
            turns.append(2)
        else:
            may_be_vertical = text[start] >= _EAST_ASIAN and end - start > 1
            turns.append(3 if may_be_vertical and _is_vertical(start, end - 1, characters) else 0)
    return turns


def _is_vertical(first: int, last: int, characters: Characters) -> bool:
    """Tell whether a word ends straight below its beginning."""
    left, bottom, right, _ = characters.tight_box(first)
    end_left, end_bottom, end_right, end_top = characters.tight_box(last)
    return end_top < bottom and abs(left + right - end_left - end_right) < 0.5 * (bottom - end_bottom)


def _turn_words(words: _Words, numbers: range, turn: int, characters: Characters) -> None:
    """Measure turned words by their ink, and turn their boxes upright."""
    starts = [words.starts[number] for number in numbers]
    for number, size in zip(numbers, _sizes(starts, characters), strict=True):
        a, b = (characters.tight_box(index) for index in (words.starts[number], words.ends[number] - 1))
        x0, y0, x1, y1 = min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
        if turn != 2:  # if the font is missing, the ink has no width
            middle, half = (x0 + x1) / 2, max(x1 - x0, size) / 2
            x0, x1 = middle - half, middle + half
        box = {1: (y0, -x1, y1, -x0), 2: (-x1, -y1, -x0, -y0), 3: (-y1, x0, -y0, x1)}[turn]
        words.x0[number], words.y0[number], words.x1[number], words.y1[number] = box


def _sizes(indices: list[int], characters: Characters) -> list[float]:
    """Return font sizes in points: the size in the PDF times the scale of the text's matrix."""
    matrices = characters.matrices(indices)
    scales = map(hypot, matrices[0::6], matrices[1::6])
    return [round(size * scale, 2) for size, scale in zip(characters.sizes(indices), scales, strict=True)]


def _cuts(words: _Words, bars: Sequence[Rule]) -> set[int]:
    """Return the words that a vertical rule separates from the word before."""
    cuts = set()
    for number, (end, start) in enumerate(zip(words.x1, words.x0[1:], strict=False), 1):
        if end < start:
            middle = (words.y0[number] + words.y1[number]) / 2
            if any(end - 1 < bar.at < start + 1 and bar.start < middle < bar.end for bar in bars):
                cuts.add(number)
    return cuts


def _pieces(
    words: _Words, lines: list[tuple[int, int]], turned: dict[int, int], cuts: set[int]
) -> list[tuple[int, int, int]]:
    """Split lines at wide gaps in either direction; return the first word, the word after the last, the turns."""
    _, _, x0, y0, x1, y1 = words
    limits = [_CELL_GAP * (top - bottom) for bottom, top in zip(y0, y1, strict=True)]
    gaps = map(max, map(sub, x0[1:], x1), map(sub, x0, x1[1:]))
    cuts = cuts | {first for first, _ in lines}
    for number, (gap, (before, after)) in enumerate(zip(gaps, pairwise(limits), strict=True), 1):
        if gap > before and gap > after:
            cuts.add(number)
    # PDFium may return the lines of vertical writing as words of one line.
    cuts.update(word for word in turned if word and min(y1[word - 1], y1[word]) <= max(y0[word - 1], y0[word]))
    firsts = sorted(cuts)
    return [(first, after, turned.get(first, 0)) for first, after in pairwise([*firsts, len(x0)])]


def _runs(text: str, words: _Words, pieces: list[tuple[int, int, int]], characters: Characters) -> Iterator[Run]:
    # The longest word defines size and height, because a superscript or a drop cap would be wrong.
    mains = [
        first if last - first == 1 else max(range(first, last), key=lambda word: words.ends[word] - words.starts[word])
        for first, last, _ in pieces
    ]
    sizes = _sizes([words.starts[main] for main in mains], characters)
    powers = raised_numbers(text, characters)
    styled = _styles([(words.starts[first], words.ends[last - 1] - 1) for first, last, _ in pieces], characters)
    for (first, last, turn), main, size, (bold, italic) in zip(pieces, mains, sizes, styled, strict=True):
        start, end = words.starts[first], words.ends[last - 1]
        run = clean(with_signs(_logical(text[start:end], start, characters), start, powers))
        if run:
            x0, x1 = words.x0[main], words.x1[main]
            if last - first > 1:
                x0, x1 = min(words.x0[first:last]), max(words.x1[first:last])
            spaced = text[end : end + 1].isspace() and text[end : end + 2] != "\r\n"
            yield Run(run, x0, words.y0[main], x1, words.y1[main], size, bold, turn, first, spaced, italic)


def _styles(ends: list[tuple[int, int]], characters: Characters) -> list[tuple[bool, bool]]:
    """Return whether each run is bold and whether it is italic, by the names of the fonts at both of its ends.

    The weight and the angle that a font declares are missing or wrong in too many files.
    """
    fonts = characters.fonts(list(chain.from_iterable(ends)))
    names = {font: characters.font_name(font) for font in dict.fromkeys(fonts)}
    style = {font: (bool(_BOLD.search(name)), bool(_ITALIC.search(name))) for font, name in names.items()}
    return [
        style[a] if a == b else (style[a][0] and style[b][0], style[a][1] and style[b][1])
        for a, b in zip(fonts[0::2], fonts[1::2], strict=True)
    ]


def _logical(text: str, start: int, characters: Characters) -> str:
    """Swap the two letters of a lam-alef ligature back, which share one box and which PDFium reverses with the line."""
    if text.isascii():
        return text
    for match in _LAM_ALEF.finditer(text):
        i = match.start()
        if characters.tight_box(start + i) == characters.tight_box(start + i + 1):
            text = f"{text[:i]}{text[i + 1]}{text[i]}{text[i + 2 :]}"
    return text
