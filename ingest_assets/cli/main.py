"""Run the command line `ingest`: register its commands and turn errors into exit codes.

Exit codes: 0 all is well; 1 a file ended failed or partial, lies outside of any user's project, was not found, or there
is nothing to answer from; 2 wrong arguments or settings, no home, no store; 3 a service is away, try again later;
4 files are left (`ingest work`); 130 interrupted. `--json` prints one JSON document for programs on standard output.

The modules of the commands import at their top only what their signatures need, so that help, completion and wrong
arguments are answered without loading Dagster, a store or the settings.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from ingest_assets.cli.bucket import commands as bucket_commands
from ingest_assets.cli.files import commands as file_commands
from ingest_assets.cli.files.backfill import backfill
from ingest_assets.cli.host import commands as host_commands
from ingest_assets.cli.messages import event_commands, outbox_commands
from ingest_assets.cli.options import EXIT_INTERRUPTED, EXIT_OUTSIDE, EXIT_PROBLEM, EXIT_USAGE
from ingest_assets.cli.service import commands as service_commands
from ingest_assets.cli.store import commands as store_commands
from ingest_assets.cli.store import moving_commands
from ingest_assets.errors import BadInput, ConfigError, OutsideError

app = typer.Typer(
    name="ingest",
    help="Turn files into searchable knowledge, one memory-capped run per file.",
    epilog="Exit codes: 0 all is well, 1 a file failed or was not found, 2 wrong arguments or settings, 3 a service is "
    "away, 4 files are left, 130 interrupted. `ingest COMMAND --help` says more.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    suggest_commands=False,  # click suggests already
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line and turn our errors into exit codes."""
    try:
        _require_text(sys.argv[1:])
        app()
    except BadInput as error:
        _leave(error, EXIT_PROBLEM)
    except ConfigError as error:
        _leave(error, EXIT_USAGE)
    except OutsideError as error:
        _leave(error, EXIT_OUTSIDE)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ingest-assets {version('ingest-assets')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass


for command in (
    *file_commands.COMMANDS,
    *bucket_commands.COMMANDS,
    backfill,
    *event_commands.COMMANDS,
    *store_commands.COMMANDS,
    *moving_commands.COMMANDS,
    *host_commands.COMMANDS,
    *outbox_commands.COMMANDS,
    *service_commands.COMMANDS,
):
    app.command()(command)
app.add_typer(service_commands.keys_app)


def _require_text(arguments: list[str]) -> None:
    """Refuse arguments that are not text: Python passes their bytes on as halves of surrogate pairs.

    Raises:
        ConfigError: an argument is not valid UTF-8.
    """
    for argument in arguments:
        if any("\ud800" <= letter <= "\udfff" for letter in argument):
            raise ConfigError(
                f"the argument {argument!r} is not valid UTF-8: type it anew, rename the file that it names, or add "
                "the folder that the file lies in"
            )


def _leave(error: Exception, code: int) -> NoReturn:
    from ingest_assets.cli.tables.output import printable

    typer.echo(printable(str(error)), err=True)
    sys.exit(code)
