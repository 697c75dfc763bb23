"""The commands of docs/api.md give the answers that stand there, one after the other on one service."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from ingest_assets_tests.api.conftest import Served
from ingest_assets_tests.api.documented import answer_of, blocks, is_like

pytestmark = pytest.mark.slow
SECTIONS = ("Health", "Uploads", "Search", "Files", "Chunks")
"""In the order of the page; what a section has put into the service is there in the next."""


def test_each_command_is_answered_as_shown(served: Served, tmp_path: Path) -> None:
    environment, run = dict(os.environ), 0
    for section in SECTIONS:
        for command, shown in blocks(section):
            answer = answer_of(command, url=served.url, cwd=tmp_path, environment=environment)
            assert is_like(answer, shown), f"{section}: {command}\n{answer}\nshown:\n{shown}"
            run += 1
            if "/upload " in command:
                environment["JOB"] = re.findall(r'"job_id":"(\w+)"', answer)[0]
                served.ingest("ann:island:tides.md")
    assert run >= 8
