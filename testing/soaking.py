"""Choose how much of a random or long test runs: a bounded share in `make check`, all of it in `make soak`.

The soak sets `TEST_SOAK=1`. What the gate leaves out is more of the same: further examples, runs, pages.
"""

from __future__ import annotations

import os

SOAKING = os.environ.get("TEST_SOAK") == "1"


def share(in_the_gate: int, in_the_soak: int) -> int:
    """Return how many examples, rounds or pages this run is to try."""
    return in_the_soak if SOAKING else in_the_gate
