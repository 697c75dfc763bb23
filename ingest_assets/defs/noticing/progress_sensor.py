"""Deliver messages about files from Dagster's daemon, for instances without the resident process `ingest listen`."""

import dagster as dg

from ingest_assets.messaging.delivery import deliver_due
from ingest_assets.project import Project

INTERVAL_S = 5
WITHIN_S = 10.0
"""A tick has 60 s, and one attempt may pass this by ten."""


@dg.sensor(
    minimum_interval_seconds=INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells INGEST_PROGRESS_URL, and callbacks of requests, what became of files. Starts no runs.",
)
def progress(ingest_project: dg.ResourceParam[Project]) -> dg.SkipReason:
    """Send what is due in the outbox."""
    return dg.SkipReason(str(deliver_due(ingest_project.outbox, ingest_project.settings, within_s=WITHIN_S)))
