"""Turn file keys into Dagster partition keys, and back.

A `file_id` is the file key made safe for everything a partition key passes through (`--partitions` splits on commas,
ranges are written with three dots, slashes make nested paths) and still readable: `ann/reports/q3 final.pdf`
becomes `ann:reports:q3 final.pdf`. Letters and digits of every script stay as they are; characters that Dagster cannot
carry are percent-encoded.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from ingest_assets.errors import BadInput

# `[`, `]`, `*`, `"` mean something in asset selections and ranges; `:` stands for the slash.
_UNSAFE = re.compile(r'[%,:\[\]*"\'\\|<>?{}#&;$`\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]')
_MAX_KEY_BYTES = 1024  # of S3 and of GCS
_EDGE_SPACE = re.compile(r"^\s|\s$|\.(?=\.)|(?<=\.)\.")


def nfc(name: str) -> str:
    """Return a name in composed letters (Unicode's NFC), so that equal names are equal strings."""
    return unicodedata.normalize("NFC", name)


def file_id_of(key: str) -> str:
    """Turn a file key into the partition key of its file; keys that differ only in Unicode's form give the same.

    Raises:
        BadInput: the key is not `user_id/project_id/filename`, or has an empty, `.` or `..` segment.
    """
    key = nfc(key)
    segments = key.split("/")
    if len(segments) < 3 or any(segment in {"", ".", ".."} for segment in segments):
        raise BadInput(f"{key!r}: files lie two folders deep, as USER/PROJECT/FILENAME; move it there")
    if not key.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in key):
        raise BadInput(f"{key!r}: the name is not valid UTF-8; rename the file")
    return ":".join(_encode(segment) for segment in segments)


def require_possible_key(key: str) -> None:
    """Raise if no bucket can hold an object of this key.

    Raises:
        BadInput: it is empty, longer than 1,024 bytes, not valid Unicode, or holds a NUL.
    """
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError as error:
        raise BadInput(f"{key[:100]!a}: the key is not valid Unicode; leave it out") from error
    if not key or "\0" in key or size_bytes > _MAX_KEY_BYTES:
        fault = "is empty" if not key else f"has {size_bytes} bytes, {_MAX_KEY_BYTES} are possible"
        fault = "holds a NUL character" if "\0" in key else fault
        raise BadInput(f"{key[:100]!r}: the key {fault}; no object has it")


def key_for(user_id: str, project_id: str, filename: str) -> str:
    """Put a file key together, in composed letters.

    Raises:
        BadInput: a slash in the user or project would make it another user's key; or a part is empty, `.` or `..`.
    """
    for name, value in (("user", user_id), ("project", project_id)):
        if "/" in value:
            raise BadInput(f"the {name} {value!r} holds a slash: it would name another owner; leave it out")
        if value in {".", ".."}:
            raise BadInput(f"the {name} {value!r} is no name but a place of a folder; choose another name")
    key = f"{user_id}/{project_id}/{filename}"
    file_id_of(key)
    return nfc(key)


def client_file_id(user_id: str, project_id: str, doc_id: str) -> str:
    """Return the file_id of a document whose chunks a client hands in; no key of the bucket has its empty folder.

    Raises:
        BadInput: as `key_for`.
    """
    user, project, *segments = file_id_of(key_for(user_id, project_id, doc_id)).split(":")
    return ":".join((user, project, "", *segments))


def is_in_bucket(file_id: str) -> bool:
    """Tell whether a file_id is of a file in the bucket, and not of a document whose chunks were handed in."""
    return "" not in file_id.split(":")


def require_file_id(file_id: str) -> None:
    """Raise if no file can have this partition key.

    Raises:
        BadInput: it is not what `file_id_of` makes of a key.
    """
    if file_id_of(key_of(file_id)) != file_id:
        raise BadInput(
            f"{file_id!r} is no file's partition key; write USER:PROJECT:FILENAME as `ingest files --json` does"
        )


def is_valid(file_id: str) -> bool:
    """Tell whether a file of the bucket, or a document whose chunks were handed in, can have this file_id."""
    segments = file_id.split(":")
    if segments[2:3] == [""]:  # the empty folder of `client_file_id`
        del segments[2]
    try:
        require_file_id(":".join(segments))
    except BadInput:
        return False
    return True


def key_of(file_id: str) -> str:
    """Turn a partition key back into its file key."""
    return "/".join(unquote(segment) for segment in file_id.split(":"))


def composed(file_id: str) -> str:
    """Return the id in composed letters, which an earlier release did not keep; an impossible id stays as it is."""
    if file_id.isascii():
        return file_id
    try:
        return file_id_of(key_of(file_id))
    except BadInput:
        return file_id


def owner_of(key: str) -> tuple[str, str, str]:
    """Split a file key into user_id, project_id and filename; the filename may hold more slashes."""
    user_id, project_id, filename = key.split("/", 2)
    return user_id, project_id, filename


def _encode(segment: str) -> str:
    return _EDGE_SPACE.sub(_percent, _UNSAFE.sub(_percent, segment))


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode())
