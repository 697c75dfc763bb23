"""Define the settings of the messages that tell other applications of each change of a file."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, Field, SecretStr

from ingest_assets.errors import BadInput
from ingest_assets.network.url_guard import UrlGuard, read_allow_list

_SHORTEST_SECRET = 16


class ProgressSettings(BaseModel):
    """Messages to other applications."""

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
    def progress_secrets(self) -> tuple[str, ...]:
        """What messages are signed with: one secret, or two during a rotation."""
        secrets = (secret.strip() for secret in self.progress_secret.get_secret_value().split(","))
        return tuple(secret for secret in secrets if secret)

    def progress_problems(self) -> Iterator[str]:
        """Name what is wrong with the settings of messages."""
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
