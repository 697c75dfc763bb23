"""Run the whole system on this host: the service, Dagster's daemon, its web server, and the process with the code.

`dagster dev` does less and holds more: it knows no service, no path below which its pages stand, and keeps Dagster
itself in memory to watch two processes (98 MB; this one has 27 MB).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ingest_assets.cli.service.children import Children, SystemPart


def up(
    reload: Annotated[
        bool, typer.Option("--reload", help="let Dagster's pages load changed code; costs 100 MB of memory")
    ] = False,
) -> None:
    """Run service, daemon and Dagster's web server together.

    The service listens where `ingest serve` does; Dagster's pages are at 127.0.0.1:DAGSTER_PORT, for this machine
    alone. Ctrl-C or a TERM signal ends everything, and so does the end of any part. The exit code is then that part's.
    """
    from ingest_assets.cli.service.dagster_parts import dagster_parts
    from ingest_assets.config.home import prepare_home
    from ingest_assets.config.settings import load_settings

    settings = load_settings()
    prepare_home(settings)
    with dagster_parts(settings) as parts, _children() as children:
        children.run(_ingest("prepare"))
        children.start(_ingest("serve"))
        parts.start_code_server(children, reload=reload)
        children.start(parts.daemon)
        children.start(parts.web_server(settings))
        typer.echo(f"Dagster's pages are at http://127.0.0.1:{settings.dagster_port}", err=True)
        children.watch()


def daemon() -> None:
    """Run Dagster's daemon without the other parts.

    The code that the daemon calls runs beside it. The command needs less of the processor than `dagster-daemon run`,
    which loads the code anew every minute. Ctrl-C or a TERM signal ends it.
    """
    from ingest_assets.cli.service.dagster_parts import dagster_parts
    from ingest_assets.config.home import prepare_home
    from ingest_assets.config.settings import load_settings

    settings = load_settings()
    prepare_home(settings)
    with dagster_parts(settings) as parts, _children() as children:
        parts.start_code_server(children)
        children.start(parts.daemon)
        children.watch()


@contextmanager
def _children() -> Iterator[Children]:
    """Yield what runs the parts; it ends them with the block. Leave with the exit code of one that ended by itself."""
    from ingest_assets.cli.service.children import Children, EndAsked, PartEnded

    try:
        with Children() as children:
            yield children
    except EndAsked:
        pass
    except PartEnded as error:
        typer.echo(f"{error}; everything was ended", err=True)
        raise typer.Exit(error.exit_code) from None


def _ingest(command: str) -> SystemPart:
    from ingest_assets.cli.service.children import SystemPart

    return SystemPart(f"`ingest {command}`", (sys.executable, sys.argv[0], command))
