"""Call the command line on a home of its own, as a person or a program does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

INGEST = Path(sys.executable).with_name("ingest")
OWNER = ("--user", "ann", "--project", "p")


class Home:
    """A home of its own for `ingest`."""

    def __init__(self, folder: Path, model_cache: Path) -> None:
        self.folder = folder
        self.by: list[str] = []
        """Words before each command, such as `setpriv`."""
        self.environment = {
            **os.environ,
            "DAGSTER_HOME": str(folder / "home"),
            "INGEST_MODEL_CACHE": str(model_cache),
            "COLUMNS": "200",
        }

    def run(self, *words: str, code: int = 0, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end and expect this exit code."""
        done = subprocess.run(
            [*self.by, str(INGEST), *words],
            env={**self.environment, **settings},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def __call__(self, *words: str, code: int = 0, **settings: str) -> str:
        """Return what a person reads: the output, and after a failure the errors behind it."""
        done = self.run(*words, code=code, **settings)
        return done.stdout + done.stderr if code else done.stdout

    def json(self, *words: str, code: int = 0, **settings: str) -> Any:
        """Return what a program reads."""
        return json.loads(self.run(*words, "--json", code=code, **settings).stdout)

    def file(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)
