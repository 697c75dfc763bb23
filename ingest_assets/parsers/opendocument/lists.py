"""Number the items of the lists of an OpenDocument text as its program shows them.

The style of a list says for each level how items are numbered (OpenDocument 1.3, 16.30 to 16.32); an inner list uses
the style of the outer one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest_assets.parsers.building.numbers import list_label
from ingest_assets.parsers.opendocument.inline import number
from ingest_assets.parsers.opendocument.package import STYLE, TEXT

if TYPE_CHECKING:
    from lxml import etree

_MAX_LEVEL = 10


@dataclass(frozen=True, slots=True)
class _Level:
    kind: str
    before: str
    after: str
    start: int
    shown: int
    """Number of levels in a label: 3 in "1.2.3"."""


class ListNumbers:
    """Count the items of all lists of one document."""

    def __init__(self) -> None:
        self._levels: dict[tuple[str, int], _Level] = {}
        self._counts: defaultdict[str, dict[int, int]] = defaultdict(dict)

    def learn(self, style: etree._Element) -> None:
        """Remember how a list style numbers its levels."""
        name = style.get(STYLE + "name", "")
        for level in style.iterfind(TEXT + "list-level-style-number"):
            self._levels[name, number(level, TEXT + "level", default=1)] = _Level(
                kind=level.get(STYLE + "num-format", ""),
                before=level.get(STYLE + "num-prefix", ""),
                after=level.get(STYLE + "num-suffix", ""),
                start=number(level, TEXT + "start-value", default=1),
                shown=max(1, number(level, TEXT + "display-levels", default=1)),
            )

    def begin(self, node: etree._Element) -> None:
        """Begin a list; its numbers start again unless it continues an earlier list."""
        style, depth = _place(node)
        goes_on = node.get(TEXT + "continue-numbering") == "true" or node.get(TEXT + "continue-list")
        if not goes_on:
            self._counts[style].pop(depth, None)

    def next_label(self, item: etree._Element) -> str:
        """Count an item and return its label, or "" where it has a bullet or no mark."""
        style, depth = _place(item.getparent())
        level = self._levels.get((style, depth))
        if level is None or not level.kind or item.tag != TEXT + "list-item" or depth > _MAX_LEVEL:
            return ""
        counts = self._counts[style]
        counts[depth] = number(item, TEXT + "start-value", default=counts.get(depth, level.start - 1) + 1)
        for deeper in [other for other in counts if other > depth]:
            del counts[deeper]
        shown = range(max(1, depth - level.shown + 1), depth + 1)
        kinds = {place: self._levels.get((style, place), level).kind for place in shown}
        digits = ".".join(list_label(counts.get(place, 1), kinds[place]) for place in shown if kinds[place])
        return f"{level.before}{digits}{level.after}".strip()


def _place(node: etree._Element) -> tuple[str, int]:
    """Return the style of a list, or of the nearest list around it with a style, and its depth from 1."""
    around = [node, *node.iterancestors(TEXT + "list")]
    return next(filter(None, (each.get(TEXT + "style-name") for each in around)), ""), len(around)
