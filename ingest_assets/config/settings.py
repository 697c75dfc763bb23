"""Read the settings from the environment into one typed table. Nothing else reads settings from the environment.

Every setting has a default that works on a laptop. A wrong value, or a name that does not exist, stops the start with
one message that names every problem. The settings of each theme stand in a module of their own (`bucket_settings.py`
to `service_settings.py`), with what may be wrong with them; what concerns several themes stands here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from ingest_assets.config.bucket_settings import BucketSettings
from ingest_assets.config.former_names import values_of_former_names
from ingest_assets.config.model_settings import ModelSettings
from ingest_assets.config.problems import join, say
from ingest_assets.config.progress_settings import ProgressSettings
from ingest_assets.config.reading_settings import ReadingSettings
from ingest_assets.config.run_settings import RunSettings
from ingest_assets.config.service_settings import ServiceSettings
from ingest_assets.config.store_settings import StoreSettings
from ingest_assets.errors import ConfigError

DEFAULT_HOME = ".dagster_home"
IN_THE_HOME = {
    "INGEST_BUCKET": "bucket",
    "INGEST_ARTIFACTS": "artifacts",
    "INGEST_CHROMA": "chroma",
    "INGEST_MODEL_CACHE": "models",
    "INGEST_SPOOL": "spool",
}
"""Settings whose default is a folder in the home, and the folder's name."""
_DOTENV = ".env"


class HomeSettings(BaseModel):
    """The Dagster instance."""

    home: Path = Field(
        default=Path(DEFAULT_HOME),
        validation_alias="DAGSTER_HOME",
        description="folder of the Dagster instance; the defaults below lie in it",
    )
    instance_db: SecretStr = Field(
        default=SecretStr(""),
        validation_alias="INGEST_INSTANCE_DB",
        description="postgresql://user:password@host:port/database of Dagster's runs, inbox, outbox and index, where "
        "several hosts share them; empty: SQLite files in the home",
    )

    def instance_problems(self) -> Iterator[str]:
        """Name what is wrong with the settings of the instance."""
        url = self.instance_db.get_secret_value()
        if url and not re.match("postgres(ql)?://[^/]+/.+", url):
            yield f"{INSTANCE_DB}: write postgresql://user:password@host:port/database"


class Settings(
    ServiceSettings,
    ProgressSettings,
    RunSettings,
    ReadingSettings,
    ModelSettings,
    StoreSettings,
    BucketSettings,
    HomeSettings,
):
    """Every setting. The field's alias is the environment variable; `ingest config` prints this table.

    pydantic takes the fields of the last base first, so `ingest config` and docs/settings.md begin with the instance.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _fill_in_what_lies_in_the_home(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Treat empty values as missing, and put folders without a setting into the home."""
        named = {name: value for name, value in given.items() if value != ""}
        home = Path(named.get("DAGSTER_HOME", DEFAULT_HOME)).absolute()
        return {name: str(home / folder) for name, folder in IN_THE_HOME.items()} | named | {"DAGSTER_HOME": home}

    @property
    def artifacts_folder(self) -> Path:
        """Folder of what a host keeps of artifacts for itself: all of them, or locks, captions and history only."""
        return self.home / IN_THE_HOME["INGEST_ARTIFACTS"] if "://" in self.artifacts else Path(self.artifacts)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if problems := [
            *self.instance_problems(),
            *self.bucket_problems(),
            *self.store_problems(),
            *self.model_problems(),
            *self.reading_problems(),
            *self.progress_problems(),
            *self.service_problems(),
        ]:
            raise ValueError("\n".join(problems))
        return self


FILE_SECRETS = (
    *("INGEST_CHROMA", "INGEST_PGVECTOR", "MONGO_URI", "INGEST_OPENAI_KEY", "INGEST_PROGRESS_SECRET"),
    "INGEST_API_KEY",
)
"""Settings that may hold a password; each may come from a file, which its name with _FILE behind it names."""
INSTANCE_DB = "INGEST_INSTANCE_DB"
"""It holds a password too, and is in the environment only: Dagster itself reads it there (`home.py`)."""
SECRETS = (*FILE_SECRETS, INSTANCE_DB)
FROM_FILE = "_FILE"


def load_settings(chosen: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment, from `.env` in the working directory, and from the files of secrets.

    `chosen` holds values by the names of their variables and overrides all of these.

    `.env` is used by every entry point (Dagster's commands, the daemon, `ingest`): as in Dagster, its values override
    those of the environment, and processes that are started from this one get them too.

    Raises:
        ConfigError: naming every wrong or unknown setting at once.
    """
    os.environ.update(_dotenv())
    chosen = chosen or {}
    unknown = [*_unknown(os.environ), *sorted(chosen.keys() - set(_names()))]
    problems = [f"{name}: there is no such setting" for name in unknown]
    given, former = values_of_former_names(os.environ)
    problems += former
    given |= {name: os.environ[name] for name in _names() if os.environ.get(name)}
    for name in FILE_SECRETS:
        try:
            given |= _from_file(name)
        except ConfigError as error:
            problems.append(str(error))
    try:
        settings = Settings.model_validate(given | dict(chosen))
    except ValidationError as error:
        problems += [line for problem in error.errors() for line in say(problem, secrets=SECRETS)]
        raise ConfigError(join(problems)) from error
    if problems:
        raise ConfigError(join(problems))
    return settings


def source_of(name: str) -> str:
    """Say where a setting's value comes from: default, environment, .env, or the file that holds a secret."""
    dotenv = _dotenv()
    if path := os.environ.get(name + FROM_FILE) if name in FILE_SECRETS else None:
        return path
    if dotenv.get(name):
        return _DOTENV
    return "environment" if os.environ.get(name) else "default"


def _dotenv() -> dict[str, str]:
    """Read `.env` in the working directory, where Dagster reads it too."""
    path = Path(_DOTENV)
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        found = dotenv_values(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.absolute()}: it cannot be read ({error}); correct it or remove it") from error
    return {name: value for name, value in found.items() if value is not None}


def _from_file(name: str) -> dict[str, str]:
    """Read a secret from the file that NAME_FILE names, without the line's end; no message shows what is in it.

    Raises:
        ConfigError: it cannot be read, is empty, or the setting itself is set too.
    """
    path = os.environ.get(name + FROM_FILE)
    if not path:
        return {}
    if os.environ.get(name):
        raise ConfigError(f"{name}{FROM_FILE}: {name} is set as well; keep one of them")
    try:
        value = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{name}{FROM_FILE}: {path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{name}{FROM_FILE}: {path} is no text in UTF-8") from None
    if not value or len(value.splitlines()) > 1:
        raise ConfigError(f"{name}{FROM_FILE}: {path} must hold one line, the value and nothing else")
    return {name: value}


def _names() -> list[str]:
    return [str(field.validation_alias) for field in Settings.model_fields.values()]


def _unknown(environment: Mapping[str, str]) -> list[str]:
    known = {*_names(), *(name + FROM_FILE for name in FILE_SECRETS)}
    return sorted(name for name in environment if name.startswith("INGEST_") and name not in known)
