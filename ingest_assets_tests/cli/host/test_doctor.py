"""Test `ingest doctor`: the report from plain data, and the command on real homes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest_assets.cli.host.doctor import HostReport, LearntWindow, report_of, show_report
from ingest_assets_tests.conftest import ROOT
from memory_capped_launcher.host.plan import plan_for
from memory_capped_launcher_tests.host.test_plan import FOUND


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A width at which no line of the report is broken."""
    monkeypatch.setenv("COLUMNS", "200")


def a_report(**otherwise: Any) -> HostReport:
    ordinary: dict[str, Any] = {"window_parts": 16, "disk_free_mb": 5000, "changed": [], "windows": ()}
    return report_of(plan_for(FOUND), home=Path("home"), **ordinary | otherwise)


def printed(report: HostReport, capsys: pytest.CaptureFixture[str]) -> str:
    show_report(report, as_json=False)
    return capsys.readouterr().out


@pytest.mark.parametrize(("parts", "sizes"), [(16, [16, 8, 4, 2, 1]), (10, [10, 5, 2, 1]), (1, [1])])
def test_windows_are_halved_down_to_one_part(parts: int, sizes: list[int]) -> None:
    assert a_report(window_parts=parts).window_sizes == sizes


def test_what_was_learnt_about_windows_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    seen = LearntWindow(media_type="application/pdf", files=7, highest_peak_mb=850.0, first_window=8)
    said = printed(a_report(windows=[seen]), capsys)
    assert "application/pdf: 7 files, at most 850 MB; the next starts with 8" in said


def test_a_disk_that_is_nearly_full_is_a_problem() -> None:
    assert a_report(disk_free_mb=1024).problems == []
    (problem,) = a_report(disk_free_mb=1023).problems
    assert "1023 MB of disk space left" in problem.what


def test_blip_without_weights_is_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    report = a_report(missing_blip="Salesforce/blip-image-captioning-base")
    (problem,) = report.problems
    assert "Salesforce/blip-image-captioning-base is not on this machine" in problem.what
    assert "INGEST_CAPTIONS=auto" in printed(report, capsys)


def test_a_cap_that_does_not_hold_blip_is_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    assert "described by BLIP: a run needs a cap of 100 MB" in printed(a_report(blip_mb=100), capsys)
    assert a_report(blip_mb=100).problems == []
    (problem,) = a_report(blip_mb=100_000).problems
    assert "pictures are only read" in problem.what
    assert "INGEST_CAPTIONS=ocr" in problem.todo


@pytest.mark.parametrize(
    ("changed", "word"), [([], ""), (["run_launcher"], "in: run_launcher"), (None, "ingest prepare")]
)
def test_a_file_that_is_not_the_shipped_one_is_worth_a_note(changed: list[str] | None, word: str) -> None:
    said = a_report(changed=changed)
    assert word in "".join(said.notes)
    assert bool(said.notes) is bool(word)
    assert said.problems == []


def test_a_report_ends_with_its_problems(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(a_report(), capsys).endswith("\nno problems\n")
    wrong = replace(FOUND, orphaned=["r1"])
    lines = printed(replace(a_report(), problems=plan_for(wrong).problems), capsys).splitlines()
    assert lines[-3].startswith("problem    the supervisors of 1 run(s) died")
    assert lines[-2].startswith("           → start the daemon")
    assert lines[-1] == "1 problem(s)"


def doctor(home: Path, *words: str, code: int, **settings: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ingest")), "doctor", *words],
        env={**os.environ, "DAGSTER_HOME": str(home), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    shutil.copyfile(ROOT / "dagster.yaml", tmp_path / "dagster.yaml")
    (tmp_path / "bucket").mkdir()
    return tmp_path


@pytest.mark.slow
def test_the_shipped_settings_are_in_order_and_looking_changes_nothing(home: Path) -> None:
    said = json.loads(doctor(home, "--json", code=0))
    assert said["problems"] == said["notes"] == []
    assert said["plan"]["caps"]["at_once"] == 1
    assert said["plan"]["caps"]["timeout_s"] == 7000
    assert said["plan"]["host"]["total_mb"] > said["plan"]["caps"]["cap_mb"]
    assert sorted(path.name for path in home.iterdir()) == ["bucket", "dagster.yaml"]


@pytest.mark.slow
def test_a_person_reads_every_part_of_the_plan(home: Path) -> None:
    heads = [line.split("  ")[0] for line in doctor(home, code=0).splitlines() if not line.startswith(" ")]
    assert heads == ["host", "disk", "stack", "cap", "at once", "windows", "launcher", "no problems"]


@pytest.mark.slow
def test_a_home_without_the_launcher_is_a_problem_and_stays_without(tmp_path: Path) -> None:
    said = doctor(tmp_path / "new", code=1)
    assert "run_launcher: {module: memory_capped_launcher.run_launcher" in said
    assert "`ingest prepare`" in said
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_cap_in_which_no_run_fits_is_a_wrong_setting(home: Path) -> None:
    path = home / "dagster.yaml"
    path.write_text(path.read_text().replace("    timeout_s: 7000.0", "    memory_limit_mb: 20"))
    said = doctor(home, code=2)
    assert "below the 96 MB" in said
    assert "differs from the shipped one in: run_launcher" in said


@pytest.mark.slow
def test_a_wrong_environment_is_a_wrong_setting(home: Path) -> None:
    assert "INGEST_WINDOW" in doctor(home, code=2, INGEST_WINDOW="many")
