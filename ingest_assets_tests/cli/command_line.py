"""Call the command line on a home of its own, as a person or a program does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testing.forked_commands import run_forked

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

    def copy_to(self, folder: Path) -> Home:
        """Return a copy of this home in which nothing runs. A bucket in it holds the same files with newer versions."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("launcher"), dirs_exist_ok=True)
        copy = Home(folder, Path(self.environment["INGEST_MODEL_CACHE"]))
        copy.environment |= {name: value for name, value in self.environment.items() if name != "DAGSTER_HOME"}
        return copy

    def run(
        self, *words: str, code: int = 0, settings: Mapping[str, str] | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end and expect this exit code; settings are given by name or as a mapping."""
        environment = {**self.environment, **(settings or {}), **more}
        if self.by:
            command = [*self.by, str(INGEST), *words]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        else:
            done = run_forked(words, environment=environment)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def __call__(self, *words: str, code: int = 0, settings: Mapping[str, str] | None = None, **more: str) -> str:
        """Return what a person reads: the output, and after a failure the errors behind it."""
        done = self.run(*words, code=code, settings=settings, **more)
        return done.stdout + done.stderr if code else done.stdout

    def json(self, *words: str, code: int = 0, settings: Mapping[str, str] | None = None, **more: str) -> Any:
        """Return what a program reads."""
        return json.loads(self.run(*words, "--json", code=code, settings=settings, **more).stdout)

    def file(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)
