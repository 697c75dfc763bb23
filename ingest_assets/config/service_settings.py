"""Define the settings of the HTTP service. They are part of the one table of settings (`settings.py`)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, Field, SecretStr

from ingest_assets.access.key_entries import read_entries
from ingest_assets.access.networks import read_networks
from ingest_assets.access.quotas import read_quota
from ingest_assets.errors import BadInput

_DEFAULT_PORT = 7860


class ServiceSettings(BaseModel):
    """The HTTP service."""

    address: str = Field(
        default="127.0.0.1",
        min_length=1,
        validation_alias="INGEST_ADDRESS",
        description="address that the service listens on; 0.0.0.0 is all of this machine's",
    )
    ingestion_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        validation_alias="INGESTION_PORT",
        description=f"port of the service; 0: PORT, and {_DEFAULT_PORT} without it",
    )
    platform_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        validation_alias="PORT",
        description="port of the service, as hosting platforms set it; INGESTION_PORT wins",
    )
    root_path: str = Field(
        default="",
        pattern="^(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?$",
        validation_alias="INGEST_ROOT_PATH",
        description="path below which a proxy shows the service, such as /documents",
    )
    dagster_port: int = Field(
        default=3000,
        ge=1,
        le=65535,
        validation_alias="DAGSTER_PORT",
        description="port of Dagster's pages on this machine, where `ingest up` runs them",
    )
    dagster_url: str = Field(
        default="",
        pattern=r"^(https?://[^/\s]+)?$",
        validation_alias="INGEST_DAGSTER_URL",
        description="where the service finds Dagster's web server, which it shows to operators below /dagster; empty: "
        "http://127.0.0.1:DAGSTER_PORT",
    )
    trusted_proxies: str = Field(
        default="",
        validation_alias="INGEST_TRUSTED_PROXIES",
        description="networks of the proxies whose X-Forwarded-For is believed, with commas",
    )
    open_to: str = Field(
        default="",
        validation_alias="INGEST_OPEN_TO",
        description="networks that may read and write everything without a key, for clients that send none",
    )
    api_keys: str = Field(
        default="",
        validation_alias="INGEST_API_KEYS",
        description="keys of the service beside those of `ingest keys add`: ID:SHA256:ROLE:SCOPE, with commas",
    )
    cors_origins: str = Field(
        default="",
        pattern=r"^(https?://[^/,\s]+(,https?://[^/,\s]+)*)?$",
        validation_alias="INGEST_CORS_ORIGINS",
        description="origins of other sites whose pages may call the service from a browser, with commas",
    )
    entity_user: str = Field(
        default="entities",
        min_length=1,
        pattern="^[^/]+$",
        validation_alias="INGEST_ENTITY_USER",
        description="user that the entities of /api/entities belong to, where the key does not belong to one user",
    )
    max_files_per_upload: int = Field(
        default=15,
        ge=1,
        le=1000,
        validation_alias="MAX_FILES_PER_UPLOAD",
        description="uploads of more files are refused",
    )
    rate_limit: str = Field(
        default="600/minute",
        pattern=r"^(off|\d+ ?/ ?(second|minute|hour|day)(; ?\d+ ?/ ?(second|minute|hour|day))*)$",
        validation_alias="INGEST_RATE_LIMIT",
        description="requests that a key may make, such as 10/second;600/minute; off: no limit",
    )
    max_queued: int = Field(
        default=10_000,
        ge=0,
        validation_alias="INGEST_MAX_QUEUED",
        description="uploads are refused while more files than this wait; 0: never",
    )
    max_queued_of_user: int = Field(
        default=1_000,
        ge=0,
        validation_alias="INGEST_MAX_QUEUED_OF_USER",
        description="uploads of a user are refused while more of the user's files than this wait; 0: never",
    )
    max_uploads: int = Field(
        default=50,
        ge=0,
        validation_alias="INGEST_MAX_UPLOADS",
        description="uploads that the service receives at once; others are refused before they are read; 0: any number",
    )
    quota_of_user: str = Field(
        default="",
        validation_alias="INGEST_QUOTA_OF_USER",
        description="most that a user may hold (files, mb) and use a day (chunks, ocr_pages, tokens), such as "
        "`files=1000,mb=500,ocr_pages=300`; uploads and chunks above it are refused; empty: no limit",
    )
    quota_of_project: str = Field(
        default="",
        validation_alias="INGEST_QUOTA_OF_PROJECT",
        description="the same for each project of a user",
    )
    log_format: str = Field(
        default="json",
        pattern="^(json|text)$",
        validation_alias="INGEST_LOG_FORMAT",
        description="how the service and all parts of `ingest up` write their logs: json, one object a line, or text",
    )
    otel_endpoint: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="collector of OpenTelemetry that the service sends traces to (OTLP over HTTP, extra `otel`); the "
        "other OTEL_ variables hold as well; empty: no traces",
    )
    service_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        validation_alias="INGEST_SERVICE_URL",
        description="where `ingest mcp` finds the service; empty: on this machine, at its port",
    )
    api_key: SecretStr = Field(
        default=SecretStr(""),
        validation_alias="INGEST_API_KEY",
        description="key of the service that `ingest mcp` uses for the assistant that starts it",
    )

    @property
    def port(self) -> int:
        """The port of the service."""
        return self.ingestion_port or self.platform_port or _DEFAULT_PORT

    @property
    def dagster_address(self) -> str:
        """Where Dagster's web server answers."""
        return self.dagster_url or f"http://127.0.0.1:{self.dagster_port}"

    def service_problems(self) -> Iterator[str]:
        """Name what is wrong with the settings of the service."""
        for name, text in (("INGEST_OPEN_TO", self.open_to), ("INGEST_TRUSTED_PROXIES", self.trusted_proxies)):
            try:
                read_networks(text, name=name)
            except BadInput as error:
                yield str(error)
        for name, text in (
            ("INGEST_QUOTA_OF_USER", self.quota_of_user),
            ("INGEST_QUOTA_OF_PROJECT", self.quota_of_project),
        ):
            try:
                read_quota(text, name=name)
            except BadInput as error:
                yield str(error)
        try:
            read_entries(self.api_keys)
        except BadInput as error:
            yield str(error)
