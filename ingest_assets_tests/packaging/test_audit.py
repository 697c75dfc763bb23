"""Test what `make licences` and `make advisories` decide."""

from __future__ import annotations

import pytest

from testing.advisories import LOCK, entry_of
from testing.licences import allowed, needed_by


@pytest.mark.parametrize(
    "licence", ["MIT", "Apache-2.0 AND CNRI-Python", "LGPL-3.0-only", "GNU Lesser General Public License v3", "MPL-2.0"]
)
def test_permissive_licences_and_weak_copyleft_are_allowed(licence: str) -> None:
    assert allowed(licence)


@pytest.mark.parametrize(
    "licence",
    ["AGPL-3.0", "GNU General Public License v3 (GPLv3)", "Server Side Public License", "UNKNOWN", "MIT AND GPL-2.0"],
)
def test_licences_that_bind_those_who_ship_an_image_are_not(licence: str) -> None:
    assert not allowed(licence)


def test_a_run_needs_what_its_requirements_need_and_no_development_tools() -> None:
    needed = needed_by("ingest-assets")
    assert {"dagster", "memory-capped-launcher", "psycopg-binary", "urllib3"} <= needed
    assert needed.isdisjoint({"ruff", "pytest", "torch"})


def test_one_package_is_asked_about_by_its_lines_of_the_lock() -> None:
    lines = entry_of(LOCK.read_text(encoding="utf-8"), "urllib3").splitlines()
    assert lines[0].startswith("urllib3==")
    assert all(line.startswith("    --hash=sha256:") for line in lines[1:])
