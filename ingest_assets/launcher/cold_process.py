"""One request on standard input in, one run out, without a warm process: the way that always works.

It costs the imports of Dagster and of the definitions, seconds instead of a fraction of one, and keeps every other
promise: the supervisor is forked, and this process, its parent, names the run's end should the supervisor die.
"""

from __future__ import annotations

import json
import os
import sys

from ingest_assets.launcher.background import fork, go_to_background, say_ready
from ingest_assets.launcher.linux import adopt_orphans
from ingest_assets.launcher.process_tree import kill_descendants
from ingest_assets.launcher.request import RunRequest
from ingest_assets.launcher.supervisor import supervise
from ingest_assets.launcher.sweep import report_dead


def main() -> None:
    """Fork the supervisor of one run and wait for it."""
    fields = json.loads(sys.stdin.readline())
    request, lock = RunRequest.from_fields(fields["run"]), fields["lock"]
    go_to_background()
    say_ready("")
    adopt_orphans()
    pid = fork(lambda: supervise(request, lock), close=[])
    os.close(lock)
    os.waitpid(pid, 0)
    kill_descendants(os.getpid())
    report_dead(request)


if __name__ == "__main__":
    main()
