"""Parts in, the pictures that stand on most pages out: letterheads, logos and backgrounds, which are decoration.

Told when all pages are known, so that no window sees another answer than the whole; what is held is a number per
distinct picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ingest_assets.records import Part

# On two or three pages of three a picture may well be what the document is about.
MIN_PAGES = 4


def repeated(parts: Iterable[Part]) -> frozenset[str]:
    """Return the sha256 of each picture that stands on more than half of a document's pages, and on four at least.

    Pages that are pictures themselves are no decoration; parts without a page number are of no page.
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
