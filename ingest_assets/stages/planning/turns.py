"""Decide whose file is processed next: give each request for a run its place in the queue, as one number.

Requests stand in three lanes. What a person asked for (command line, API, UI) goes first, then what the bucket and
large requests brought, then what is only out of date. In a lane users take turns: a user's first waiting file is in
the first round, the next one in the second, and so on; all files of a round go before those of the next. So 500 notes
of one user delay another user's note by one file in the queue, and not by 500. A backfill takes its turns as if it were
a user. This is start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996) with one file as the unit of cost.

Within a user, a small file does not wait for rounds that the user's larger files hold. Size is known in three classes,
because a place is given when a file is asked for and is not changed afterwards.

The place is written as Dagster's own priority, which is 0 for a run that says nothing. Places are therefore negative:
a run without a place goes first, such as one that the UI starts in a home with an older `dagster.yaml`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

PERSON_FILES = 20
"""Files of one user, or of one backfill, that may wait in the first lane; the others stand in the second.

A backfill of everything would otherwise keep every upload waiting for hours.
"""
SMALL_BYTES = 100_000
"""Notes, mails, pages of a wiki: their runs take about as long as a run of an unchanged file."""
LARGE_BYTES = 5_000_000
"""Scanned documents and books, which take minutes."""

_SMALL, _MIDDLE, _LARGE = range(3)
_SIZES = 10  # a digit of the number for the size, eight for the round
_ROUNDS = 10**8


class AskedBy(IntEnum):
    """Who asked for a run."""

    PERSON = 0
    """By name: `ingest add`, the API, the button *Materialize*, a backfill."""
    BUCKET = 1
    """A sensor or listener that saw the file arrive or change."""
    UPKEEP = 2
    """A schedule, because the result is out of date."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for the run of one file."""

    turn_of: str
    """The user whose turn it takes, or the backfill."""
    asked_by: AskedBy
    size_bytes: int | None = None
    """None if it is not known."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the queue; places that compare as smaller are served first."""

    lane: int
    """0 to 2: what `AskedBy` calls it."""
    round_: int
    """From 0: how many turns of the lane come before."""
    size: int
    """0 small, 1 middle or unknown, 2 large."""

    @property
    def priority(self) -> int:
        """The place as Dagster's priority, 0 or less: a larger number is served first."""
        return -((self.lane * _ROUNDS + self.round_) * _SIZES + self.size)

    @classmethod
    def of_priority(cls, priority: int) -> Place | None:
        """Return the place that a priority stands for; None for a priority that a person chose."""
        if priority > 0:
            return None
        rest, size = divmod(-priority, _SIZES)
        lane, round_ = divmod(rest, _ROUNDS)
        return cls(lane, round_, size) if lane in set(AskedBy) else None


class WaitingFiles:
    """What has to be known of the files that wait, to give the next one its place."""

    def __init__(self) -> None:
        self._first_rounds: dict[int, int] = {}
        self._last_rounds: dict[tuple[int, str, int], int] = {}
        self._in_person_lane = Counter[str]()

    def add(self, turn_of: str, place: Place) -> None:
        """Take in one waiting file."""
        lane, round_ = place.lane, place.round_
        self._first_rounds[lane] = min(round_, self._first_rounds.get(lane, round_))
        for size in range(place.size, _LARGE + 1):
            key = (lane, turn_of, size)
            self._last_rounds[key] = max(round_, self._last_rounds.get(key, round_))
        if lane == AskedBy.PERSON:
            self._in_person_lane[turn_of] += 1

    def first_round(self, lane: int) -> int:
        """Return the round that is being served: that of the lane's first waiting file, 0 if none waits."""
        return self._first_rounds.get(lane, 0)

    def last_round(self, lane: int, turn_of: str, size: int) -> int:
        """Return the last round in which a file of this size or a smaller one waits for its turn; -1 if none does."""
        return self._last_rounds.get((lane, turn_of, size), -1)

    def person_lane_is_full(self, turn_of: str) -> bool:
        """Tell whether a user or a backfill has all the files in the first lane that it may have there."""
        return self._in_person_lane[turn_of] >= PERSON_FILES


def priority_of(asked: Asked, *, waiting: WaitingFiles) -> int:
    """Return the priority of a request's run, given the files that wait already."""
    return _place_of(asked, waiting).priority


def priorities_of(requests: Sequence[Asked], *, waiting: WaitingFiles) -> list[int]:
    """Return the priorities of requests that are made together, in their order; small files get their places first."""
    found: dict[int, int] = {}
    for index in sorted(range(len(requests)), key=lambda index: _size_class(requests[index].size_bytes)):
        asked = requests[index]
        place = _place_of(asked, waiting)
        waiting.add(asked.turn_of, place)
        found[index] = place.priority
    return [found[index] for index in range(len(requests))]


def _place_of(asked: Asked, waiting: WaitingFiles) -> Place:
    lane, size = int(asked.asked_by), _size_class(asked.size_bytes)
    if lane == AskedBy.PERSON and waiting.person_lane_is_full(asked.turn_of):
        lane = AskedBy.BUCKET
    return Place(
        lane=lane,
        round_=max(waiting.first_round(lane), waiting.last_round(lane, asked.turn_of, size) + 1),
        size=size,
    )


def _size_class(size_bytes: int | None) -> int:
    if size_bytes is None:
        return _MIDDLE
    return _SMALL if size_bytes < SMALL_BYTES else _MIDDLE if size_bytes < LARGE_BYTES else _LARGE
