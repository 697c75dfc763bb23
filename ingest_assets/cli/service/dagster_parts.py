"""Say how Dagster's processes are started: the one with the code, the daemon and the web server.

A daemon that is given a module loads it in a code server of its own, which it starts anew every minute: five seconds of
processor time each, after which the launcher's warm process is out of date too (`check_workspace_freshness` in
`dagster/_daemon/controller.py`, 1.13). A code server that runs beside it is loaded once.
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.cli.service.children import Children, SystemPart

if TYPE_CHECKING:
    from ingest_assets.config.settings import Settings

_DEFINITIONS, _LOCATION = "ingest_assets.definitions", "ingest_assets"
"""The names of workspace.yaml, so that the history is shared with Dagster's own commands."""


@dataclass(frozen=True, slots=True)
class DagsterParts:
    """Dagster's processes on one host, which share one code server."""

    folder: Path
    """Where the code server has its socket. The path of a socket has at most 107 characters; a home may lie deeper."""
    log_as: tuple[str, str]

    def start_code_server(self, children: Children, *, reload: bool = False) -> None:
        """Start the process with the code and wait until it listens."""
        server = {"socket": str(self._code_socket), "location_name": _LOCATION}
        self._workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}), encoding="utf-8")
        command = ("code-server", "start") if reload else ("api", "grpc")
        part = SystemPart(
            "the process with the code",
            (
                *(sys.executable, "-m", "dagster", *command, "--socket", str(self._code_socket)),
                *("--module-name", _DEFINITIONS, "--location-name", _LOCATION, "--log-level", "warning", *self.log_as),
                "--use-python-environment-entry-point",
            ),
            ends_last=True,
        )
        children.start(part, is_up=self._code_server_listens)

    @property
    def daemon(self) -> SystemPart:
        """The daemon."""
        command = (sys.executable, "-m", "dagster._daemon", "run", "--workspace", str(self._workspace), *self.log_as)
        return SystemPart("the daemon", command)

    def web_server(self, settings: Settings) -> SystemPart:
        """Return Dagster's web server, for this machine alone."""
        return SystemPart(
            "Dagster's web server",
            (
                *(sys.executable, "-m", "dagster_webserver", "--workspace", str(self._workspace)),
                *("--host", "127.0.0.1", "--port", str(settings.dagster_port)),
                *("--path-prefix", f"{settings.root_path}/dagster", *self.log_as),
            ),
        )

    @property
    def _code_socket(self) -> Path:
        return self.folder / "code"

    @property
    def _workspace(self) -> Path:
        return self.folder / "workspace.yaml"

    def _code_server_listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._code_socket)) == 0


@contextmanager
def dagster_parts(settings: Settings) -> Iterator[DagsterParts]:
    """Yield Dagster's processes, to be started within the block."""
    with tempfile.TemporaryDirectory(prefix="ingest-") as folder:
        yield DagsterParts(Path(folder), ("--log-format", "json" if settings.log_format == "json" else "colored"))
