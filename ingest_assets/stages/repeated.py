"""Find the pictures that stand on most pages: letterheads, logos and backgrounds, which are decoration.

This is decided when all pages are known, so the window does not change the answer. Only one number per distinct picture
is held in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ingest_assets.records import Part

# In a document of two or three pages, a picture on most of them may be what the document is about.
MIN_PAGES = 4


def repeated(parts: Iterable[Part]) -> frozenset[str]:
    """Return the sha256 of each picture that stands on more than half of a document's pages, and on four at least.

    Pages that are pictures themselves are not counted as decoration; parts without a page number belong to no page.
    """
    pages: set[int] = set()
    standing: Counter[str] = Counter()
    scans: set[str] = set()
    last: dict[str, int] = {}
    for part in parts:
        scans.update(picture.sha256 for picture in part.pictures if picture.is_page)
        if part.page_number is None:
            continue
        pages.add(part.page_number)
        for name in {element.picture for element in part.elements if element.picture}:
            if last.get(name) != part.page_number:  # a sheet may come in several parts
                standing[name] += 1
                last[name] = part.page_number
    least = max(MIN_PAGES, len(pages) // 2 + 1)
    return frozenset(name for name, count in standing.items() if count >= least and name not in scans)
