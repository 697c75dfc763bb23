"""Read the settings from the environment into one typed table. Nothing else reads settings from the environment.

Every setting has a default that works on a laptop. A wrong value, or a name that does not exist, stops the start with
one message that names every problem.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from ingest_assets.config.former_names import values_of_former_names
from ingest_assets.config.problems import join, say
from ingest_assets.config.service_settings import ServiceSettings
from ingest_assets.errors import BadInput, ConfigError
from ingest_assets.url_guard import UrlGuard, read_allow_list

DEFAULT_HOME = ".dagster_home"
MOST_SHARDS = 64
"""Dagster loads all copies of the graph in each of its processes."""
IN_THE_HOME = {
    "INGEST_BUCKET": "bucket",
    "INGEST_ARTIFACTS": "artifacts",
    "INGEST_CHROMA": "chroma",
    "INGEST_MODEL_CACHE": "models",
    "INGEST_SPOOL": "spool",
}
"""Settings whose default is a folder in the home, and the folder's name."""
_DOTENV = ".env"
_BUCKET_NAME = re.compile("[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_OWNER = r"(team:[A-Za-z0-9_.-]+|[^@\s,]+@[^@\s,]+\.[^@\s,]+)"  # as Dagster accepts them


class Settings(ServiceSettings):
    """Every setting. The field's alias is the environment variable; `ingest config` prints this table."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

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
    bucket: str = Field(
        default="",
        validation_alias="INGEST_BUCKET",
        description="where files arrive: a folder, as a path or file:// URL; s3://bucket/prefix; gs://bucket/prefix",
    )
    default_scope: str = Field(
        default="",
        pattern="^([^/]+/[^/]+)?$",
        validation_alias="INGEST_DEFAULT_SCOPE",
        description="USER/PROJECT that files in no user's project belong to; without it they are named and not read",
    )
    s3_endpoint: str = Field(
        default="",
        pattern="^https?://[^@]*$",
        validation_alias="INGEST_S3_ENDPOINT",
        description="s3://: URL of a service that is not AWS (MinIO, Ceph, R2); credentials come from where AWS's do",
    )
    spool: Path = Field(
        default=Path(),
        validation_alias="INGEST_SPOOL",
        description="s3:// and gs://: folder of the copies that are being read, on this host's own disk",
    )
    spool_mb: int = Field(
        default=1024,
        ge=1,
        validation_alias="INGEST_SPOOL_MB",
        description="s3:// and gs://: size of all copies on this host together, in MB; larger files are refused",
    )
    source_url: str = Field(
        default="",
        pattern="^(https?://.+)?$",
        validation_alias="INGEST_SOURCE_URL",
        description="web address of the bucket's files, for the links in Dagster's UI: the file's key is put behind it",
    )
    owners_of_assets: str = Field(
        default="",
        pattern=f"^({_OWNER}(,{_OWNER})*)?$",
        validation_alias="INGEST_OWNERS",
        description="owners of the assets in Dagster's UI, with commas: addresses of e-mail, or team:NAME",
    )
    artifacts: str = Field(
        default="",
        validation_alias="INGEST_ARTIFACTS",
        description="where the stages' results lie: a folder; for many hosts s3://bucket/prefix or gs://bucket/prefix",
    )
    store: Literal["chroma", "pgvector", "atlas"] = Field(
        default="chroma", validation_alias="INGEST_STORE", description="the vector store: chroma, pgvector or atlas"
    )
    chroma: str = Field(
        default="",
        validation_alias="INGEST_CHROMA",
        description="Chroma: a folder (embedded) or the http(s):// URL of a server",
    )
    chroma_tenant: str = Field(
        default="default_tenant", validation_alias="INGEST_CHROMA_TENANT", description="Chroma server: tenant"
    )
    chroma_database: str = Field(
        default="default_database", validation_alias="INGEST_CHROMA_DATABASE", description="Chroma server: database"
    )
    pgvector: str = Field(
        default="",
        validation_alias="INGEST_PGVECTOR",
        description="PostgreSQL: postgresql://user:password@host:port/database",
    )
    pgvector_schema: str = Field(
        default="public",
        pattern="^[A-Za-z_][A-Za-z0-9_$]{0,62}$",
        validation_alias="INGEST_PGVECTOR_SCHEMA",
        description="PostgreSQL: schema of the tables; name another if the database has tables `chunks` or `files`",
    )
    pgvector_halfvec: bool = Field(
        default=False,
        validation_alias="INGEST_PGVECTOR_HALFVEC",
        description="PostgreSQL: keep vectors as 16-bit numbers, in half the space",
    )
    mongo_uri: str = Field(
        default="",
        validation_alias="MONGO_URI",
        description="MongoDB: mongodb:// or mongodb+srv:// with user and password",
    )
    mongo_db: str = Field(
        default="studybuddy", min_length=1, validation_alias="MONGO_DB", description="MongoDB: name of the database"
    )
    atlas_vector: bool = Field(
        default=False,
        validation_alias="ATLAS_VECTOR",
        description="MongoDB: 1 searches by an Atlas Vector Search index, 0 exactly, row by row",
    )
    embedder: Literal["openvino", "torch"] = Field(
        default="openvino",
        validation_alias="INGEST_EMBEDDER",
        description="what computes the vectors: openvino (small, fast) or torch (sentence-transformers)",
    )
    model_dir: Path | None = Field(
        default=None,
        validation_alias="INGEST_MODEL_DIR",
        description="folder with the weights of all-MiniLM-L6-v2 (default: the installed package, then the model hub)",
    )
    next_model_dir: Path | None = Field(
        default=None,
        validation_alias="INGEST_NEXT_MODEL_DIR",
        description="folder of the model that `ingest change-model` changes to; used from the switch on",
    )
    model_cache: Path = Field(
        default=Path(),
        validation_alias="INGEST_MODEL_CACHE",
        description="folder of converted models",
    )
    captions: Literal["auto", "blip", "openai", "ocr", "off"] = Field(
        default="auto",
        validation_alias="INGEST_CAPTIONS",
        description="pictures: ocr reads the text in them, blip and openai also say what they show, auto is blip "
        "if its weights are on disk, otherwise ocr; off leaves pictures and scanned pages unread",
    )
    blip_model: str = Field(
        default="Salesforce/blip-image-captioning-base",
        min_length=1,
        validation_alias="INGEST_BLIP_MODEL",
        description="the BLIP model: its name on the model hub, or its folder",
    )
    openai_url: str = Field(
        default="https://api.openai.com/v1",
        pattern="^https?://",
        validation_alias="INGEST_OPENAI_URL",
        description="INGEST_CAPTIONS=openai: base URL of an OpenAI-compatible service; pictures are sent there",
    )
    openai_key: SecretStr = Field(
        default=SecretStr(""), validation_alias="INGEST_OPENAI_KEY", description="the service's key, if it asks for one"
    )
    openai_model: str = Field(
        default="", validation_alias="INGEST_OPENAI_MODEL", description="name of the service's vision model"
    )
    ocr_languages: str = Field(
        default="ch",
        pattern="^[a-z_]+(,[a-z_]+)*$",
        validation_alias="INGEST_OCR_LANGUAGES",
        description="what OCR reads, by RapidOCR's names, with commas; ch is Chinese, Japanese and Latin letters",
    )
    ocr_model_dir: Path | None = Field(
        default=None,
        validation_alias="INGEST_OCR_MODEL_DIR",
        description="folder of RapidOCR's models for other languages (arabic_PP-OCRv5_rec_mobile.onnx, …)",
    )
    max_file_mb: int = Field(
        default=50, ge=1, le=10_000, validation_alias="MAX_FILE_MB", description="larger files are refused, in MB"
    )
    max_pages: int = Field(
        default=20_000,
        ge=1,
        validation_alias="INGEST_MAX_PAGES",
        description="files with more pages, slides or sheets are refused",
    )
    max_picture_pixels: int = Field(
        default=40_000_000,
        ge=10_000,
        validation_alias="INGEST_MAX_PICTURE_PIXELS",
        description="larger pictures are left out, with a warning",
    )
    settle_s: float = Field(
        default=5.0,
        ge=0,
        validation_alias="INGEST_SETTLE_S",
        description="how long a file must be unchanged before the sensor starts a run for it, in seconds",
    )
    events_queue: str = Field(
        default="",
        pattern="^https?://[^@/?#]+/[^?#]*[^/?#]$",
        validation_alias="INGEST_EVENTS_QUEUE",
        description="s3://: URL of the SQS queue of the bucket's events; without it changes are found by listing",
    )
    locations: str = Field(
        default="",
        pattern=r"^((s3|gs)://[a-z0-9._-]+(/[^,]*)?(, *|$))*$",
        validation_alias="INGEST_LOCATIONS",
        description="places outside of the bucket that requests may have files copied from: s3://bucket/prefix, "
        "gs://bucket/prefix, with commas; empty: none",
    )
    delete_grace_s: float = Field(
        default=60.0,
        ge=0,
        validation_alias="INGEST_DELETE_GRACE_S",
        description="how long a file must be missing from the bucket before it is purged, in seconds",
    )
    delete_max_share: float = Field(
        default=0.2,
        ge=0,
        le=1,
        validation_alias="INGEST_DELETE_MAX_SHARE",
        description="share of a project, or of all files, that may leave the bucket in 24 hours (20 files always may); "
        "more wait for `ingest confirm-deletes`; 1 lets all go",
    )
    retry_after_s: float = Field(
        default=600.0,
        ge=0,
        validation_alias="INGEST_RETRY_AFTER_S",
        description="how long a file that failed by no fault of its own rests before it is tried again, in seconds",
    )
    schedules: str = Field(
        default="out_of_date,nightly_validation,sweep",
        pattern="^((out_of_date|nightly_validation|sweep)(,|$))*$",
        validation_alias="INGEST_SCHEDULES",
        description="schedules that are on when the daemon starts, with commas; a switch in the UI wins",
    )
    night_minutes: int = Field(
        default=0,
        ge=0,
        validation_alias="INGEST_NIGHT_MINUTES",
        description="what a night may spend on files that are out of date, in minutes of their last runs; 0: no limit",
    )
    shards: int = Field(
        default=1,
        ge=1,
        le=MOST_SHARDS,
        validation_alias="INGEST_SHARDS",
        description="copies of the graph that the files are spread over, each for 100,000 files at most; a change "
        "processes nothing again",
    )
    max_iterations: int = Field(
        default=0,
        ge=0,
        validation_alias="MAX_ITERATIONS",
        description="files that one `ingest work` processes at most, where --max-files says nothing; 0: no limit",
    )
    keep_days: int = Field(
        default=30,
        ge=1,
        validation_alias="INGEST_KEEP_DAYS",
        description="how long the sweep keeps runs with their events, and messages that were delivered or given up",
    )
    window_parts: int = Field(
        default=16,
        ge=1,
        le=4096,
        validation_alias="INGEST_WINDOW",
        description="pages (slides, blocks of rows or text) in memory at once; never changes the result",
    )
    max_words: int = Field(
        default=500, ge=20, le=5000, validation_alias="INGEST_CHUNK_MAX_WORDS", description="words per chunk, at most"
    )
    min_words: int = Field(
        default=150,
        ge=1,
        validation_alias="INGEST_CHUNK_MIN_WORDS",
        description="words per chunk, at least, where the document allows",
    )
    overlap_words: int = Field(
        default=50,
        ge=0,
        validation_alias="INGEST_CHUNK_OVERLAP_WORDS",
        description="words that a chunk repeats from the one before",
    )

    progress_url: SecretStr = Field(
        default=SecretStr(""),
        validation_alias="INGEST_PROGRESS_URL",
        description="http(s):// URL that is told of each change of a file's state, as docs/progress.md describes",
    )
    progress_secret: SecretStr = Field(
        default=SecretStr(""),
        validation_alias="INGEST_PROGRESS_SECRET",
        description="what these messages are signed with: 16 letters or more; two with a comma during a rotation",
    )
    url_allow: str = Field(
        default="",
        validation_alias="INGEST_URL_ALLOW",
        description="hosts that messages may be sent to: HOST, HOST:PORT, *.DOMAIN, a network, * for all public hosts; "
        "empty: all public hosts. A host that is named may have a private address",
    )

    @property
    def schedules_on(self) -> frozenset[str]:
        """The schedules that are on, by name."""
        return frozenset(name for name in self.schedules.split(",") if name)

    @property
    def owners(self) -> tuple[str, ...]:
        """The owners of the assets, one by one."""
        return tuple(owner for owner in self.owners_of_assets.split(",") if owner)

    @model_validator(mode="before")
    @classmethod
    def _fill_in_what_lies_in_the_home(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Treat empty values as missing, and put folders without a setting into the home."""
        named = {name: value for name, value in given.items() if value != ""}
        home = Path(named.get("DAGSTER_HOME", DEFAULT_HOME)).absolute()
        return {name: str(home / folder) for name, folder in IN_THE_HOME.items()} | named | {"DAGSTER_HOME": home}

    @field_validator("model_cache", "spool")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        return folder.absolute()

    @field_validator("artifacts")
    @classmethod
    def _absolute_folder(cls, place: str) -> str:
        scheme, mark, rest = place.rpartition("://")
        return f"{scheme}{mark}{rest.rstrip('/')}" if mark else str(Path(place).absolute())

    @property
    def artifacts_folder(self) -> Path:
        """Folder of what a host keeps of artifacts for itself: all of them, or locks, captions and history only."""
        return self.home / IN_THE_HOME["INGEST_ARTIFACTS"] if "://" in self.artifacts else Path(self.artifacts)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if problems := [
            *self._database_problems(),
            *self._chunk_size_problems(),
            *self._folder_problems(),
            *self._bucket_problems(),
            *self._missing_values(),
            *self._progress_problems(),
            *self.service_problems(),
        ]:
            raise ValueError("\n".join(problems))
        return self

    @property
    def progress_secrets(self) -> tuple[str, ...]:
        """What messages are signed with: one secret, or two during a rotation."""
        secrets = (secret.strip() for secret in self.progress_secret.get_secret_value().split(","))
        return tuple(secret for secret in secrets if secret)

    def _database_problems(self) -> Iterator[str]:
        url = self.instance_db.get_secret_value()
        if url and not re.match("postgres(ql)?://[^/]+/.+", url):
            yield f"{INSTANCE_DB}: write postgresql://user:password@host:port/database"

    def _chunk_size_problems(self) -> Iterator[str]:
        if self.min_words + self.overlap_words > self.max_words:
            yield "INGEST_CHUNK_MIN_WORDS + INGEST_CHUNK_OVERLAP_WORDS must not be more than INGEST_CHUNK_MAX_WORDS"
        if self.overlap_words > self.max_words // 2:
            yield "INGEST_CHUNK_OVERLAP_WORDS must not be more than half of INGEST_CHUNK_MAX_WORDS"

    def _folder_problems(self) -> Iterator[str]:
        for name, folder in (
            ("INGEST_MODEL_DIR", self.model_dir),
            ("INGEST_NEXT_MODEL_DIR", self.next_model_dir),
            ("INGEST_OCR_MODEL_DIR", self.ocr_model_dir),
        ):
            if folder is not None and not folder.is_dir():
                yield f"{name}: {folder} is no folder; name one that holds the weights"
        models = self.ocr_model_dir or Path()
        for language in self.ocr_languages.split(","):
            if language != "ch" and not any(models.glob(f"{language}_PP-OCR*_rec_*.onnx")):
                yield (
                    f"INGEST_OCR_LANGUAGES: no model {language}_PP-OCR*_rec_*.onnx in INGEST_OCR_MODEL_DIR "
                    f"({self.ocr_model_dir or 'not set'}); put RapidOCR's there"
                )

    def _bucket_problems(self) -> Iterator[str]:
        places = (
            ("INGEST_BUCKET", self.bucket, "file:// s3:// gs://"),
            ("INGEST_ARTIFACTS", self.artifacts, "s3:// gs://"),
        )
        for name, url, schemes in places:
            scheme, mark, rest = url.rpartition("://")
            if mark and scheme + mark not in schemes.split():
                yield f"{name}: {scheme}:// is not known; give a folder or one of {schemes}"
            elif scheme in {"s3", "gs"} and not _BUCKET_NAME.fullmatch(rest.partition("/")[0]):
                yield f"{name}: write {scheme}://BUCKET/PREFIX, with the name of a bucket and without credentials"
        bucket, artifacts = (f"{url.rstrip('/')}/" for url in (self.bucket, self.artifacts))
        if bucket.startswith(artifacts) or artifacts.startswith(bucket):
            yield "INGEST_ARTIFACTS: it lies in INGEST_BUCKET, or the other way round; give them prefixes side by side"

    def _missing_values(self) -> Iterator[str]:
        if self.events_queue and not self.bucket.startswith("s3://"):
            yield "INGEST_EVENTS_QUEUE: it is set, and INGEST_BUCKET is no s3:// bucket; only those send events to SQS"
        if self.store == "pgvector" and not self.pgvector:
            yield "INGEST_PGVECTOR: INGEST_STORE is pgvector, and this is empty; set it to the URL of the database"
        if self.store == "atlas" and not self.mongo_uri:
            yield "MONGO_URI: INGEST_STORE is atlas, and this is empty; set it to the URI of the server"
        if self.captions == "openai" and not self.openai_model:
            yield "INGEST_OPENAI_MODEL: INGEST_CAPTIONS is openai, and this is empty; name the service's vision model"

    def _progress_problems(self) -> Iterator[str]:
        secrets, url = self.progress_secrets, self.progress_url.get_secret_value()
        if len(secrets) > 2 or any(len(secret) < _SHORTEST_SECRET for secret in secrets):
            yield f"INGEST_PROGRESS_SECRET: write one secret of {_SHORTEST_SECRET} letters or more, or two with a comma"
        if url and not secrets:
            yield "INGEST_PROGRESS_SECRET: INGEST_PROGRESS_URL is set, and this is empty; set it to a long random text"
        try:
            guard = UrlGuard(read_allow_list(self.url_allow))
            if url:
                guard.check(url, name="INGEST_PROGRESS_URL")
        except BadInput as error:
            yield str(error)


_SHORTEST_SECRET = 16
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
        raise ConfigError(f"{path.absolute()}: it cannot be read ({error}); mend it or remove it") from error
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
