"""Empty the queue of the bucket's events into the inbox, from Dagster's daemon.

`upload_bucket` receives what waits before each of its looks, so that an event becomes a run within one round of the
sensors. `bucket_events` starts no runs. It receives large bursts, for which a tick of the other sensor has no time, and
shows in the UI what came. While `ingest listen` receives the events, both sensors leave them to it.
"""

from collections.abc import Mapping

import dagster as dg

from ingest_assets.errors import OutsideError
from ingest_assets.messaging.heartbeat import EVENTS_LISTENER, is_beating
from ingest_assets.messaging.sqs import QueueReading
from ingest_assets.project import Project

INTERVAL_S = 5
DRAIN_S = 10.0
"""How long one tick reads the queue; Dagster ends a tick after 60 s."""
_NAMED = 10


def event_sensor(*, is_on: bool) -> dg.SensorDefinition:
    """Make the sensor `bucket_events`; where no queue is named it is off."""

    @dg.sensor(
        name="bucket_events",
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING if is_on else dg.DefaultSensorStatus.STOPPED,
        description="Receives the bucket's events from SQS (INGEST_EVENTS_QUEUE), so that changes are seen at once.",
    )
    def bucket_events(context: dg.SensorEvaluationContext, ingest_project: dg.ResourceParam[Project]) -> dg.SkipReason:
        """Put the keys of all waiting events into the inbox."""
        queue = ingest_project.event_queue
        if queue is None:
            return dg.SkipReason("no queue is named: set INGEST_EVENTS_QUEUE")
        if is_beating(ingest_project.database, EVENTS_LISTENER):
            return dg.SkipReason("`ingest listen` receives the events")
        found = queue.drain(within_s=DRAIN_S)
        if found.set_aside:
            context.log.warning(f"{found.set_aside} messages cannot be read: `ingest inbox` names them")
        return dg.SkipReason(say_reading(found))

    return bucket_events


def receive_waiting(project: Project, *, within_s: float) -> str:
    """Put the keys of waiting events into the inbox, unless a listener does; return what is wrong with the queue."""
    if project.event_queue is None or is_beating(project.database, EVENTS_LISTENER):
        return ""
    try:
        found = project.event_queue.drain(within_s=within_s)
    except OutsideError as error:  # the listing finds what the events would have named
        return str(error)
    return f"{found.set_aside} messages cannot be read: `ingest inbox` names them" if found.set_aside else ""


def say_reading(found: QueueReading) -> str:
    """Say in one line what was received."""
    summary = f"{found.messages} messages, {found.keys} keys to look at, {found.set_aside} set aside"
    return f"{summary}; passed over: {_counts(found.passed_over)}" if found.passed_over else summary


def _counts(passed_over: Mapping[str, int]) -> str:
    most = sorted(passed_over.items(), key=lambda item: -item[1])
    named = ", ".join(f"{count} × {name}" for name, count in most[:_NAMED])
    return f"{named} and {len(most) - _NAMED} others" if len(most) > _NAMED else named
