"""Files of any content in, what reading each came to out: the far side of the fuzzing tests.

A warm process of one thread reads a line of JSON for each file, and forks for it: the child has the parsers imported, a
cap on its memory and on its processor time, and takes nobody along when it dies.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path

from ingest_assets_tests.parsers.mutation import read_or_refuse

CAP_BYTES = 700_000_000
CPU_S = 60


def main() -> None:
    """Read the undamaged files that are named first, so that libraries load once, then fork for each line."""
    for known in map(Path, sys.argv[1:]):
        read_or_refuse(known, known.name)
    say("ready")
    for line in sys.stdin:
        file = json.loads(line)
        say(json.dumps(outcome(Path(file["path"]), file["name"])))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def outcome(path: Path, name: str) -> str:
    """Read a file in a child; an empty text if it came to parts or to a refusal, else what came of it."""
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiving)
        read_capped(path, name, sending)
    os.close(sending)
    with os.fdopen(receiving, "rb") as told:
        said = told.read().decode("utf-8", "replace")
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name} {said}"
    return said


def read_capped(path: Path, name: str, sending: int) -> None:
    """Read a file under the caps, tell of anything but parts or a refusal, and end this process."""
    resource.setrlimit(resource.RLIMIT_DATA, (CAP_BYTES, CAP_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
    try:
        read_or_refuse(path, name)
    except BaseException:  # noqa: BLE001 - whatever comes out is the finding
        os.write(sending, traceback.format_exc().encode()[-4000:])
    os._exit(0)


if __name__ == "__main__":
    main()
