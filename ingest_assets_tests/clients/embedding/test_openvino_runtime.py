"""Importing OpenVINO starts no thread and loads no telemetry."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import os, sys
from ingest_assets.clients.embedding.openvino_runtime import openvino
from memory_capped_launcher.linux import thread_count
assert openvino.Core().available_devices
assert thread_count() == 1, thread_count()
sent = [name for name in sys.modules if name.startswith("openvino_telemetry.")]
assert not sent, sent
"""


def test_importing_it_starts_no_thread_and_sends_nothing() -> None:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # numpy's own threads are another matter
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
