"""OpenVINO, imported so that it tells nobody and starts no thread.

`import openvino` (2026.4) sends an event to Google Analytics through `openvino_telemetry`, from a thread of its own,
unless its user has opted out by a file in his home. Without that package it does neither, and falls back by itself
(`openvino/tools/ovc/telemetry_utils.py`). A process with one thread may fork: runs find OpenVINO imported already.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # importing it is an ImportError now

import openvino as openvino  # noqa: E402 - only now
