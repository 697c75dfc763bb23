"""Test that a backup which is made while files arrive can be used elsewhere, and that nothing is missing then."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ingest_assets_tests.cli.command_line import INGEST, OWNER, Home

pytestmark = pytest.mark.slow
NAMES = tuple(f"page-{number}.md" for number in range(2))
MOST = 3
"""Backups that are made while the files arrive; the last of them is used."""


@pytest.mark.timeout(300)
def test_a_backup_made_while_files_arrive_is_whole_elsewhere(tmp_path: Path, model_cache: Path) -> None:
    home = Home(tmp_path / "here", model_cache)
    home("add", home.file("tides.md", "# Tides\n\nThe tide table hangs beside the boathouse door.\n"), *OWNER)
    home("keys", "add", "ann", "--note", "kept")
    files = [home.file(name, f"# {name}\n\nThe boat leaves at {name}.\n") for name in NAMES]
    arriving = subprocess.Popen(
        [str(INGEST), "add", *files, *OWNER],
        env=home.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    backups: list[Path] = []
    try:
        while arriving.poll() is None and len(backups) < MOST:
            backups.append(tmp_path / f"backup-{len(backups)}")
            assert home.json("backup", str(backups[-1]))["left_out"] == []
    finally:
        arriving.wait()
    assert arriving.returncode == 0
    assert home.run("backup", str(backups[0]), code=2).stderr.startswith(str(backups[0]))
    backup = backups[-1]
    elsewhere = Home(tmp_path / "nowhere", model_cache)
    elsewhere.environment["DAGSTER_HOME"] = str(backup)
    elsewhere("prepare")
    elsewhere("work")
    elsewhere("validate")
    kept = {path.name for path in (backup / "bucket/ann/p").iterdir() if not path.name.startswith(".")}
    assert {row["filename"] for row in elsewhere.json("files", "--user", "ann")} == kept >= {"tides.md"}
    assert "boathouse" in elsewhere("search", "Where is the tide table?", *OWNER, "-k", "1")
    assert [key["note"] for key in elsewhere.json("keys", "list")] == ["kept"]
