"""Run the random and the killing tests round after round, each from another seed, until the time is over or one fails.

`make check` runs each of these tests once, from seed 0, and a share of the longest. Here rounds go on from `--seed`.
It is printed, so that a failure can be repeated: `TEST_SOAK=1 python -m pytest FILE --hypothesis-seed=N`. The last line
of the table in README.md tells what was run.

    python -m benchmarks.soak.run --minutes 60 --seed 1
    python -m benchmarks.soak.run --minutes 5 --only "fuzz or kill"
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = Path(__file__).with_name("README.md")


def main() -> int:
    """Run rounds until the time is over, print each round's result, and add a line to the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--only", default="", help="tests whose names match, as pytest's -k takes them")
    options = parser.parse_args()
    print(f"seed {options.seed}: round N runs from seed {options.seed} + N", flush=True)
    start, rounds, passed, failed = time.monotonic(), 0, 0, 0
    while not failed and (rounds == 0 or time.monotonic() - start < options.minutes * 60):
        passed_now, failed = one_round(options.seed + rounds, only=options.only)
        passed, rounds = passed + passed_now, rounds + 1
    minutes = (time.monotonic() - start) / 60
    which = options.only or "all"
    row = [
        *(f"{datetime.now(UTC):%Y-%m-%d}", commit(), machine(), which, options.seed),
        *(rounds, passed, failed, f"{minutes:.0f}"),
    ]
    with README.open("a", encoding="utf-8") as table:
        table.write(f"| {' | '.join(map(str, row))} |\n")
    return 1 if failed else 0


def one_round(seed: int, *, only: str) -> tuple[int, int]:
    """Run the tests that are marked `soak` from one seed; return how many passed and how many failed."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--timeout",
        "3600",
        f"--hypothesis-seed={seed}",
        "-m",
        "soak",
        "-k",
        only,
    ]
    environment = os.environ | {"TEST_SOAK": "1"}  # whole tests, not the share of them that the gate runs
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    closing = done.stdout.strip().splitlines()[-1]
    print(f"seed {seed}: {closing}", flush=True)
    passed, failed = (re.search(rf"(\d+) {word}", closing) for word in ("passed", "(?:failed|error)"))
    if done.returncode not in (0, 1) or (done.returncode == 1 and not failed):
        raise SystemExit(done.stdout + done.stderr)
    if failed:
        print(done.stdout)
    return int(passed[1]) if passed else 0, int(failed[1]) if failed else 0


def commit() -> str:
    """Return the short name of the commit that is tried."""
    return subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True).strip()


def machine() -> str:
    """Return the processor's kind and the number of cores."""
    return f"{platform.machine()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    sys.exit(main())
