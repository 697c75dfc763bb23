"""Run `ingest up` as an operator does, for the tests of sensors, backfills and turns."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ingest_assets.config.home import prepare_home
from ingest_assets.config.settings import INSTANCE_DB, Settings
from ingest_assets.file_ids import file_id_of
from ingest_assets.ledger_records import FileRecord, State
from ingest_assets.project import Project as Parts
from ingest_assets_tests.conftest import ROOT
from testing.polling import PolledLedger, until
from testing.quick_daemon import hasten
from testing.servers import free_port

BIN = Path(sys.executable).parent


class Stack:
    """A running `ingest up` with its home."""

    def __init__(self, home: Path, model_cache: Path, **settings: str) -> None:
        port, service_port = free_port(), free_port()
        self.home, self.url = home, f"http://127.0.0.1:{port}/dagster"
        self.service_url = f"http://127.0.0.1:{service_port}"
        self.bucket = home / "bucket" / "ann" / "p"
        self.bucket.mkdir(parents=True)
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
            "DAGSTER_HOME": str(home),
            "INGEST_MODEL_CACHE": str(model_cache),
            "INGEST_SETTLE_S": "1",
            "INGEST_DELETE_GRACE_S": "1",
            "INGESTION_PORT": str(service_port),
            "DAGSTER_PORT": str(port),
            **settings,
        }
        here = {"DAGSTER_HOME": home, "INGEST_MODEL_CACHE": model_cache, **settings}
        self.parts = Parts(Settings.model_validate(here))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DAGSTER_HOME", str(home))
            prepare_home(self.parts.settings)
        hasten(home)
        self._polled = PolledLedger(self.parts)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/server_info", timeout=2) as answer:
                return bool(json.load(answer)["dagster_version"])
        except (urllib.error.URLError, OSError):
            return False

    def record(self, name: str) -> FileRecord | None:
        return self.record_of(f"ann:p:{name}")

    def record_of(self, file_id: str) -> FileRecord | None:
        """Return a file's entry in the ledger. What polls for it must not take half of the machine."""
        return self._polled.record(file_id)

    def ended(self, name: str, state: State, *, generation: int = 1) -> bool:
        record = self.record(name)
        return record is not None and record.state is state and record.generation >= generation

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """The instance, opened once: to open it at each look would cost a third of a second of processor time."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(INSTANCE_DB, self.environment.get(INSTANCE_DB, ""))
            return dg.DagsterInstance.from_config(str(self.home))

    def put(self, name: str, text: str, *, user: str = "ann") -> str:
        """Put a file into the user's project p; return its partition key."""
        folder = self.home / "bucket" / user / "p"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        return file_id_of(f"{user}/p/{name}")

    def ingest(self, *words: str) -> Any:
        """Run a command of `ingest` and return what a program reads."""
        done = subprocess.run(
            [str(BIN / "ingest"), *words, "--json"],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        return json.loads(done.stdout)

    def graphql(self, query: str, **variables: object) -> Any:
        """Ask the web server as the UI does."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["data"]


@contextmanager
def running_stack(home: Path, model_cache: Path, **settings: str) -> Iterator[Stack]:
    """Run the service, the daemon, the web server and the code server on a new home."""
    stack = Stack(home, model_cache, **settings)
    with (stack.home / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [str(BIN / "ingest"), "up"], cwd=ROOT, env=stack.environment, stdout=log, stderr=log, start_new_session=True
        )

    def is_up() -> bool:
        assert process.poll() is None, f"it ended:\n{(stack.home / 'up.log').read_text()[-2000:]}"
        return stack.answers()

    try:
        until(is_up, what="the web server answers")
        yield stack
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        stack.instance.dispose()
        stack.parts.close()
