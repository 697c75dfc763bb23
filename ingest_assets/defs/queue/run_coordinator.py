"""Give each run that enters Dagster's queue its turn, whichever way it came.

Runs of the UI, of backfills and of Dagster's own commands carry no priority, and Dagster then serves all of them in the
order of their requests: one backfill of a thousand files would stand before every upload. Dagster has one place that
all runs pass, the run coordinator, so the missing priority is added there. What a run says itself is kept: sensors ask
with a priority (`turns.py`), and a person may give one in the UI's launch dialog.

The web server and the daemon load this module, so it imports nothing that is large.
"""

from __future__ import annotations

import time

import dagster as dg
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext

from ingest_assets.defs.queue.turns import BACKFILL_TAG, PRIORITY_TAG, turn_of, waiting_files
from ingest_assets.stages.planning.turns import Asked, AskedBy, WaitingFiles, priorities_of

SENSOR_TAG = "dagster/sensor_name"
SCHEDULE_TAG = "dagster/schedule_name"

_SHARE_OF_TIME = 20
"""The queue is read again when at least so many times the time of the last reading have passed."""
_FRESH_S = 1.0


class TurnTakingRunCoordinator(QueuedRunCoordinator):
    """Dagster's queue, with users who take turns.

    In `dagster.yaml`:

    ```yaml
    run_coordinator:
      module: ingest_assets.defs.queue.run_coordinator
      class: TurnTakingRunCoordinator
    ```

    The settings are those of Dagster's `QueuedRunCoordinator`.
    """

    _waiting: WaitingFiles | None = None
    _read_again_at = 0.0

    def submit_run(self, context: SubmitRunContext) -> dg.DagsterRun:
        """Give the run its turn and put it into the queue."""
        run = context.dagster_run
        if PRIORITY_TAG not in run.tags:
            self._instance.add_run_tags(run.run_id, self._turn(run))
        return super().submit_run(context)

    def _turn(self, run: dg.DagsterRun) -> dict[str, str]:
        asked = Asked(turn_of(run.tags), asked_by(run))
        (priority,) = priorities_of([asked], waiting=self._waiting_files())
        return {PRIORITY_TAG: str(priority)}

    def _waiting_files(self) -> WaitingFiles:
        """Return what waits. A backfill submits thousands of runs, and reading thousands for each would take hours."""
        began = time.monotonic()
        if self._waiting is None or began >= self._read_again_at:
            self._waiting = waiting_files(self._instance)
            now = time.monotonic()
            self._read_again_at = now + max(_FRESH_S, _SHARE_OF_TIME * (now - began))
        return self._waiting


def asked_by(run: dg.DagsterRun) -> AskedBy:
    """Tell from Dagster's tags who asked for a run."""
    if SCHEDULE_TAG in run.tags:
        return AskedBy.UPKEEP
    if SENSOR_TAG in run.tags and BACKFILL_TAG not in run.tags:
        return AskedBy.BUCKET
    return AskedBy.PERSON
