"""Execute one run without a warm process; this works wherever Python does.

The request is one JSON line on standard input. A cold run costs the imports of Dagster and of the definitions: seconds
instead of a fraction of one. Every other promise holds: the supervisor is forked, and this process, its parent, reports
the run's end if the supervisor dies.
"""

from __future__ import annotations

import json
import os
import sys

from memory_capped_launcher.linux import adopt_orphans
from memory_capped_launcher.request import RunRequest
from memory_capped_launcher.supervision.process_tree import kill_descendants
from memory_capped_launcher.supervision.supervisor import supervise
from memory_capped_launcher.supervision.sweep import report_dead
from memory_capped_launcher.warm.background import fork, go_to_background, say_ready


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
