"""An adoption that is killed leaves whole documents, and goes on where it was."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.adoption.killed_adoption import TEXTS
from ingest_assets_tests.conftest import ROOT


@pytest.mark.slow
def test_killed_in_a_document_it_leaves_whole_ones_and_goes_on(tmp_path: Path) -> None:
    ends, there = [], []
    for call in (2, 2, 4, 0):  # each document takes two calls: 256 texts, then 44
        command = [sys.executable, "-m", "ingest_assets_tests.adoption.killed_adoption", str(tmp_path), str(call)]
        ends.append(subprocess.run(command, cwd=ROOT, check=False, timeout=300).returncode)
        store = ChromaStore(str(tmp_path / "store"))
        store.prepare()
        records = store.files()
        for record in records:
            texts = [chunk.text for chunk in store.chunks(record.file_id, limit=1000)]
            assert texts == TEXTS[record.filename]
        there.append(len(records))
        store.close()
    assert ends == [-signal.SIGKILL, -signal.SIGKILL, -signal.SIGKILL, 0]
    assert there == [0, 0, 1, 3]
