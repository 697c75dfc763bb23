"""Deliver the outbox in a child that kills itself before a chosen statement to the database; run by test_kill.py.

Each line of standard input is the number of the statement and the time of the child's clock. The answer is the child's
exit: "-9", or "0" if it had delivered everything before.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count

from sqlalchemy import event
from sqlalchemy.engine import Engine

from ingest_assets.config.settings import load_settings
from ingest_assets.index.database import Database
from ingest_assets.messaging.delivery import deliver_due
from ingest_assets.messaging.outbox import Outbox
from ingest_assets_tests.stores.killing import serve


def act(words: list[str]) -> None:
    moment, clock = int(words[0]), float(words[1])
    numbers = count(1)

    def die_at_the_moment(*_: object) -> None:
        if next(numbers) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    database = Database(sys.argv[1])
    with database.begin(writes=False):  # its tables are there
        pass
    event.listen(Engine, "before_cursor_execute", die_at_the_moment)
    settings = load_settings(
        {"INGEST_PROGRESS_URL": sys.argv[2], "INGEST_PROGRESS_SECRET": "x" * 16, "INGEST_URL_ALLOW": "127.0.0.1"}
    )
    deliver_due(Outbox(database, now_s=lambda: clock), settings, within_s=60)


if __name__ == "__main__":
    serve(act)
