"""Test what the command line says to its arguments, before it loads anything heavy."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import typer.main

from ingest_assets.cli.main import app, main
from ingest_assets_tests.cli.command_line import INGEST

HEAVY = {"dagster", "chromadb", "numpy", "openvino", "pydantic", "rich"}
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]  # a group of click


Ingest = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ingest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ingest:
    """The command line in this process and an empty folder: its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("DAGSTER_HOME", "")

    def call(*words: str, **variables: str) -> tuple[int, str, str]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["ingest", *words])
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr()
        return int(left.value.code or 0), told.out, told.err

    return call


@pytest.mark.parametrize("words", [["--help"], ["search", "-h"], ["--version"], ["serch"], ["add", "-u"]])
def test_help_and_wrong_usage_load_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys; from ingest_assets.cli.main import main; sys.argv = ['ingest', *sys.argv[1:]]\n"
        f"try: main()\nfinally: print('HEAVY', sorted({HEAVY!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60, check=False)
    assert "HEAVY []" in done.stdout, done.stdout


def test_help_shows_every_command_with_its_whole_summary(ingest: Ingest) -> None:
    _, help_text, _ = ingest("--help")
    for command in COMMANDS:
        (line,) = [line for line in help_text.splitlines() if line.startswith(f"  {command} ")]
        assert line.endswith("."), line
        assert not line.endswith("..."), line
        assert len(line) <= 80


def test_the_version_is_told(ingest: Ingest) -> None:
    assert ingest("--version") == (0, f"ingest-assets {version('ingest-assets')}\n", "")


def test_a_mistyped_command_is_guessed_once(ingest: Ingest) -> None:
    code, _, errors = ingest("serch")
    assert code == 2
    assert errors.count("search") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_an_argument_that_is_not_utf_8_is_wrong_usage(command: str, ingest: Ingest) -> None:
    code, output, errors = ingest(command, os.fsdecode(b"\xff\xfe"), "-u", "t", "-p", "p")
    assert (code, output) == (2, "")
    assert "is not valid UTF-8" in errors


def test_bytes_of_a_shell_that_are_not_utf_8_are_wrong_usage() -> None:
    done = subprocess.run([INGEST, "search", b"\xff\xfe"], capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    assert b"is not valid UTF-8" in done.stderr


def test_the_shell_completes_commands() -> None:
    environment = {**os.environ, "_INGEST_COMPLETE": "complete_bash", "COMP_WORDS": "ingest sta", "COMP_CWORD": "1"}
    done = subprocess.run([INGEST], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["status"]


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["files"],
        ["chunks", "a/b/c"],
        ["search", "x", "-u", "a", "-p", "b"],
        ["validate"],
        ["remove", "a/b/c"],
    ],
)
def test_a_folder_without_a_home_stays_without(words: list[str], ingest: Ingest, tmp_path: Path) -> None:
    code, output, errors = ingest(*words)
    assert (code, output) == (2, "")
    assert "there is no home at" in errors
    assert "ingest prepare" in errors
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_not_there_is_not_made(ingest: Ingest, tmp_path: Path) -> None:
    question = ("search", "x", "-u", "a", "-p", "b")
    code, output, errors = ingest(*question, DAGSTER_HOME=str(tmp_path), INGEST_CHROMA=str(tmp_path / "deep/no"))
    assert (code, output) == (2, "")
    assert "there is no store in" in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("owner", [["-u", "a/b", "-p", "p"], ["-u", "", "-p", "p"], ["-u", "..", "-p", "p"]])
def test_an_owner_that_cannot_be_is_wrong_usage(owner: list[str], ingest: Ingest, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    assert ingest("add", "a.txt", *owner, DAGSTER_HOME=str(tmp_path / "home"))[0] == 2
    assert not (tmp_path / "home").exists()
