"""The ends of runs of text in a PDF in, whether they are bold or italic out."""

from __future__ import annotations

import re
from itertools import chain

from ingest_assets.parsers.pdf.pdfium_calls import Characters

_BOLD = re.compile(r"bold|black|heavy|demi|(?:cm|sf|ec|lm)bx|-medi", re.IGNORECASE)
_ITALIC = re.compile(r"italic|oblique|-ital|slanted", re.IGNORECASE)


def styles(ends: list[tuple[int, int]], characters: Characters) -> list[tuple[bool, bool]]:
    """Tell which runs are bold and which italic from beginning to end, by the names of their fonts.

    The fonts' own weight and angle are missing or wrong in too many files.
    """
    fonts = characters.fonts(list(chain.from_iterable(ends)))
    names = {font: characters.font_name(font) for font in dict.fromkeys(fonts)}
    style = {font: (bool(_BOLD.search(name)), bool(_ITALIC.search(name))) for font, name in names.items()}
    return [
        style[a] if a == b else (style[a][0] and style[b][0], style[a][1] and style[b][1])
        for a, b in zip(fonts[0::2], fonts[1::2], strict=True)
    ]
