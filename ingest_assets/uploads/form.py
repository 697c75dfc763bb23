"""Read the text fields of an upload: whose the files are, which names they get, which files they replace.

Clients of the service that this one replaces send their fields in any order, also behind the files, so the whole form
is read before a name is given. Fields that are not known here are what the client says of the files: they are given
back with the job, and the chunks of the files carry them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest_assets.buckets.contract import require_listed
from ingest_assets.errors import BadInput
from ingest_assets.file_ids import key_for, nfc
from ingest_assets.stages.client_metadata import MAX_FILE_METADATA_CHARS, metadata_fault
from ingest_assets.uploads.names import plain_folder, plain_name, shown

FILE_FIELDS = frozenset({"files", "files[]", "file"})
_ONCE = "the field {}: it was sent twice; send it once"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadForm:
    """The fields of one upload."""

    user_id: str = ""
    project_id: str = ""
    folder: str = ""
    """Below the project; empty: in the project itself."""
    replace: frozenset[str] = frozenset()
    """Names, as sent or as kept, whose file may be replaced."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """New names by those that were sent."""
    metadata: Mapping[str, Any] | None = None
    """What the client says of the files; None: nothing, so that what was said before stays."""


def read_form(fields: Sequence[tuple[str, str]]) -> UploadForm:
    """Read the fields.

    Raises:
        BadInput: a field was sent twice or is not what it should be.
    """
    given: dict[str, str] = {}
    for name, value in fields:
        if name in given:
            raise BadInput(_ONCE.format(shown(name)))
        if not _is_text(name + value):
            raise BadInput(f"the field {shown(name)}: it is not valid UTF-8, or holds a NUL character; correct it")
        given[name] = value
    known = {
        name: given.pop(name, "") for name in ("user_id", "project_id", "folder", "replace_filenames", "rename_map")
    }
    metadata = _metadata(given.pop("metadata", ""), given)
    return UploadForm(
        user_id=nfc(known["user_id"]),
        project_id=nfc(known["project_id"]),
        folder=plain_folder(known["folder"]),
        replace=_names(known["replace_filenames"]),
        renames=_renames(known["rename_map"]),
        metadata=metadata,
    )


def names_in_bucket(form: UploadForm, sent: Sequence[str]) -> list[str]:
    """Return the key that each file gets, in the order of the names that were sent.

    Raises:
        BadInput: a name is no plain one, two files would get one name, or the map renames a file that was not sent.
    """
    plain = [plain_name(name) for name in sent]
    if unknown := sorted(form.renames.keys() - set(plain)):
        raise BadInput(f"rename_map: {shown(unknown[0])} is not among the files; leave it out")
    chosen = [form.renames.get(name, name) for name in plain]
    for number, name in enumerate(chosen):
        if name in chosen[:number]:
            raise BadInput(
                f"the file {shown(sent[number])}: another file of this upload gets the name {shown(name)} too; rename "
                "one, or send it once"
            )
    below = f"{form.folder}/" if form.folder else ""
    keys = [key_for(form.user_id, form.project_id, f"{below}{name}") for name in chosen]
    for key in keys:
        require_listed(key)
    return keys


def may_replace(form: UploadForm, *, sent_as: str, key: str) -> bool:
    """Tell whether a file's name stands in the list of those that may be replaced, as it was sent or as it is kept."""
    kept_as = key.split("/", 2)[2]
    return not form.replace.isdisjoint({nfc(sent_as), kept_as, kept_as.rsplit("/", 1)[-1]})


def _names(text: str) -> frozenset[str]:
    found = _json(text, "replace_filenames", "a JSON list of names") if text.strip() else []
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise BadInput('replace_filenames: it is no JSON list of names; write ["a.pdf", "b.pdf"]')
    return frozenset(map(nfc, found))


def _renames(text: str) -> dict[str, str]:
    found = _json(text, "rename_map", "a JSON object") if text.strip() else {}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        raise BadInput('rename_map: it is no JSON object of names; write {"sent.pdf": "kept.pdf"}')
    return {nfc(old): plain_name(new, what="rename_map: the file") for old, new in found.items()}


def read_metadata(text: str) -> dict[str, Any]:
    """Read what a client says of files from a JSON text.

    Raises:
        BadInput: it is no JSON object, or no store can keep it.
    """
    found = _json(text, "metadata", "a JSON object")
    if not isinstance(found, dict):
        raise BadInput('metadata: it is no JSON object; write {"title": "…"}')
    return _kept_by_stores(found)


def _metadata(text: str, given: dict[str, str]) -> dict[str, Any] | None:
    """Put what stands in the field `metadata` and the fields of the client's own into one object."""
    if not text.strip() and not given:
        return None
    found = read_metadata(text) if text.strip() else {}
    if doubled := sorted(found.keys() & given.keys()):
        raise BadInput(f"the field {shown(doubled[0])}: it stands in `metadata` too; send it once")
    return _kept_by_stores(found | given)


def _kept_by_stores(metadata: dict[str, Any]) -> dict[str, Any]:
    if fault := metadata_fault(metadata, max_chars=MAX_FILE_METADATA_CHARS):
        raise BadInput(f"metadata: {fault.removeprefix('metadata ')}")
    return metadata


def _json(text: str, name: str, what: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise BadInput(f"{name}: a name stands in it twice; write it once")
        return found

    def refuse(constant: str) -> None:
        raise BadInput(f"{name}: {constant} is no JSON; leave it out")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{name}: it is not {what} ({type(error).__name__}); correct it") from error


def _is_text(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
