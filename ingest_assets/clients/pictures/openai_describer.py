"""Describe pictures with a vision model behind an OpenAI-compatible HTTP API.

There is one request for each picture (`POST BASE_URL/chat/completions`), without streaming and without retries: Dagster
retries the run. Pictures larger than such models look at are scaled down before they are sent.
"""

from __future__ import annotations

import base64
import io
from types import TracebackType
from typing import Self

import httpx

from ingest_assets.clients.pictures.bounded_pixels import decode
from ingest_assets.errors import BadInput, ConfigError, OutsideError

PROMPT = "Describe what this picture shows in one or two plain sentences. If it is a chart, say what it tells."
"""A change of the prompt changes the captions, so `model` names its version."""
_PROMPT_VERSION = "1"

MAX_SIDE_PX = 2048  # models behind such APIs scale larger pictures down to this size themselves
MAX_SENT_BYTES = 4_000_000  # a photo of that size as JPEG; base64 makes it a third more
_MAX_TOKENS = 300
_SHOWN_CHARS = 200  # of a server's message, quoted in ours


class OpenAiDescriber:
    """Describes pictures with a model of a service. Close it, or use a `with` block."""

    def __init__(self, model: str, *, base_url: str, key: str, time_limit_s: float = 60.0) -> None:
        """Name the model and where it is; `key` may be empty for servers that ask for none."""
        self._model, self._base_url, self._key = model, base_url.rstrip("/"), key
        self._time_limit_s = time_limit_s
        self._client: httpx.Client | None = None

    @property
    def model(self) -> str:
        """Name the model and the version of the prompt; without the URL, because it does not change the answer."""
        return f"openai/{self._model}-prompt{_PROMPT_VERSION}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def describe(self, picture: bytes) -> str:
        """Describe one encoded picture.

        Raises:
            BadInput: it is damaged, or the service refuses it.
            OutsideError: the service is away, too slow, too busy, or gives an answer that cannot be read.
            ConfigError: the service refuses the key, or knows no such model.
        """
        question = self._question(*_sendable(picture))
        try:
            answer = self._connected().post(f"{self._base_url}/chat/completions", json=question)
        except httpx.InvalidURL as error:
            raise ConfigError("INGEST_OPENAI_URL: this is no URL; write http(s)://HOST/v1") from error
        except httpx.HTTPError as error:
            raise OutsideError(
                f"vision model: {type(error).__name__} at INGEST_OPENAI_URL; is the service up?"
            ) from error
        return self._answered(answer)

    def close(self) -> None:
        """Close the connection; the next picture would open another."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> httpx.Client:
        if self._client is None:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            self._client = httpx.Client(headers=headers, timeout=self._time_limit_s, follow_redirects=False)
        return self._client

    def _question(self, data: bytes, media_type: str) -> dict[str, object]:
        url = f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
        content = [{"type": "text", "text": PROMPT}, {"type": "image_url", "image_url": {"url": url}}]
        return {
            "model": self._model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": _MAX_TOKENS,
            "temperature": 0,
        }

    def _answered(self, answer: httpx.Response) -> str:
        status = answer.status_code
        if status in {400, 413, 415, 422}:
            raise BadInput(f"picture: refused by the vision model ({status}: {self._message(answer)})")
        if status in {401, 403}:
            raise ConfigError(
                f"INGEST_OPENAI_KEY: refused by the service ({status}); name a key that may use the model"
            )
        if status == 404:
            raise ConfigError(
                f"INGEST_OPENAI_MODEL, INGEST_OPENAI_URL: the service knows no {self._model}/chat/completions (404)"
            )
        if status != 200:
            raise OutsideError(
                f"vision model: the service answered {status} ({self._message(answer)}); try again later"
            )
        try:
            return str(answer.json()["choices"][0]["message"]["content"] or "")
        except (ValueError, LookupError, TypeError) as error:
            raise OutsideError("vision model: the service answered 200 with something that is no completion") from error

    def _message(self, answer: httpx.Response) -> str:
        """Return the service's own message, shortened and without the key, which it may repeat."""
        try:
            message = str(answer.json()["error"]["message"])
        except (ValueError, LookupError, TypeError):
            message = answer.reason_phrase
        hidden = message.replace(self._key, "***") if self._key else message
        return " ".join(hidden.split())[:_SHOWN_CHARS]


def _sendable(picture: bytes) -> tuple[bytes, str]:
    """Return a picture in the form in which it is sent, and its media type.

    Raises:
        BadInput: it is damaged.
    """
    image = decode(picture, max_side_px=MAX_SIDE_PX)
    is_png = picture.startswith(b"\x89PNG")
    if len(picture) <= MAX_SENT_BYTES and max(image.size) < MAX_SIDE_PX:
        return picture, "image/png" if is_png else "image/jpeg"
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue(), "image/jpeg"
