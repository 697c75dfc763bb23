"""Refuse names of uploaded files that could deceive a person, leave the project, or never be found in the bucket.

A name comes from a client's machine and is shown to other people. Marks that turn the direction of writing make
`exe.txt` of `txt.exe` (Unicode Technical Report 36, section 2.8), controls break terminals and logs, and a path would
place a file where the client did not say so in a field of its own.
"""

from __future__ import annotations

import unicodedata

from ingest_assets.buckets.contract import require_listed
from ingest_assets.errors import BadInput
from ingest_assets.file_ids import nfc
from ingest_assets.ledger_records import Scope

MAX_NAME_BYTES = 255
"""Length of a name on the file systems that buckets lie on."""
_DIRECTION_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ODD = "the name holds a control character, a mark that turns the direction of writing, or no valid UTF-8"
_INVISIBLE = {"Cc", "Cs", "Zl", "Zp"}  # controls, halves of characters, separators of lines and paragraphs


def plain_name(name: str, *, what: str = "the file") -> str:
    """Return a file's name in composed letters.

    Raises:
        BadInput: it is empty or too long, holds a path, a control or a mark of direction, or is passed over by buckets.
    """
    name = nfc(name)
    if fault := _fault(name):
        raise BadInput(f"{what} {shown(name)}: {fault}; rename it")
    require_listed(name)
    return name


def plain_owner(scope: Scope) -> Scope:
    """Return the project that files are to be kept for.

    Raises:
        BadInput: the name of its user or of itself holds a control or a mark of direction.
    """
    for what, name in (("user", scope.user_id), ("project", scope.project_id)):
        if any(map(_is_odd, name)):
            raise BadInput(f"the {what} {shown(name)}: {_ODD}; choose another name")
    return scope


def plain_folder(folder: str) -> str:
    """Return the folder that files go into below the project, without slashes at its ends; empty for the project's.

    Raises:
        BadInput: one of its segments is no plain name.
    """
    segments = [segment for segment in folder.strip("/").split("/") if folder.strip("/")]
    return "/".join(plain_name(segment, what="the folder") for segment in segments)


def shown(name: str) -> str:
    """Write a name so that it shows what it holds, 100 characters at most."""
    return ascii(name[:100]) if any(map(_is_odd, name[:100])) else repr(name[:100])


def _fault(name: str) -> str:
    if not name:
        return "the name is empty"
    if "/" in name or "\\" in name or name in {".", ".."}:
        return "the name holds a path; send the file's own name, and the folder in the field `folder`"
    if any(map(_is_odd, name)):
        return _ODD
    size = len(name.encode())
    return f"the name has {size} bytes, more than {MAX_NAME_BYTES}" if size > MAX_NAME_BYTES else ""


def _is_odd(character: str) -> bool:
    return character in _DIRECTION_MARKS or unicodedata.category(character) in _INVISIBLE
