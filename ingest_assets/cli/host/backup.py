"""Copy what a home holds that nothing can make again, in an order in which a copy made while files arrive is right.

The store comes first and the bucket last. So the copy's bucket holds every file that its store knows, and files that
came in between are new to the store: they are ingested after the restore. The other way round, a file that the copied
bucket lacks would look deleted, and its chunks would be removed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest_assets.cli.options import JsonOption
from ingest_assets.errors import ConfigError

if TYPE_CHECKING:
    from ingest_assets.config.settings import Settings

_DATABASE, _DAGSTER = "index.db", "dagster.yaml"


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What programs read of a backup."""

    folder: str
    megabytes: float
    left_out: list[str]
    """What lies elsewhere and has to be copied by its own tools: databases before this folder, a bucket after it."""


def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="a new folder; give its parent enough space")],
    as_json: JsonOption = False,
) -> None:
    """Copy store, index and bucket into a new folder.

    The system may run meanwhile; writers to an embedded store wait while it is copied. What lies on servers is not
    copied but named: copy databases before this, and a bucket after it, by their own tools. To restore, use the folder
    as DAGSTER_HOME and run `ingest prepare` (docs/deploying.md).
    """
    from ingest_assets.cli.opening import require_home
    from ingest_assets.cli.tables.output import print_json
    from ingest_assets.config.settings import load_settings

    settings = load_settings()
    require_home(settings)
    if folder.exists():
        raise ConfigError(f"{folder} exists; name a new folder for the backup")
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        left_out = list(_copy_all(settings, to=unfinished))
        unfinished.rename(folder)
    except OSError as error:
        raise ConfigError(f"the backup {folder} cannot be made: {error}") from error
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    if as_json:
        print_json(BackupReport(str(folder), round(size, 1), left_out))
        return
    typer.echo(f"{folder}: {size:.1f} MB")
    for place in left_out:
        typer.echo(f"not in it: {place}", err=True)


def _copy_all(settings: Settings, *, to: Path) -> Iterator[str]:
    """Copy store, index, settings of Dagster and bucket, in this order; yield what lies elsewhere."""
    from ingest_assets.stores.chroma.embedded.copying import copy_database, copy_embedded

    if settings.store == "chroma" and "://" not in settings.chroma:
        copy_embedded(Path(settings.chroma), to=to / "chroma")
    else:
        yield f"the store, {settings.store}"
    if settings.instance_db.get_secret_value():
        yield "the database of INGEST_INSTANCE_DB, with keys, index and Dagster's runs"
    else:
        copy_database(settings.home / _DATABASE, to=to / _DATABASE)
    shutil.copy2(settings.home / _DAGSTER, to / _DAGSTER)
    bucket = settings.bucket.removeprefix("file://")
    if "://" in bucket:
        yield f"the bucket, {bucket}"
    else:
        _copy_bucket(Path(bucket), to=to / "bucket")


def _copy_bucket(bucket: Path, *, to: Path) -> None:
    """Copy the files with their times, which belong to their versions; files that go meanwhile are not missed."""

    def copied(source: str, target: str) -> str:
        try:
            return str(shutil.copy2(source, target))
        except FileNotFoundError:
            return target

    shutil.copytree(bucket, to, symlinks=True, copy_function=copied)
