"""Test which limits a run gets from its tags, the configuration and the host."""

from __future__ import annotations

import pytest

from memory_capped_launcher.errors import LauncherConfigError
from memory_capped_launcher.limits import MEMORY_TAG, TIMEOUT_TAG, LauncherConfig, limits_for


def test_without_settings_a_run_may_have_what_the_stack_leaves() -> None:
    assert limits_for({}, config=LauncherConfig(), host_mb=4000).cap_mb == 2800


def test_runs_side_by_side_share_what_the_stack_leaves() -> None:
    assert limits_for({}, config=LauncherConfig(max_parallel=2), host_mb=4000).cap_mb == 1400


@pytest.mark.parametrize(("asked", "granted"), [("500", 500), ("1500", 1500), ("9000", 2000)])
def test_a_tag_lowers_or_raises_the_cap_up_to_the_ceiling(asked: str, granted: int) -> None:
    config = LauncherConfig(memory_limit_mb=1000, memory_ceiling_mb=2000)
    assert limits_for({MEMORY_TAG: asked}, config=config, host_mb=4000).cap_mb == granted


def test_a_cap_is_never_more_than_the_host_has_and_says_so() -> None:
    limits = limits_for({}, config=LauncherConfig(memory_limit_mb=64000), host_mb=4000)
    assert limits.cap_mb == 2800
    assert "64000 MB were asked for; 2800 MB is the most" in limits.notes


def test_a_tag_sets_the_time_limit() -> None:
    config = LauncherConfig(timeout_s=60)
    assert limits_for({}, config=config, host_mb=4000).timeout_s == 60
    assert limits_for({TIMEOUT_TAG: "5.5"}, config=config, host_mb=4000).timeout_s == 5.5


@pytest.mark.parametrize("value", ["much", "", "-1", "0", "nan", "inf"])
@pytest.mark.parametrize("tag", [MEMORY_TAG, TIMEOUT_TAG])
def test_a_tag_that_is_no_number_is_named(tag: str, value: str) -> None:
    with pytest.raises(LauncherConfigError, match=tag):
        limits_for({tag: value}, config=LauncherConfig(), host_mb=4000)


def test_a_cap_below_what_an_empty_run_needs_is_refused() -> None:
    with pytest.raises(LauncherConfigError, match="20 MB is below the 96 MB"):
        limits_for({MEMORY_TAG: "20"}, config=LauncherConfig(), host_mb=4000)


def test_a_host_that_is_too_small_says_which_setting_to_lower() -> None:
    with pytest.raises(LauncherConfigError, match="lower reserve_mb"):
        limits_for({}, config=LauncherConfig(), host_mb=1024)
