"""Run the whole system on this host: the service, Dagster's daemon, its web server, and the process with the code.

`dagster dev` does less and holds more: it knows no service, no path below which its pages stand, and keeps Dagster
itself in memory to watch two processes (98 MB; this one has 27 MB).
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ingest_assets.cli.service.children import SystemPart
    from ingest_assets.config.settings import Settings

_DEFINITIONS, _LOCATION = "ingest_assets.definitions", "ingest_assets"
"""The names of workspace.yaml, so that the history is shared with Dagster's own commands."""


def up(
    reload: Annotated[
        bool, typer.Option("--reload", help="let Dagster's pages load changed code; costs 100 MB of memory")
    ] = False,
) -> None:
    """Run service, daemon and Dagster's web server together.

    The service listens where `ingest serve` does; Dagster's pages are at 127.0.0.1:DAGSTER_PORT, for this machine
    alone. Ctrl-C or a TERM signal ends everything, and so does the end of any part. The exit code is then that part's.
    """
    from ingest_assets.cli.service.children import Children, EndAsked, PartEnded
    from ingest_assets.config.home import prepare_home
    from ingest_assets.config.settings import load_settings

    settings = load_settings()
    prepare_home(settings)
    # A path of a socket has 107 characters at most, and a home may lie deeper.
    with tempfile.TemporaryDirectory(prefix="ingest-") as folder, suppress(EndAsked):
        code_socket = Path(folder) / "code"
        workspace = Path(folder) / "workspace.yaml"
        server = {"socket": str(code_socket), "location_name": _LOCATION}
        workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}), encoding="utf-8")
        try:
            with Children() as children:
                children.run(_ingest("prepare"))
                children.start(_ingest("serve"))
                log_as = ("--log-format", "json" if settings.log_format == "json" else "colored")
                code = _code_server(code_socket, reload=reload, log_as=log_as)
                children.start(code, is_up=lambda: _is_listening(code_socket))
                children.start(_daemon(workspace, log_as))
                children.start(_web_server(workspace, settings, log_as))
                typer.echo(f"Dagster's pages are at http://127.0.0.1:{settings.dagster_port}", err=True)
                children.watch()
        except PartEnded as error:
            typer.echo(f"{error}; everything was ended", err=True)
            raise typer.Exit(error.exit_code) from None


def _ingest(command: str) -> SystemPart:
    from ingest_assets.cli.service.children import SystemPart

    return SystemPart(f"`ingest {command}`", (sys.executable, sys.argv[0], command))


def _code_server(code_socket: Path, *, reload: bool, log_as: tuple[str, str]) -> SystemPart:
    from ingest_assets.cli.service.children import SystemPart

    command = ("code-server", "start") if reload else ("api", "grpc")
    return SystemPart(
        "the process with the code",
        (
            *(sys.executable, "-m", "dagster", *command, "--socket", str(code_socket)),
            *("--module-name", _DEFINITIONS, "--location-name", _LOCATION, "--log-level", "warning", *log_as),
            "--use-python-environment-entry-point",
        ),
        ends_last=True,
    )


def _daemon(workspace: Path, log_as: tuple[str, str]) -> SystemPart:
    from ingest_assets.cli.service.children import SystemPart

    return SystemPart(
        "the daemon", (sys.executable, "-m", "dagster._daemon", "run", "--workspace", str(workspace), *log_as)
    )


def _web_server(workspace: Path, settings: Settings, log_as: tuple[str, str]) -> SystemPart:
    from ingest_assets.cli.service.children import SystemPart

    return SystemPart(
        "Dagster's web server",
        (
            *(sys.executable, "-m", "dagster_webserver", "--workspace", str(workspace)),
            *("--host", "127.0.0.1", "--port", str(settings.dagster_port)),
            *("--path-prefix", f"{settings.root_path}/dagster", *log_as),
        ),
    )


def _is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
