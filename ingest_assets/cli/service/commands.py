"""Declare the commands of the HTTP service: serve, mcp, and keys with add, list and revoke; `up` is in `up.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ingest_assets.cli.options import EXIT_PROBLEM, JsonOption
from ingest_assets.cli.service.up import daemon, up

if TYPE_CHECKING:
    from ingest_assets.api.admission.keys import Keys

keys_app = typer.Typer(
    name="keys", help="Make, list and revoke the keys of the HTTP service.", no_args_is_help=True, rich_markup_mode=None
)


@dataclass(frozen=True, slots=True)
class KeyReport:
    """What programs read of a key."""

    key_id: str
    role: str
    scopes: list[str]
    note: str
    made: str
    """UTC, ISO 8601; empty for a key of the settings."""
    expires: str
    """UTC, ISO 8601; empty if it never expires."""
    state: str
    """in force, expired or revoked."""


def serve() -> None:
    """Answer HTTP requests, and show the page for people.

    Its address and port are settings (INGEST_ADDRESS, INGESTION_PORT). Ctrl-C or a TERM signal ends it; uploads that
    were begun get 30 seconds to finish. Without any key it answers this machine alone: see `ingest keys add`.
    """
    from ingest_assets.api.serving import serve as run
    from ingest_assets.config.home import prepare_home
    from ingest_assets.config.settings import load_settings

    settings = load_settings()
    prepare_home(settings)

    def started(host: str, port: int) -> None:
        typer.echo(f"the service answers at http://{host}:{port}", err=True)
        if settings.open_to:
            typer.echo(f"INGEST_OPEN_TO: {settings.open_to} may read and write everything without a key", err=True)

    run(settings, started_at=started)


def mcp(
    user: Annotated[str, typer.Option("--user", "-u", metavar="USER", help="owner, where a call names none")] = "",
    project: Annotated[
        str, typer.Option("--project", "-p", metavar="PROJECT", help="the owner's project, likewise")
    ] = "",
    http: Annotated[bool, typer.Option("--http", help="answer over HTTP, at /mcp, each caller by its own key")] = False,
    address: Annotated[str, typer.Option(help="--http: address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="--http: port")] = 7861,
) -> None:
    """Let assistants search, read and list, as a server of MCP.

    It asks the service (INGEST_SERVICE_URL) under the key INGEST_API_KEY, over standard input and output of the
    assistant that starts it; or, with --http, under the key that each request brings. Needs ingest-assets[mcp].
    """
    from ingest_assets.config.settings import load_settings
    from ingest_assets.integrations.mcp_server import AssistantTools, run_http, run_stdio

    settings = load_settings()
    url = settings.service_url or f"http://127.0.0.1:{settings.port}"
    key = None if http else settings.api_key.get_secret_value()
    tools = AssistantTools(url, key=key, user_id=user, project_id=project)
    if http:
        greeting = f"the MCP server answers at http://{address}:{port}/mcp"
        run_http(tools, address=address, port=port, started=lambda: typer.echo(greeting, err=True))
    else:
        run_stdio(tools)


@keys_app.command("add")
def add_key(
    scopes: Annotated[list[str], typer.Argument(metavar="SCOPE...", help="USER, USER/PROJECT, or * for all users")],
    role: Annotated[
        str, typer.Option(metavar="ROLE", help="read, write or admin; each includes those before")
    ] = "write",
    days: Annotated[float, typer.Option(min=0, help="days until it expires; 0: never")] = 0.0,
    note: Annotated[str, typer.Option(help="what it is for; `ingest keys list` shows it")] = "",
    hashed: Annotated[
        bool, typer.Option("--hashed", help="keep nothing, and print an entry for INGEST_API_KEYS beside the key")
    ] = False,
) -> None:
    """Make a key and print it, this once."""
    from ingest_assets.access.callers import KeyRole, KeyScope
    from ingest_assets.access.key_entries import new_key

    chosen, read = KeyRole.named(role), tuple(KeyScope.read(scope) for scope in scopes)
    if not hashed:
        typer.echo(_keys().add(role=chosen, scopes=read, note=note, days=days))
        return
    key, key_id, sha256 = new_key()
    for scope in read:
        typer.echo(f"{key_id}:{sha256}:{chosen}:{scope}", err=True)
    typer.echo(key)


@keys_app.command("list")
def list_keys(as_json: JsonOption = False) -> None:
    """List the keys: who they are for and whether they are in force. Their secrets are kept nowhere."""
    import time

    from ingest_assets.cli.tables.output import TableColumn, console, fitting_table, print_json, safe

    now = time.time()
    found = [
        KeyReport(
            entry.key_id,
            str(entry.role),
            [str(scope) for scope in entry.scopes],
            entry.note,
            _when(entry.made_at),
            _when(entry.expires_at),
            "in force" if entry.is_in_force(now) else "revoked" if entry.revoked_at else "expired",
        )
        for entry in _keys().entries()
    ]
    if as_json:
        print_json(found)
        return
    if not found:
        typer.echo("no key; the service answers this machine alone")
        return
    layout = [TableColumn(name, rank, "left") for name, rank in _COLUMNS]
    rows = [
        [
            safe(text)
            for text in (key.key_id, key.role, " ".join(key.scopes), key.state, key.expires, key.made, key.note)
        ]
        for key in found
    ]
    console().print(fitting_table(layout, rows))


@keys_app.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="the part between ia_ and the secret")],
) -> None:
    """Take a key out of force, at once."""
    if not _keys().revoke(key_id):
        typer.echo(f"no key {key_id} is in force", err=True)
        raise typer.Exit(EXIT_PROBLEM)
    typer.echo(f"{key_id} is revoked")


_COLUMNS = (("key", 0), ("role", 0), ("for", 0), ("state", 0), ("expires", 1), ("made", 3), ("note", 2))


def _keys() -> Keys:
    from ingest_assets.access.key_entries import read_entries
    from ingest_assets.api.admission.keys import Keys
    from ingest_assets.config.settings import load_settings
    from ingest_assets.wiring import open_database

    settings = load_settings()
    return Keys(open_database(settings), fixed=read_entries(settings.api_keys))


def _when(at: float) -> str:
    from datetime import UTC, datetime

    from ingest_assets.ledger_records import utc_text

    return utc_text(datetime.fromtimestamp(at, UTC)) if at else ""


COMMANDS = (serve, up, daemon, mcp)
