"""Keep messages until each receiver has taken them, in order for each file.

A message is written in the transaction of the change that it tells of, so one is never there without the other, also
after a kill (microservices.io, "Pattern: Transactional outbox"). The writer knows nothing of how messages travel: a
target is a text such as `webhook:progress`, and what carries the messages of a channel claims those whose target begins
with the channel.

Of each file and target only the oldest message that is not sent can be claimed, so no other overtakes it. A claim ends
by itself: what a killed process had claimed is sent by another one. A target that fails is not tried for a while, for
all files. A message that a target does not take holds up only its own file, and for a day at most.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING, cast
from weakref import ref

import msgspec
from sqlalchemy import Connection, and_, delete, exists, func, literal, select, update

from ingest_assets.file_ids import key_of, owner_of
from ingest_assets.index.database import Database
from ingest_assets.messaging.outbox_tables import (
    CALLBACKS,
    OUTBOX,
    TARGETS,
    TOLD,
    DeliveryState,
    OutboxEntry,
    entry_of,
    is_in,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import RootTransaction

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 3_600.0
GIVEN_UP_AFTER_S = 86_400.0
LEASE_S = 120.0
"""Longer than a pass of deliveries and one whole attempt, so that a claim never ends while its holder is sending."""
CALLBACK_S = 7 * 86_400.0
"""How long a request's callback hears of its file."""
_TRIES_BEFORE_GIVING_UP = 12
"""Pauses grow to an hour in as many. After days without a deliverer a message is not given up at its next failure."""
_SILENCE_S = 2 * LONGEST_PAUSE_S
"""A target that was not tried for so long is not known to have failed meanwhile."""
_MILLISECONDS = 1_000
_TARGETS_AT_ONCE = 100
_is_claimed = OUTBOX.c.claim != literal("", literal_execute=True)
_by_id = attrgetter("id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is told of a file."""

    file_id: str
    user_id: str
    project_id: str
    event: str
    """What kind of message it is, such as `file.state`."""
    content: Mapping[str, object]
    """Plain values; id, event and sequence are added."""
    is_last: bool = False
    """Whether the file is gone, so that what is kept of its order may be swept."""


@dataclass(slots=True)
class Outbox:
    """The messages of one database."""

    database: Database
    now_s: Callable[[], float] = time.time
    share: Callable[[], float] = field(default=random.random)
    """Gives a number from 0 to 1, which spreads the attempts of many messages over time."""
    _asked: tuple[ref[RootTransaction], bool] | None = field(default=None, init=False, repr=False)
    """A transaction, and whether any file has a callback in it; one value, because threads share an outbox."""

    def put(self, connection: Connection, message: Message, *, targets: Iterable[str]) -> str:
        """Write a message for each target, in the transaction of the change that it tells of; return its id.

        Messages of a file are numbered upwards. The numbers are made of the clock, so that they also grow after the
        database was lost and made anew. Nothing is written and no number is used if there is no target.
        """
        wanted = list(dict.fromkeys(targets))
        if not wanted:
            return ""
        now, sequence = self.now_s(), self._next_sequence(connection, message)
        message_id = hashlib.sha256(f"{message.file_id}\n{sequence}".encode()).hexdigest()[:32]
        head = {"id": message_id, "event": message.event, "sequence": sequence}
        row = {
            "message_id": message_id,
            "file_id": message.file_id,
            "user_id": message.user_id,
            "project_id": message.project_id,
            "event": message.event,
            "body": msgspec.json.encode({**head, **message.content}).decode(),
            "state": DeliveryState.PENDING.value,
            "created_s": now,
            "due_s": now,
        }
        connection.execute(OUTBOX.insert(), [row | {"target": target} for target in wanted])
        return message_id

    def _next_sequence(self, connection: Connection, message: Message) -> int:
        """Number the file's next message. The row stays locked until the commit, so numbers agree with the order."""
        clock = int(self.now_s() * _MILLISECONDS)
        added = self.database.upsert(TOLD).values(
            file_id=message.file_id,
            user_id=message.user_id,
            project_id=message.project_id,
            sequence=clock,
            is_removed=message.is_last,
        )
        larger = func.max if connection.dialect.name == "sqlite" else func.greatest
        numbered = added.on_conflict_do_update(
            index_elements=[TOLD.c.file_id],
            set_={"sequence": larger(TOLD.c.sequence + 1, clock), "is_removed": message.is_last},
        )
        return int(connection.execute(numbered.returning(TOLD.c.sequence)).scalar_one())

    def add_callback(self, connection: Connection, file_id: str, *, target: str) -> None:
        """Have a target told of a file's changes for the next seven days, as a request asked for."""
        until = self.now_s() + CALLBACK_S
        user_id, project_id, _ = owner_of(key_of(file_id))
        added = self.database.upsert(CALLBACKS).values(
            file_id=file_id, user_id=user_id, project_id=project_id, target=target, until_s=until
        )
        keys = [CALLBACKS.c.file_id, CALLBACKS.c.target]
        connection.execute(added.on_conflict_do_update(index_elements=keys, set_={"until_s": until}))
        self._asked = None

    def callbacks(self, connection: Connection, file_id: str) -> list[str]:
        """Return the targets that requests named for a file."""
        if not self._has_callbacks(connection):
            return []
        wanted = (CALLBACKS.c.file_id == file_id) & (CALLBACKS.c.until_s > self.now_s())
        return list(connection.execute(select(CALLBACKS.c.target).where(wanted).order_by(CALLBACKS.c.target)).scalars())

    def _has_callbacks(self, connection: Connection) -> bool:
        """Tell whether any file has a callback; asked once in a transaction, which may change a thousand files."""
        transaction = cast("RootTransaction", connection.get_transaction())
        asked = self._asked
        if asked is None or asked[0]() is not transaction:
            found = connection.execute(select(CALLBACKS.c.file_id).limit(1)).first() is not None
            asked = self._asked = (ref(transaction), found)
        return asked[1]

    def claim(self, channel: str, *, limit: int, claim: str, lease_s: float = LEASE_S) -> list[OutboxEntry]:
        """Claim up to `limit` messages of a channel that may be sent now, the oldest first.

        Of each file and target only the oldest message that is not sent is among them, and none that another claim
        holds. `claim` is a text that no other process uses.
        """
        now = self.now_s()
        with self.database.begin(writes=False) as connection:  # mostly nothing waits, and writers need not either
            targets = self._ready_targets(connection, f"{channel}:", now=now)
        if not targets:
            return []
        entries: list[OutboxEntry] = []
        with self.database.begin() as connection:
            for left, target in zip(range(len(targets), 0, -1), targets, strict=True):
                share = -(-(limit - len(entries)) // left)  # a target with little to send leaves the rest to others
                entries += self._first_of_each_file(connection, target, limit=share, now=now)
            if entries:
                chosen = OUTBOX.c.id.in_([entry.id for entry in entries])
                connection.execute(update(OUTBOX).where(chosen).values(claim=claim, claimed_until_s=now + lease_s))
        return [replace(entry, claim=claim, claimed_until_s=now + lease_s) for entry in sorted(entries, key=_by_id)]

    def _ready_targets(self, connection: Connection, start: str, *, now: float) -> list[str]:
        """Return the targets that something waits for and that do not rest, one step through the index for each."""
        resting = set(connection.execute(select(TARGETS.c.target).where(TARGETS.c.paused_until_s > now)).scalars())
        found: list[str] = []
        last = start
        while len(found) < _TARGETS_AT_ONCE:
            following = select(func.min(OUTBOX.c.target)).where(is_in(DeliveryState.PENDING), OUTBOX.c.target > last)
            target = connection.execute(following).scalar_one()
            if target is None or not target.startswith(start):
                break
            if target not in resting:
                found.append(target)
            last = target
        return found

    def _first_of_each_file(self, connection: Connection, target: str, *, limit: int, now: float) -> list[OutboxEntry]:
        earlier = OUTBOX.alias("earlier")
        overtakes = exists().where(
            is_in(DeliveryState.PENDING, earlier),
            earlier.c.target == OUTBOX.c.target,
            earlier.c.file_id == OUTBOX.c.file_id,
            earlier.c.id < OUTBOX.c.id,
        )
        ready = (
            select(OUTBOX)
            .where(
                is_in(DeliveryState.PENDING),
                OUTBOX.c.target == target,
                OUTBOX.c.due_s <= now,
                OUTBOX.c.claimed_until_s <= now,
                ~overtakes,
            )
            .order_by(OUTBOX.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [entry_of(row) for row in connection.execute(ready)]

    def release(self, claim: str) -> None:
        """Give back what a claim still holds, so that others may send it at once."""
        with self.database.begin() as connection:
            connection.execute(
                update(OUTBOX).where(_is_claimed, OUTBOX.c.claim == claim).values(claim="", claimed_until_s=0.0)
            )

    def sent(self, entry: OutboxEntry) -> bool:
        """Note that the target took the message; False if the claim was lost, and another process decides."""
        with self.database.begin() as connection:
            done = self._end(connection, entry, DeliveryState.SENT, reason="")
            self._answered(connection, entry.target)
        return done

    def refused(self, entry: OutboxEntry, reason: str) -> bool:
        """Note that the target will never take the message; later messages of its file go on."""
        with self.database.begin() as connection:
            done = self._end(connection, entry, DeliveryState.DEAD, reason=reason)
            self._answered(connection, entry.target)
        return done

    def failed(self, entry: OutboxEntry, reason: str, *, retry_after_s: float = 0.0) -> bool:
        """Note an attempt that failed: the message and its target rest, or the message is given up after a day."""
        now, attempts = self.now_s(), entry.attempts + 1
        first = now if entry.first_tried_s is None else entry.first_tried_s
        with self.database.begin() as connection:
            if self._rest(connection, entry.target, retry_after_s=retry_after_s) >= GIVEN_UP_AFTER_S:
                self._give_up_old(connection, entry.target, reason)
                is_given_up = now - entry.created_s >= GIVEN_UP_AFTER_S
            else:
                is_given_up = now - first >= GIVEN_UP_AFTER_S and attempts >= _TRIES_BEFORE_GIVING_UP
            if is_given_up:
                return self._end(connection, entry, DeliveryState.DEAD, reason=reason)
            resting = {
                "attempts": attempts,
                "first_tried_s": first,
                "due_s": now + max(self._pause_s(attempts), retry_after_s),
                "reason": reason,
            }
            return self._let_go(connection, entry, resting)

    def _end(self, connection: Connection, entry: OutboxEntry, state: DeliveryState, *, reason: str) -> bool:
        ended = {"state": state.value, "attempts": entry.attempts + 1, "ended_s": self.now_s(), "reason": reason}
        return self._let_go(connection, entry, ended)

    def _let_go(self, connection: Connection, entry: OutboxEntry, values: Mapping[str, object]) -> bool:
        """Change a message that the entry's claim still holds, and end the claim."""
        is_held = and_(OUTBOX.c.id == entry.id, OUTBOX.c.claim == entry.claim, is_in(DeliveryState.PENDING))
        changed = update(OUTBOX).where(is_held).values(**values, claim="", claimed_until_s=0.0)
        return bool(connection.execute(changed).rowcount)

    def _answered(self, connection: Connection, target: str) -> None:
        connection.execute(delete(TARGETS).where(TARGETS.c.target == target))

    def _rest(self, connection: Connection, target: str, *, retry_after_s: float) -> float:
        """Pause a target that failed; return for how long it has been failing, in seconds."""
        now = self.now_s()
        known = connection.execute(select(TARGETS).where(TARGETS.c.target == target)).one_or_none()
        is_in_series = known is not None and now - known.last_failed_s < _SILENCE_S
        since = float(known.failing_since_s) if known is not None and is_in_series else now
        failures = known.failures + 1 if known is not None and is_in_series else 1
        pause = max(self._pause_s(failures), retry_after_s)
        resting = {"failures": failures, "failing_since_s": since, "last_failed_s": now, "paused_until_s": now + pause}
        added = self.database.upsert(TARGETS).values(target=target, **resting)
        connection.execute(added.on_conflict_do_update(index_elements=[TARGETS.c.target], set_=resting))
        return now - since

    def _give_up_old(self, connection: Connection, target: str, reason: str) -> None:
        """Give up what waits for a target for a day already, so that each message need not fail by itself."""
        now = self.now_s()
        is_old = and_(
            OUTBOX.c.target == target,
            is_in(DeliveryState.PENDING),
            OUTBOX.c.created_s <= now - GIVEN_UP_AFTER_S,
            OUTBOX.c.claimed_until_s <= now,
        )
        given_up = {"state": DeliveryState.DEAD.value, "ended_s": now, "reason": reason}
        connection.execute(update(OUTBOX).where(is_old).values(**given_up))

    def _pause_s(self, failures: int) -> float:
        """Return the pause after so many failures: doubled each time, half of it by chance."""
        longest = min(FIRST_PAUSE_S * (1 << min(failures - 1, 30)), LONGEST_PAUSE_S)
        return longest * (0.5 + 0.5 * self.share())
