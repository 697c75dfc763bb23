"""Test whose file is processed next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from ingest_assets.stages.planning.turns import (
    LARGE_BYTES,
    PERSON_FILES,
    SMALL_BYTES,
    Asked,
    AskedBy,
    Place,
    WaitingFiles,
    priorities_of,
    priority_of,
)


class Queue:
    """Files that wait, served as Dagster serves them: by priority, and in the order of their requests."""

    def __init__(self) -> None:
        self.waiting: list[tuple[int, Asked]] = []

    def ask(self, *requests: Asked) -> None:
        self.waiting += zip(priorities_of(requests, waiting=self._seen()), requests, strict=True)

    def serve(self, count: int = 1) -> list[Asked]:
        ordered = sorted(self.waiting, key=lambda pair: -pair[0])
        for pair in ordered[:count]:
            self.waiting.remove(pair)
        return [asked for _, asked in ordered[:count]]

    def _seen(self) -> WaitingFiles:
        seen = WaitingFiles()
        for priority, asked in self.waiting:
            place = Place.of_priority(priority)
            assert place is not None
            seen.add(asked.turn_of, place)
        return seen


def uploads(user: str, count: int, size_bytes: int = 10) -> list[Asked]:
    return [Asked(user, AskedBy.BUCKET, size_bytes)] * count


def users(served: Iterable[Asked]) -> str:
    return "".join(asked.turn_of for asked in served)


def test_one_users_500_notes_delay_another_users_note_by_one() -> None:
    queue = Queue()
    queue.ask(*uploads("a", 500))
    queue.serve(4)
    queue.ask(*uploads("b", 1))
    assert users(queue.serve(2)) == "ab"


def test_users_take_turns() -> None:
    queue = Queue()
    queue.ask(*uploads("a", 5))
    queue.ask(*uploads("b", 3))
    queue.ask(*uploads("c", 1))
    assert users(queue.serve(9)) == "abcababaa"


def test_a_user_who_comes_late_does_not_catch_up_on_turns_that_were_never_asked_for() -> None:
    queue = Queue()
    queue.ask(*uploads("a", 100))
    queue.serve(90)
    queue.ask(*uploads("b", 10))
    assert users(queue.serve(20)) == "ab" * 10


def test_a_person_comes_before_the_bucket_and_upkeep_comes_last() -> None:
    queue = Queue()
    queue.ask(Asked("a", AskedBy.UPKEEP), *uploads("b", 2), Asked("c", AskedBy.PERSON))
    assert users(queue.serve(4)) == "cbba"


def test_small_files_of_a_user_come_before_large_ones() -> None:
    queue = Queue()
    queue.ask(Asked("a", AskedBy.BUCKET, LARGE_BYTES), *uploads("a", 2), Asked("a", AskedBy.BUCKET))
    assert [asked.size_bytes for asked in queue.serve(4)] == [10, 10, None, LARGE_BYTES]


def test_a_small_file_that_comes_later_does_not_wait_for_the_large_ones_of_its_user() -> None:
    queue = Queue()
    queue.ask(*uploads("a", 10, LARGE_BYTES))
    queue.ask(*uploads("b", 5))
    queue.ask(*uploads("a", 1, SMALL_BYTES - 1))
    served = queue.serve(3)
    assert [(asked.turn_of, asked.size_bytes) for asked in served] == [
        ("b", 10),
        ("a", SMALL_BYTES - 1),
        ("a", LARGE_BYTES),
    ]


def test_a_large_backfill_lets_uploads_through() -> None:
    queue = Queue()
    queue.ask(*[Asked("backfill", AskedBy.PERSON)] * 1000)
    queue.ask(*uploads("b", 1))
    assert "b" in {asked.turn_of for asked in queue.serve(PERSON_FILES + 2)}


def test_another_person_comes_before_the_rest_of_a_large_backfill() -> None:
    queue = Queue()
    queue.ask(*[Asked("a", AskedBy.PERSON)] * 1000)
    queue.ask(Asked("b", AskedBy.PERSON))
    assert "b" in users(queue.serve(2))


def test_a_run_without_a_priority_goes_before_all_that_have_one_and_a_persons_own_priority_is_kept_out() -> None:
    assert priority_of(Asked("a", AskedBy.PERSON, 10), waiting=WaitingFiles()) == 0
    assert priority_of(Asked("a", AskedBy.BUCKET, 10), waiting=WaitingFiles()) < 0
    assert Place.of_priority(5) is None


def test_places_and_priorities_say_the_same_and_sort_alike() -> None:
    places = [Place(lane, round_, size) for lane in range(3) for round_ in (0, 1, 99_999_999) for size in range(3)]
    assert [Place.of_priority(place.priority) for place in places] == places
    assert sorted(places, key=lambda place: -place.priority) == places
    assert Place.of_priority(-(10**12)) is None, "a number that no place has, from an operator's own tags"


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60), st.integers(0, 30))
def test_no_user_waits_longer_than_a_turn_of_each_other_user(names: Sequence[str], served: int) -> None:
    queue = Queue()
    for name in names:
        queue.ask(*uploads(name, 1))
    queue.serve(served)
    queue.ask(*uploads("z", 1))
    assert "z" in users(queue.serve(4)), "three other users have at most one turn each before the newcomer"
