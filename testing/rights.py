"""Run Python code as a user whom the rights of files bind, also where the tests run as root."""

from __future__ import annotations

import os
import subprocess
import sys

_LOST = "-dac_override,-dac_read_search"


def bound_by_rights() -> list[str]:
    """Return the words to put before a command so that root's right to read everything is not in it."""
    return ["setpriv", "--bounding-set", _LOST, "--inh-caps", _LOST] if os.geteuid() == 0 else []


def run_bound_by_rights(code: str, *arguments: str) -> str:
    """Run code in a process of its own without root's right to read everything; return what it prints."""
    command = [*bound_by_rights(), sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
