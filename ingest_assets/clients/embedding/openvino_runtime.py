"""Import OpenVINO without its telemetry, so that it sends nothing and starts no thread.

`import openvino` (2026.4) sends an event to Google Analytics through the package `openvino_telemetry`, from a thread,
unless the user has a file in his home folder that forbids it. Without that package it sends nothing
(`openvino/tools/ovc/telemetry_utils.py`). Only a process with one thread may fork; the warm process, which imports
OpenVINO once for all runs, depends on that.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: importing it raises ImportError

import openvino as openvino  # noqa: E402 - after the line above
