"""Test what counts the requests of a key, as the settings set it up."""

from __future__ import annotations

import pytest

from ingest_assets.api.admission.throttling import Throttle
from ingest_assets.api.problems import ApiProblem
from ingest_assets.config.settings import Settings


def throttle(limit: str) -> Throttle:
    return Throttle(Settings.model_validate({"INGEST_RATE_LIMIT": limit}).rate_limit)


def test_a_key_is_told_to_wait_and_another_is_not() -> None:
    limited = throttle("2/day")
    for who in ("ann", "ann", "ben"):
        limited.count(who)
    with pytest.raises(ApiProblem, match="2 per 1 day"):
        limited.count("ann")


def test_off_takes_the_limit_away_and_an_empty_value_is_the_default() -> None:
    unlimited, default = throttle("off"), throttle("")
    for _ in range(600):
        unlimited.count("ann")
        default.count("ann")
    unlimited.count("ann")
    with pytest.raises(ApiProblem, match="600 per 1 minute"):
        default.count("ann")
