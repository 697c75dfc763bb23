"""Check that requirements.lock can be trusted and published: pins and hashes, no addresses, all that a run needs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENTRY = re.compile(
    r"^(?P<name>[a-z0-9.-]+)==(?P<version>[^ ]+) .*\\\n(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}.*\n)+)", re.M
)
WITHOUT_A_HASH = {"torch", "memory-capped-launcher"}  # its builds differ (Makefile); ours


def pinned() -> dict[str, list[str]]:
    """Return the versions of each package that the lock names; two where they depend on Python's version."""
    versions: dict[str, list[str]] = {}
    for entry in ENTRY.finditer(LOCK):
        versions.setdefault(canonicalize_name(entry["name"]), []).append(entry["version"])
    return versions


def test_every_line_of_the_lock_is_a_pin_with_hashes_or_a_comment() -> None:
    left = [line for line in ENTRY.sub("", LOCK).splitlines() if line and not line.lstrip().startswith("#")]
    assert left == []


def test_the_lock_names_no_address_and_no_path() -> None:
    assert re.findall(r"[a-z]+://\S+|^-.*|(?<![\w.])/[a-z]\S*", LOCK, re.M) == []


def test_the_lock_fits_every_requirement_of_the_projects() -> None:
    versions = pinned()
    for path in (ROOT / "pyproject.toml", ROOT / "memory_capped_launcher/pyproject.toml"):
        project = tomllib.loads(path.read_text(encoding="utf-8"))
        groups = [
            project["project"]["dependencies"],
            *project["project"].get("optional-dependencies", {}).values(),
            *project.get("dependency-groups", {}).values(),
        ]
        for text in (text for group in groups for text in group):
            requirement = Requirement(text)
            name = canonicalize_name(requirement.name)
            if name not in WITHOUT_A_HASH:
                assert any(requirement.specifier.contains(version) for version in versions.get(name, [])), text


def test_both_distributions_carry_the_licence_that_they_name() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert (ROOT / "memory_capped_launcher/LICENSE").read_text(encoding="utf-8") == text


def test_the_settings_of_dagster_at_the_top_are_the_packaged_ones() -> None:
    assert (ROOT / "dagster.yaml").resolve() == ROOT / "ingest_assets/config/dagster.yaml"
