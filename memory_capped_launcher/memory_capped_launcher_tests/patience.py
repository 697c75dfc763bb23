"""How long tests wait: `TEST_PATIENCE` in the environment multiplies every time-out and every pause of theirs.

1 on a machine of its own; more on a busy or an emulated one (`benchmarks/launcher/guest.sh`). A name outside the
project's own prefix, because `Settings` refuses the ones with it that it does not know.
"""

from __future__ import annotations

import os

PATIENCE = float(os.environ.get("TEST_PATIENCE", "1"))


def patient(seconds: float) -> float:
    """Return how long that is on this machine."""
    return seconds * PATIENCE
