"""Reach the objects of Google Cloud Storage by its own library, which the extra `gcs` installs.

Credentials are Application Default Credentials: a file that GOOGLE_APPLICATION_CREDENTIALS names, `gcloud auth`, or the
service account of the machine. A version is the object's generation, which changes with each writing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ingest_assets.buckets.object_store import LABEL, LARGE_BYTES, ClientOfProcess, ObjectChanged, StoredObject
from ingest_assets.errors import ConfigError, OutsideError

_PART_BYTES = 5 << 20  # a multiple of 256 KiB, as the service asks for
_TIMEOUT_S = (5, 30)  # to connect, and between two bytes
_TRIED_S = 6.0  # a tick may ask three times before it gives up, and has a minute for all
_FIELDS = "items(name,size,generation,updated),nextPageToken"
_ADVICE = {
    "NotFound": "There is no such bucket; nothing is removed for it. Make it, or name another",
    "Forbidden": "Nothing is removed for it. Give the account the role roles/storage.objectUser on the bucket",
    "Unauthorized": "The credentials are not accepted. Renew them (gcloud auth application-default login)",
    "RefreshError": "The credentials have expired. Renew them (gcloud auth application-default login)",
    "DefaultCredentialsError": "There are no credentials. Set GOOGLE_APPLICATION_CREDENTIALS to the file of a key",
    "TooManyRequests": "The service asks for fewer requests. It is tried again",
    "ConnectionError": "Is the network up, is STORAGE_EMULATOR_HOST right? It is tried again",
}


class GcsObjects:
    """The objects below a prefix of a bucket of Google Cloud Storage."""

    def __init__(self, bucket: str, prefix: str = "") -> None:
        """Take the bucket, and the prefix that all names have before them."""
        self._bucket, self._client = bucket, ClientOfProcess(_new_client)
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.place = f"gs://{bucket}/{self.prefix}".rstrip("/")

    def list(self, *, beginning: str = "", after: str = "") -> Iterator[StoredObject]:
        """Yield objects, a thousand to a request."""
        with self._asked() as bucket:
            found = bucket.list_blobs(
                prefix=self.prefix + beginning or None,
                start_offset=self.prefix + after or None,
                fields=_FIELDS,
                page_size=1000,
                **_tries(),
            )
            for blob in found:
                if not after or blob.name != self.prefix + after:
                    yield self._object(blob)

    def head(self, name: str) -> StoredObject | None:
        """Describe one object."""
        with self._asked() as bucket:
            found = bucket.get_blob(self.prefix + name, **_tries())
        return None if found is None else self._object(found)

    def download(self, found: StoredObject, into: BinaryIO) -> None:
        """Write the bytes of one generation; the library checks them against the CRC32C."""
        from google.api_core.exceptions import NotFound, PreconditionFailed

        with self._asked() as bucket:
            blob = bucket.blob(self.prefix + found.name, generation=int(found.version))
            try:
                blob.download_to_file(into, raw_download=True, checksum="crc32c", **_tries())
            except (NotFound, PreconditionFailed) as error:
                raise ObjectChanged from error
        if into.tell() != found.size_bytes:
            raise OutsideError(f"{self.place}/{found.name}: other bytes arrived than were stored. It is tried again")

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a small object."""
        from google.api_core.exceptions import NotFound

        with self._asked() as bucket:
            try:
                return bytes(bucket.blob(self.prefix + name).download_as_bytes(raw_download=True, **_tries()))
            except NotFound:
                return None

    def upload(self, name: str, source: Path) -> StoredObject:
        """Copy a file; a large one in parts of 16 MB."""
        with self._asked() as bucket:
            blob = bucket.blob(self.prefix + name, chunk_size=LARGE_BYTES)
            blob.upload_from_filename(str(source), checksum="crc32c", **_tries())
        return self._object(blob)

    def write(self, name: str, data: bytes) -> None:
        """Write a small object."""
        with self._asked() as bucket:
            blob = bucket.blob(self.prefix + name)
            blob.upload_from_string(data, checksum="crc32c", **_tries())

    def create(self, name: str, data: bytes) -> bool:
        """Write a small object unless there is one."""
        from google.api_core.exceptions import PreconditionFailed

        with self._asked() as bucket:
            try:
                bucket.blob(self.prefix + name).upload_from_string(data, if_generation_match=0, **_tries())
            except PreconditionFailed:
                return False
        return True

    def writer(self, name: str, *, label: str) -> GcsWriter:
        """Begin an object that is written in parts of 5 MB."""
        with self._asked() as bucket:
            blob = bucket.blob(self.prefix + name, chunk_size=_PART_BYTES)
            blob.metadata = {LABEL: label}
            return GcsWriter(self, blob.open("wb", ignore_flush=True, checksum="crc32c", **_tries()))

    def copy(self, name: str, to: str, *, label: str, over: str) -> StoredObject:
        """Copy an object inside the store, with its metadata, so with its label."""
        from google.api_core.exceptions import NotFound, PreconditionFailed

        with self._asked() as bucket:
            try:
                source = bucket.blob(self.prefix + name)
                copy = bucket.copy_blob(
                    source, bucket, self.prefix + to, if_generation_match=int(over or 0), **_tries()
                )
            except (NotFound, PreconditionFailed) as error:
                raise ObjectChanged from error
        return self._object(copy)

    def label(self, name: str) -> str:
        """Return the label in an object's metadata."""
        with self._asked() as bucket:
            found = bucket.get_blob(self.prefix + name, **_tries())
        return "" if found is None else str((found.metadata or {}).get(LABEL, ""))

    def abandon(self, *, beginning: str, before: float) -> int:
        """Do nothing: the service itself forgets after a week what was never finished, and lists none of it."""
        return 0

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects, each by a request of its own: the library's batches are not safe to repeat."""
        from google.api_core.exceptions import NotFound

        with self._asked() as bucket:
            for name in names:
                with suppress(NotFound):
                    bucket.blob(self.prefix + name).delete(**_tries())

    @contextmanager
    def _asked(self) -> Iterator[Any]:
        """Give the bucket; what goes wrong with it is an OutsideError that says what to do."""
        try:
            from google.api_core.exceptions import GoogleAPIError
            from google.auth.exceptions import GoogleAuthError
            from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
            from requests.exceptions import RequestException
        except ImportError as error:
            raise ConfigError(
                f"{self.place}: the library of Google Cloud Storage is not installed; install ingest-assets[gcs]"
            ) from error
        try:
            yield self._client().bucket(self._bucket)
        except (GoogleAPIError, GoogleAuthError, RequestException, InvalidResponse, DataCorruption) as error:
            cause = getattr(error, "cause", None) or error  # RetryError holds what was tried
            name = type(cause).__name__
            if name in {"Unauthorized", "RefreshError"}:
                self._client.forget()
            advice = _ADVICE.get(name, "It is tried again")
            raise OutsideError(f"the bucket {self.place} cannot be used ({name}). {advice}") from error

    def _object(self, blob: Any) -> StoredObject:
        return StoredObject(
            name=blob.name.removeprefix(self.prefix),
            size_bytes=int(blob.size or 0),
            version=str(blob.generation),
            modified_at=float(int(blob.updated.timestamp())),
        )


@dataclass(slots=True)
class GcsWriter:
    """An object of Google Cloud Storage that is written part by part."""

    _objects: GcsObjects = field(repr=False)
    _file: Any = field(repr=False)

    def write(self, data: bytes) -> None:
        """Add bytes."""
        with self._objects._asked():
            self._file.write(data)

    def finish(self) -> None:
        """Make the object."""
        with self._objects._asked():
            self._file.close()

    def abandon(self) -> None:
        """Forget the upload; what is not finished is no object."""
        with self._objects._asked():
            self._file.terminate()


def _new_client() -> Any:
    from google.cloud import storage

    # No project: it is asked for only where buckets are made or listed, and looking for one may ask a machine's
    # metadata server.
    return storage.Client(project="-")


def _tries() -> dict[str, Any]:
    """Say how long to try: within the minute that Dagster gives a sensor, with growing pauses."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    return {"timeout": _TIMEOUT_S, "retry": DEFAULT_RETRY.with_timeout(_TRIED_S)}
