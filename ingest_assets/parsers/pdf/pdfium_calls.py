"""Ask PDFium about many characters of a page at once, fast.

PDFium answers for one character per call, and ctypes with its usual conversions takes most of the time of a call.
Called by address, with plain integers and from `map`, a call takes a fifth of that time. The structures that PDFium
fills are in one buffer and are read together.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pypdfium2 import PdfTextPage

_POINTER, _INT = ctypes.c_void_p, ctypes.c_int


class Characters:
    """The characters of one text page, which must stay open as long as this object is used."""

    def __init__(self, textpage: PdfTextPage) -> None:
        self._page = ctypes.cast(textpage.raw, _POINTER).value
        self._call = _functions()

    def loose_boxes(self, indices: Sequence[int]) -> array[float]:
        """Return left, top, right and bottom of each character, with the width of its advance and the font's height."""
        return self._filled(4, self._call.loose_box, indices)

    def matrices(self, indices: Sequence[int]) -> array[float]:
        """Return a, b, c, d, e and f of each character's matrix."""
        return self._filled(6, self._call.matrix, indices)

    def sizes(self, indices: Sequence[int]) -> list[float]:
        """Return the font size of each character, not yet scaled by its matrix."""
        return list(map(self._call.size, repeat(self._page), indices))

    def fonts(self, indices: Sequence[int]) -> list[int]:
        """Return the handle of each character's font, or 0. It is valid while the page is open."""
        objects = map(self._call.text_object, repeat(self._page), indices)
        return [(self._call.font(handle) or 0) if handle else 0 for handle in objects]

    def font_name(self, font: int) -> str:
        """Return the name of a font, or ""."""
        name = ctypes.create_string_buffer(128)  # longer names exist only in broken files
        length = self._call.font_name(font, ctypes.addressof(name), len(name)) if font else 0
        return name.value.decode("utf-8", "replace") if 0 < length <= len(name) else ""

    def tight_box(self, index: int) -> tuple[float, float, float, float]:
        """Return left, bottom, right and top of a character's ink."""
        edges = (ctypes.c_double * 4)()
        start = ctypes.addressof(edges)
        self._call.char_box(self._page, index, start, start + 16, start + 8, start + 24)
        left, bottom, right, top = edges
        return left, bottom, right, top

    def _filled(self, width: int, call: Any, indices: Sequence[int]) -> array[float]:
        """Call a function that fills a structure of `width` floats for each character; zeros if it fails."""
        numbers: array[float] = array("f", bytes(4 * width * len(indices)))
        start, _ = numbers.buffer_info()
        step = 4 * width
        for _ in map(call, repeat(self._page), indices, range(start, start + step * len(indices), step)):
            pass
        return numbers


class _Functions(NamedTuple):
    loose_box: Any
    char_box: Any
    matrix: Any
    size: Any
    text_object: Any
    font: Any
    font_name: Any


@cache  # to make these takes longer than to read a page: ctypes makes a class for each
def _functions() -> _Functions:
    import pypdfium2.raw as raw

    return _Functions(
        loose_box=_function(raw.FPDFText_GetLooseCharBox, _INT, _POINTER, _INT, _POINTER),
        char_box=_function(raw.FPDFText_GetCharBox, _INT, _POINTER, _INT, *[_POINTER] * 4),
        matrix=_function(raw.FPDFText_GetMatrix, _INT, _POINTER, _INT, _POINTER),
        size=_function(raw.FPDFText_GetFontSize, ctypes.c_double, _POINTER, _INT),
        text_object=_function(raw.FPDFText_GetTextObject, _POINTER, _POINTER, _INT),
        font=_function(raw.FPDFTextObj_GetFont, _POINTER, _POINTER),
        font_name=_function(raw.FPDFFont_GetBaseFontName, ctypes.c_size_t, *[_POINTER] * 2, ctypes.c_size_t),
    )


def _function(function: Any, result: Any, *arguments: Any) -> Any:
    """Return a C function that takes plain numbers and does not release the GIL, because it needs nanoseconds."""
    address = ctypes.cast(function, _POINTER).value or 0
    return ctypes.PYFUNCTYPE(result, *arguments)(address)
