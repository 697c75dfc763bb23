"""Choose the next, smaller attempt at a file whose run ended out of memory, or say why there is none.

Windows are halved down to one part. After that, a part that does not fit even alone is left unread in each attempt.
Every attempt has a smaller window than the one before, or leaves one more part unread, so the attempts come to an end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

SMALLEST_WINDOW = 1
# Each part that is left unread costs one run; with more than this a file would take hours.
MAX_UNREAD = 40
# If so many parts in a row do not fit, the cause is not the part but what is read before any part: a document's tree.
MAX_UNREAD_IN_A_ROW = 4

Numbers = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a file: how much of it is in memory at once, and which parts are left out."""

    window: int
    """Parts (pages, slides, blocks of rows or text) in memory at once."""
    cap_mb: int = 0
    """The memory cap of the run; 0: none is known."""
    unread: Mapping[str, Numbers] = field(default_factory=dict)
    """By stage: numbers, from 1, of the parts or pictures that do not fit in memory even alone."""

    def leaves_out(self, stage: str) -> frozenset[int]:
        """Return the numbers of the parts or pictures that a stage must not try."""
        return frozenset(self.unread.get(stage, ()))

    def unread_text(self) -> str:
        """Write the numbers that are left unread as a tag: `parsed_documents=7,9 image_captions=2`."""
        return " ".join(f"{stage}={','.join(map(str, numbers))}" for stage, numbers in sorted(self.unread.items()))


def unread_from(text: str) -> dict[str, Numbers]:
    """Read `Attempt.unread_text` back.

    Raises:
        ValueError: the text is no such tag.
    """
    pairs = [word.partition("=") for word in text.split()]
    return {stage: tuple(int(number) for number in numbers.split(",")) for stage, _, numbers in pairs}


def next_attempt(attempt: Attempt, *, stage: str, number: int | None) -> Attempt | str:
    """Return the attempt to make after this one ran out of memory in a stage; or the reason if there is none to make.

    `number` is the record that the stage was making, from 1; None if the stage cannot leave anything unread.
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
