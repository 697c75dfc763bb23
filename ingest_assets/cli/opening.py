"""Open a project for a command; a command that only reads creates nothing, and says so if there is nothing to read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.errors import BadInput, ConfigError

if TYPE_CHECKING:
    from ingest_assets.config.settings import Settings
    from ingest_assets.ledger_records import FileRecord
    from ingest_assets.project import Project


def open_for_reading() -> Project:
    """Open the project that the settings name, as it is: no folder, table or model is made.

    Raises:
        ConfigError: there is no home, or no store in the folder that is named.
    """
    from ingest_assets.project import Project

    return Project(settings_for_reading(), prepares=False)


def settings_for_reading() -> Settings:
    """Load the settings, and make sure that there is something to read.

    Raises:
        ConfigError: there is no home, or no store in the folder that is named.
    """
    from ingest_assets.config.settings import load_settings

    settings = load_settings()
    require_home(settings)
    folder = Path(settings.chroma)
    if settings.store == "chroma" and "://" not in settings.chroma and not (folder / "chroma.sqlite3").is_file():
        raise ConfigError(
            f"there is no store in {folder}: `ingest prepare` makes it, `ingest add` fills it; or set INGEST_CHROMA"
        )
    return settings


def require_home(settings: Settings) -> None:
    """Refuse a home that is not there: usually the command was called in another folder than before.

    Raises:
        ConfigError: there is no such folder.
    """
    if not settings.home.is_dir():
        raise ConfigError(
            f"there is no home at {settings.home}: set DAGSTER_HOME to the folder of yours, or run `ingest prepare` "
            "to make this one"
        )


def place_of(settings: Settings) -> str:
    """Name the store, without its password."""
    from ingest_assets.config.problems import redacted

    where = {"chroma": settings.chroma, "pgvector": settings.pgvector, "atlas": settings.mongo_uri}
    return f"{settings.store} at {redacted(where[settings.store])}"


def record_of_file(project: Project, file: str) -> FileRecord:
    """Find a file's record by its key, its partition key, or USER/PROJECT//DOC_ID for chunks that were handed in.

    Raises:
        BadInput: the ledger has no such file.
    """
    names = [name for name in (file_id_named(file), file) if name]
    record = next((found for name in names if (found := project.store.file(name))), None)
    if record is None:
        raise BadInput(f"{file}: not in the ledger; `ingest files` lists what is, as USER/PROJECT/FILENAME")
    return record


def file_id_named(key: str) -> str:
    """Return the file_id of a key, or of USER/PROJECT//DOC_ID; empty if the text is neither."""
    from ingest_assets.file_ids import client_file_id, file_id_of

    owner, handed_in, doc_id = key.partition("//")
    user, _, project = owner.partition("/")
    try:
        return client_file_id(user, project, doc_id) if handed_in else file_id_of(key)
    except BadInput:
        return ""
