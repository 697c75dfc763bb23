"""The commands of docs/api.md give the answers that stand there, one after the other on one service."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_assets_tests.api.conftest import Served

pytestmark = pytest.mark.slow
PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
SECTIONS = ("Health", "Uploads", "Search", "Files", "Chunks")
"""In the order of the page; what a section has put into the service is there in the next."""


def blocks(section: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a section with what stands below it: `$` begins a command, `…` is any text."""
    text = PAGE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    for block in re.findall(r"```\n(\$ .*?)\n```", text, re.DOTALL):
        for part in re.split(r"(?m)^\$ ", block)[1:]:
            command, answer = _split(part)
            yield command, answer


def _split(part: str) -> tuple[str, str]:
    """Separate a command, which goes on to where its quotes are closed, from what it prints."""
    lines = part.split("\n")
    for number in range(1, len(lines) + 1):
        command = "\n".join(lines[:number])
        heredoc = re.search(r"<<'(\w+)'", command)
        if command.count("'") % 2 == 0 and (heredoc is None or lines[number - 1] == heredoc[1]):
            return command, "\n".join(lines[number:])
    raise AssertionError(part)


def is_like(answer: str, shown: str) -> bool:
    pattern = ".*?".join(re.escape(piece.strip(" ")) for piece in shown.strip().split("…"))
    return re.fullmatch(pattern, answer.strip(), re.DOTALL) is not None


def test_each_command_is_answered_as_shown(served: Served, tmp_path: Path) -> None:
    environment, run = dict(os.environ), 0
    for section in SECTIONS:
        for command, shown in blocks(section):
            address = served.url.removeprefix("http://")
            command = command.replace("localhost:7860", address)
            done = subprocess.run(
                ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
            )
            assert is_like(done.stdout, shown), f"{section}: {command}\n{done.stdout}{done.stderr}\nshown:\n{shown}"
            run += 1
            if "/upload " in command:
                environment["JOB"] = re.findall(r'"job_id":"(\w+)"', done.stdout)[0]
                served.ingest("ann:island:tides.md")
    assert run >= 8
