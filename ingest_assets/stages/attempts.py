"""Choose the next, smaller attempt at a file whose run ended out of memory, or say why there is none.

Windows are halved down to one part; then the part that does not fit is left unread, and the next one that does not, and
so on. Each attempt is strictly smaller than the one before, by its window or by what it leaves unread, so it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

SMALLEST_WINDOW = 1
# A part is left unread at the cost of one run. More than this, and the file is not worth the hours.
MAX_UNREAD = 40
# So many in a row, and it is not the part that does not fit but what is read before any part: a document's tree.
MAX_UNREAD_IN_A_ROW = 4

Numbers = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """How much of a file is in memory at once, and what is not tried any more."""

    window: int
    """Parts (pages, slides, blocks of rows or text) in memory at once."""
    cap_mb: int = 0
    """The memory cap that it is made under; 0: none is known."""
    unread: Mapping[str, Numbers] = field(default_factory=dict)
    """By stage: numbers, from 1, of the parts or pictures that do not fit in memory even alone."""

    def leaves_out(self, stage: str) -> frozenset[int]:
        """Return what a stage must not try."""
        return frozenset(self.unread.get(stage, ()))

    def unread_text(self) -> str:
        """Write down what is left unread, as a tag: `parsed_documents=7,9 image_captions=2`."""
        return " ".join(f"{stage}={','.join(map(str, numbers))}" for stage, numbers in sorted(self.unread.items()))


def unread_from(text: str) -> dict[str, Numbers]:
    """Read `Attempt.unread_text` back.

    Raises:
        ValueError: it is none.
    """
    pairs = [word.partition("=") for word in text.split()]
    return {stage: tuple(int(number) for number in numbers.split(",")) for stage, _, numbers in pairs}


def next_attempt(attempt: Attempt, *, stage: str, number: int | None) -> Attempt | str:
    """Return the attempt to make after this one ran out of memory in a stage; a sentence where there is none.

    `number` is the record that the stage was at, from 1; None where the stage cannot leave anything unread.
    """
    if attempt.window > SMALLEST_WINDOW:
        return replace(attempt, window=max(SMALLEST_WINDOW, attempt.window // 2))
    if number is None:
        return f"{stage or 'the run'} needs more memory than its cap, even with one part at a time"
    unread = attempt.unread.get(stage, ())
    if number in unread or unread[-MAX_UNREAD_IN_A_ROW:] == tuple(range(number - MAX_UNREAD_IN_A_ROW, number)):
        return f"{stage} needs more memory than its cap whichever part is left out"
    if len(unread) >= MAX_UNREAD:
        return f"more than {MAX_UNREAD} parts need more memory than the cap, one at a time"
    return replace(attempt, unread={**attempt.unread, stage: (*unread, number)})
