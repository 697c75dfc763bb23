"""Run the project on a bucket of a real S3 whose events arrive in a queue: home, daemon, and the listener if wanted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ingest_assets.config.settings import Settings
from ingest_assets.ledger_records import FileRecord
from ingest_assets.project import Project
from testing.object_storage import S3Server
from testing.polling import PolledLedger

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
_STOP_S = 30.0


@dataclass
class WatchedBucket:
    """A bucket of S3 with its events, and a home of its own."""

    server: S3Server
    home: Path
    model_cache: Path
    prefix: str = "docs/"
    bucket: str = ""
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bucket = self.server.new_bucket()
        sqs = self.server.client("sqs")
        made = sqs.create_queue(QueueName=f"{self.bucket}-events")["QueueUrl"]
        self.queue_url = f"{self.server.url}/{made.split('/', 3)[3]}"
        arn = sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
        self.s3.put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration={"QueueConfigurations": [events]}
        )

    @cached_property
    def s3(self) -> Any:
        """A client of the bucket's server."""
        return self.server.client()

    @property
    def environment(self) -> dict[str, str]:
        """What every process of the project has in its environment."""
        return {
            **os.environ,
            **self.server.environment,
            "DAGSTER_HOME": str(self.home),
            "INGEST_MODEL_CACHE": str(self.model_cache),
            "INGEST_BUCKET": f"s3://{self.bucket}/{self.prefix}",
            "INGEST_EVENTS_QUEUE": self.queue_url,
            "COLUMNS": "200",
            **self.settings,
        }

    @cached_property
    def project(self) -> Project:
        """The project, as this process sees it."""
        os.environ.update(self.server.environment)
        values = {name: value for name, value in self.environment.items() if value}
        return Project(Settings.model_validate(values), prepares=False)

    def ingest(self, *words: str, code: int = 0) -> str:
        """Run a command of `ingest` to its end."""
        done = subprocess.run(
            [str(BIN / "ingest"), *words],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def put(self, name: str, text: str) -> None:
        """Upload a file of ann's project p."""
        self.s3.put_object(Bucket=self.bucket, Key=f"{self.prefix}ann/p/{name}", Body=text.encode())

    def remove(self, name: str) -> None:
        """Delete a file of ann's project p."""
        self.s3.delete_object(Bucket=self.bucket, Key=f"{self.prefix}ann/p/{name}")

    def record(self, name: str) -> FileRecord | None:
        """Return the file's entry in the ledger."""
        return self._polled.record(f"ann:p:{name}")

    @cached_property
    def _polled(self) -> PolledLedger:
        return PolledLedger(self.project)

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run `ingest daemon` until the block ends."""
        with self._process("daemon", [str(BIN / "ingest"), "daemon"]) as run:
            yield run

    @contextmanager
    def listener(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run `ingest listen` until the block ends."""
        with self._process("listener", [str(BIN / "ingest"), "listen"]) as run:
            yield run

    def log(self, name: str) -> str:
        """Return what a process has written."""
        path = self.home / f"{name}.log"
        return path.read_text() if path.exists() else ""

    @contextmanager
    def _process(self, name: str, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    status: Mapping[str, str] = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    return int(status["VmRSS"].split()[0]) / 1000
