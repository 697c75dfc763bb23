"""Show what waits to be told to others, and send again what was given up: `ingest outbox`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest_assets.cli.tables.output import TableColumn, console, fitting_table, print_json, safe
from ingest_assets.errors import BadInput
from ingest_assets.file_ids import key_of
from ingest_assets.ledger_records import utc_text

if TYPE_CHECKING:
    from ingest_assets.config.settings import Settings
    from ingest_assets.messaging.outbox import Outbox
    from ingest_assets.messaging.outbox_tables import OutboxEntry

SHOWN = 1_000
"""Messages of each kind that JSON lists."""
_SHOWN_TO_PEOPLE = 20
EVERY_LETTER = "all"

_LAYOUT = (
    TableColumn("file", justify="left"),
    TableColumn("id"),
    TableColumn("tries", rank=2),
    TableColumn("next or last", rank=1, justify="left"),
    TableColumn("to", rank=3, justify="left"),
)


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message as `ingest outbox` shows it."""

    id: int
    file: str
    """The file's key."""
    event: str
    to: str
    """Who is told: what kind of target, and its host."""
    attempts: int
    created_at: str
    due_at: str
    """When it is tried next; for a dead letter when it would have been."""
    reason: str


@dataclass(frozen=True, slots=True)
class OutboxReport:
    """What `ingest outbox` shows."""

    pending: int
    dead: int
    oldest_s: float
    """Age of the oldest pending message."""
    failing: tuple[str, ...]
    """Targets that failed when they were last tried."""
    pending_messages: tuple[WaitingMessage, ...]
    dead_letters: tuple[WaitingMessage, ...]


def look_at_outbox(outbox: Outbox, settings: Settings) -> OutboxReport:
    """Return counts and the oldest messages that wait or were given up."""
    from ingest_assets.messaging.outbox_tables import DeliveryState
    from ingest_assets.messaging.outbox_upkeep import count, entries
    from ingest_assets.messaging.webhooks import place_of_target

    def named(target: str) -> str:
        return place_of_target(target, settings=settings)

    def listed(state: DeliveryState) -> tuple[WaitingMessage, ...]:
        return tuple(_shown(entry, to=named(entry.target)) for entry in entries(outbox, state, limit=SHOWN))

    counts = count(outbox)
    return OutboxReport(
        pending=counts.pending,
        dead=counts.dead,
        oldest_s=round(counts.oldest_s, 1),
        failing=tuple(named(target) for target in counts.failing),
        pending_messages=listed(DeliveryState.PENDING),
        dead_letters=listed(DeliveryState.DEAD),
    )


def replay_letters(outbox: Outbox, wanted: Collection[str]) -> int:
    """Send dead letters again, by their ids or all of them; return how many.

    Raises:
        BadInput: a word is neither a number nor `all`, or there is no such dead letter.
    """
    from ingest_assets.messaging.outbox_upkeep import replay

    if EVERY_LETTER in wanted:
        return replay(outbox, None)
    wrong = [word for word in wanted if not (word.isascii() and word.isdigit())]
    if wrong:
        raise BadInput(f"--replay {wrong[0]!r}: write the id of a dead letter, as `ingest outbox` lists it, or all")
    ids = {int(word) for word in wanted}
    replayed = replay(outbox, ids)
    if not replayed:
        raise BadInput(f"no dead letter has the id {', '.join(map(str, sorted(ids)))}; `ingest outbox` lists them")
    return replayed


def show_outbox(report: OutboxReport, *, as_json: bool) -> None:
    """Print counts, then dead letters with their reasons, then what waits."""
    if as_json:
        return print_json(report)
    out = console()
    age = f", the oldest for {report.oldest_s:.0f} s" if report.pending else ""
    out.print(f"{report.pending} messages wait{age}; {report.dead} were given up")
    for target in report.failing:
        out.print(safe(f"{target}: failed when it was last tried"), soft_wrap=True)
    for heading, messages, total in (
        ("given up (`ingest outbox --replay ID` or `--replay all` sends again)", report.dead_letters, report.dead),
        ("waiting", report.pending_messages, report.pending),
    ):
        if not messages:
            continue
        out.print(f"\n{heading}")
        shown = messages[:_SHOWN_TO_PEOPLE]
        out.print(fitting_table(_LAYOUT, [_row(each) for each in shown]))
        for reason, first in {each.reason: each.id for each in reversed(shown) if each.reason}.items():
            out.print(safe(f"  {first}: {reason}"), soft_wrap=True)
        if total > len(shown):
            out.print(f"  and {total - len(shown)} more; --json lists the first {SHOWN}")
    return None


def _shown(entry: OutboxEntry, *, to: str) -> WaitingMessage:
    from datetime import UTC, datetime

    def moment(seconds: float) -> str:
        return utc_text(datetime.fromtimestamp(seconds, UTC))

    return WaitingMessage(
        id=entry.id,
        file=key_of(entry.file_id),
        event=entry.event,
        to=to,
        attempts=entry.attempts,
        created_at=moment(entry.created_s),
        due_at=moment(entry.due_s),
        reason=entry.reason,
    )


def _row(message: WaitingMessage) -> tuple[str, ...]:
    when = message.due_at.replace("T", " ").removesuffix("+00:00")
    return (safe(message.file), str(message.id), str(message.attempts), when, safe(message.to))
