"""Choose the first window size for a file from how similar files did.

Files are similar if they have the same media type, about the same size, and about the same number of pages where both
are known. A window with which a similar file ran out of memory, under a cap as small as today's, is not tried again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SIZE_FACTOR = 2.0
"""Files are similar if neither has more than this many times the bytes, or pages, of the other."""
_HEADROOM = 0.9  # of the cap: RLIMIT_DATA refuses memory from there on


@dataclass(frozen=True, slots=True)
class Experience:
    """How one attempt at a file ended, and how much memory it took."""

    media_type: str
    size_bytes: int
    pages: int
    """0 if the format has no pages, or if the number was not known."""
    pictures: int
    window: int
    cap_mb: int
    """0: there was none."""
    peak_mb: float
    out_of_memory: bool


def first_window(
    history: Iterable[Experience], *, media_type: str, size_bytes: int, pages: int = 0, cap_mb: int, largest: int
) -> int:
    """Return the largest window, at most `largest`, with which no similar file ran out of memory.

    A similar file whose peak was above the current cap counts as one that needs half of its window.
    """
    window = largest
    for one in history:
        if one.media_type != media_type or not _alike(one.size_bytes, size_bytes) or not _alike(one.pages, pages):
            continue
        failed_here = one.out_of_memory and 0 < cap_mb <= one.cap_mb / _HEADROOM
        too_close = not one.out_of_memory and cap_mb and one.peak_mb > cap_mb
        if failed_here or too_close:
            window = min(window, max(1, one.window // 2))
    return window


def _alike(one: int, other: int) -> bool:
    if not one or not other:
        return True
    return max(one, other) <= SIZE_FACTOR * min(one, other)
