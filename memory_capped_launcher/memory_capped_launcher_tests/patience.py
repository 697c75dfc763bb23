"""Multiply every time limit and every pause of the tests by `TEST_PATIENCE` from the environment.

It is 1 on a quiet machine and more on a busy or an emulated one.
"""

from __future__ import annotations

import os

PATIENCE = float(os.environ.get("TEST_PATIENCE", "1"))


def patient(seconds: float) -> float:
    """Return how long that is on this machine."""
    return seconds * PATIENCE
