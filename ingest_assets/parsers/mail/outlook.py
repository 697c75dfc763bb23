"""Read an Outlook message (MSG): its subject as title, its headers, its text and its attachments.

The format is MS-OXMSG: an OLE file whose streams are the properties of the message, with a folder for each recipient
and each attachment; a message inside a message is a folder too. Only `olefile` is used, because `python-oxmsg` 0.0.2
decodes text in the declared code page only.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.damage import naming_damage
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.embedded import EmbeddedDocuments
from ingest_assets.parsers.mail import compressed_rtf
from ingest_assets.parsers.mail import parts as mail_parts
from ingest_assets.parsers.mail.outlook_properties import MESSAGE_HEADER_BYTES, OutlookFolder, code_page_of
from ingest_assets.parsers.mail.parts import Attachment, Body, Mail
from ingest_assets.records import Part

if TYPE_CHECKING:
    from olefile import OleFileIO

VERSION = "6"
PART = "block of text"

_SUBJECT, _CLASS, _BODY, _HTML, _RTF = "0037", "001A", "1000", "1013", "1009"
_SENDER, _SENDER_SMTP, _SENDER_ADDRESS = "0C1A", "5D01", "0C1F"
_TO, _CC = "0E04", "0E03"
_SENT, _DELIVERED = 0x0039, 0x0E06
_KIND_OF_RECIPIENT = 0x0C15
_NAME, _SMTP, _ADDRESS = "3001", "39FE", "3003"
_DATA, _LONG_NAME, _SHORT_NAME, _MIME, _CONTENT_ID = "3701", "3707", "3704", "370E", "3712"
_HIDDEN = 0x7FFE
_ATTACHMENT, _RECIPIENT, _EMBEDDED = "__attach_version1.0_", "__recip_version1.0_", "__substg1.0_3701000D"
# The thousands of recipients of a circular are not text of the mail.
_MAX_RECIPIENTS = 100


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the mail in parts of some 32,000 characters, then each attachment in parts of its own.

    Raises:
        BadInput: damaged, encrypted, or no Outlook message.
    """
    import olefile

    with naming_damage("an Outlook message"):
        file = olefile.OleFileIO(str(path))
    with file:
        with naming_damage("an Outlook message"):
            mail = _mail(file, ())
        builder = PartBuilder(limits=limits, start=start)
        yield from mail_parts.parts(mail, builder=builder, documents=EmbeddedDocuments(builder=builder, limits=limits))
    yield from builder.rest()


def _mail(file: OleFileIO, at: tuple[str, ...]) -> Mail:
    """Split a message, or a message inside it, into subject, headers, bodies and attachments.

    Raises:
        BadInput: encrypted.
    """
    folder = OutlookFolder(file, at, header_bytes=MESSAGE_HEADER_BYTES if not at else MESSAGE_HEADER_BYTES - 8)
    folder.code_page = code_page_of(folder, (_BODY, _SUBJECT, _SENDER, _TO))
    kind = folder.text(_CLASS).lower()
    if kind.startswith("ipm.note.smime") and not kind.endswith("multipartsigned"):
        raise BadInput("the mail is encrypted (S/MIME); save its text unencrypted")
    sender = _person(folder.text(_SENDER), folder.text(_SENDER_SMTP) or folder.text(_SENDER_ADDRESS))
    recipients = _recipients(folder)
    return Mail(
        subject=folder.text(_SUBJECT),
        fields=(
            ("From", sender),
            ("To", recipients.get(1, "") or folder.text(_TO)),
            ("Cc", recipients.get(2, "") or folder.text(_CC)),
            ("Date", folder.time(_SENT) or folder.time(_DELIVERED)),
        ),
        bodies=tuple(_bodies(folder)),
        attachments=_attachments(folder),
    )


def _person(name: str, address: str) -> str:
    # Internal addresses of Exchange (/o=...) mean nothing outside of it.
    address = address if "@" in address and address != name else ""
    return f"{name} <{address}>" if name and address else name or address


def _recipients(message: OutlookFolder) -> dict[int, str]:
    """Return the recipients as text, by their kind: 1 is To, 2 is Cc."""
    found: dict[int, list[str]] = {}
    for name in message.folders(_RECIPIENT)[:_MAX_RECIPIENTS]:
        recipient = message.inner(name, header_bytes=8)
        person = _person(recipient.text(_NAME), recipient.text(_SMTP) or recipient.text(_ADDRESS))
        found.setdefault(recipient.number(_KIND_OF_RECIPIENT, default=1), []).append(person)
    return {kind: ", ".join(filter(None, people)) for kind, people in found.items()}


def _bodies(message: OutlookFolder) -> list[Body]:
    plain, page = message.text(_BODY), message.text(_HTML)
    options = [[Body(plain)] if plain.strip() else [], [Body(page, is_html=True)] if page.strip() else []]
    if any(options):
        return mail_parts.best(options)
    packed = message.binary(_RTF)
    return [Body(rich_text=compressed_rtf.unpack(packed))] if packed else []


def _attachments(message: OutlookFolder) -> Iterator[Attachment]:
    for number, name in enumerate(message.folders(_ATTACHMENT), start=1):
        folder = message.inner(name, header_bytes=8)
        title = folder.text(_LONG_NAME) or folder.text(_SHORT_NAME) or folder.text(_NAME) or f"attachment {number}"
        if folder.has_folder(_EMBEDDED):
            yield Attachment(title, mail=partial(_inner_mail, folder))
            continue
        is_picture = folder.text(_MIME).startswith("image/") or title.lower().endswith(
            (".png", ".jpg", ".jpeg", ".gif")
        )
        is_inline = is_picture and bool(folder.number(_HIDDEN, default=0) or folder.text(_CONTENT_ID))
        yield Attachment(title, data=partial(folder.binary, _DATA), is_inline=is_inline)


def _inner_mail(folder: OutlookFolder) -> Mail:
    with naming_damage("an Outlook message"):
        return _mail(folder.file, (*folder.at, _EMBEDDED))
