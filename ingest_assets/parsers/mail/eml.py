"""Read a mail (EML), a mailbox (mbox) or a saved web page (MHT): subject, headers, text and attachments.

The standard library parses the message, with its policy `compat32`. Its newer policy parses every address while it
reads, in quadratic time, and raises on malformed ones. The whole message is held in memory, which takes some five times
its size; the limit on the size of a file keeps that within the memory of a run. Links in a mail are never fetched.
"""

from __future__ import annotations

import codecs
import io
import mimetypes
import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from functools import partial
from pathlib import Path
from typing import IO, Any

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.damage import naming_damage
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection import encoding
from ingest_assets.parsers.embedded import EmbeddedDocuments
from ingest_assets.parsers.mail import parts as mail_parts
from ingest_assets.parsers.mail.parts import Attachment, Body, Mail
from ingest_assets.records import Part

VERSION = "6"
PART = "block of text"

_FIELDS = ("From", "To", "Cc", "Date")
_PROTECTED = {
    "multipart/encrypted": "the mail is encrypted (PGP or S/MIME); save its text unencrypted",
    "application/pkcs7-mime": "the mail is encrypted or sealed (S/MIME); save its text unencrypted",
    "application/x-pkcs7-mime": "the mail is encrypted or sealed (S/MIME); save its text unencrypted",
}
_ENCODED_WORD = re.compile(r"(=\?[^?]*\?[qQbB]\?.*?\?=)")
# Parts without text: signatures, style sheets and scripts.
_NO_TEXT = {
    *("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"),
    *("text/css", "text/javascript", "application/javascript", "application/x-javascript"),
}


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the mail in parts of some 32,000 characters, then each attachment in parts of its own.

    Raises:
        BadInput: encrypted, nested too deep to parse, or no mail.
    """
    builder = PartBuilder(limits=limits, start=start)
    documents = EmbeddedDocuments(builder=builder, limits=limits)
    with path.open("rb") as file:
        head = file.read(64)
        begins = head.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")  # the library reads no header after either
        is_box = begins.startswith(b"From ")
        file.seek(len(head) - len(begins))
        for number, source in enumerate(_of_box(file) if is_box else [file], start=1):
            try:
                with naming_damage("a mail"):
                    mail = _mail(BytesParser(_Message).parse(source))
            except BadInput as error:
                if not is_box:
                    raise
                builder.warn(f"mail {number} was left out: {error}")
                continue
            if builder.elements:
                yield from builder.flush()
            yield from mail_parts.parts(mail, builder=builder, documents=documents)
    yield from builder.rest()


def _of_box(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Yield the mails of a mailbox (mbox); each begins with a line "From " that follows a blank line."""
    held: list[bytes] = []
    is_blank = False
    for line in file:
        if held and is_blank and line.startswith(b"From "):
            yield io.BytesIO(b"".join(held))
            held = []
        held.append(line)
        is_blank = not line.strip()
    yield io.BytesIO(b"".join(held))


class _Message(Message):
    """A message whose damaged parameters (boundary, charset, file name) count as absent.

    The standard library raises ValueError on a NUL in the name of a charset and on a continuation (RFC 2231) with
    thousands of digits; one such header would refuse the whole mail.
    """

    def get_param(self, *args: Any, **options: Any) -> Any:
        """Return a parameter, or the default where the header cannot be parsed."""
        try:
            return super().get_param(*args, **options)
        except ValueError:
            return args[1] if len(args) > 1 else options.get("failobj")

    def get_filename(self, failobj: Any = None) -> Any:
        """Return the file name, or the default where it cannot be decoded."""
        try:
            return super().get_filename(failobj)
        except ValueError:
            return failobj

    def get_content_charset(self, failobj: Any = None) -> Any:
        """Return the declared charset, or the default where its name cannot be read."""
        try:
            return super().get_content_charset(failobj)
        except ValueError:
            return failobj


def _mail(message: _Message) -> Mail:
    """Split a message into subject, headers, bodies and attachments.

    Raises:
        BadInput: encrypted.
    """
    walk = _MessageWalk()
    bodies = walk.bodies(message)
    return Mail(
        subject=_header(message, "Subject"),
        fields=tuple((name, _header(message, name)) for name in _FIELDS),
        bodies=tuple(bodies),
        attachments=walk.attachments,
    )


class _MessageWalk:
    """Walk over the parts of a message and collect its attachments."""

    def __init__(self) -> None:
        self.attachments: list[Attachment] = []

    def bodies(self, part: _Message) -> list[Body]:
        """Return the bodies that are text of the mail, and collect the attachments."""
        media_type = part.get_content_type()
        if media_type in _PROTECTED:
            raise BadInput(_PROTECTED[media_type])
        if media_type in _NO_TEXT and not part.get_filename("").endswith((".css", ".js")):
            return []
        children = _children(part)
        if media_type == "message/rfc822" and children:
            self._keep_mail(children[0])
            return []
        if part.is_multipart():
            options = [self.bodies(child) for child in children]
            if media_type == "multipart/alternative":
                return mail_parts.best(options)
            if media_type.startswith("multipart/"):
                return [body for option in options for body in option]
            # A delivery report: its fields stand in the headers of parts that have no body.
            return [Body("\n\n".join(_fields(child) for child in children))]
        if media_type in {"text/plain", "text/html"} and not _is_attached(part):
            return [Body(_text(part), is_html=media_type == "text/html")]
        self._keep(part, media_type=media_type)
        return []

    def _keep_mail(self, message: _Message) -> None:
        name = _header(message, "Subject") or f"mail {len(self.attachments) + 1}"
        self.attachments.append(Attachment(name, mail=partial(_mail, message)))

    def _keep(self, part: _Message, *, media_type: str) -> None:
        name = _decoded(part.get_filename() or "")
        is_inline = media_type.startswith("image/") and (not name or part.get_content_disposition() == "inline")
        suffix = mimetypes.guess_extension(media_type) or ""
        name = name or f"attachment {len(self.attachments) + 1}{suffix}"
        self.attachments.append(Attachment(name, data=partial(_data, part), is_inline=is_inline))


def _children(part: _Message) -> list[_Message]:
    payload = part.get_payload()
    return [child for child in payload if isinstance(child, _Message)] if isinstance(payload, list) else []


def _is_attached(part: _Message) -> bool:
    return part.get_content_disposition() == "attachment" or bool(part.get_filename())


def _data(part: _Message) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _text(part: _Message) -> str:
    return encoding.decode_bytes(_data(part), declared=str(part.get_content_charset() or ""))


def _fields(part: _Message) -> str:
    return "\n".join(f"{name}: {_decoded(value)}" for name, value in part.raw_items())


def _header(message: _Message, name: str) -> str:
    value = next((value for key, value in message.raw_items() if key.lower() == name.lower()), "")
    return _decoded(value)


def _decoded(value: str) -> str:
    """Decode the encoded words (RFC 2047) of a header, and bytes that stand in it without any encoding.

    A word that cannot be decoded, because it was cut (NousResearch/hermes-agent#55381), stays as it is written.
    """
    value = value.replace("\r", "").replace("\n", " ")
    try:
        words = decode_header(value)
    except HeaderParseError:
        words = _decoded_one_by_one(value)
    pieces: list[str] = []
    for word, charset in words:
        data = word if isinstance(word, bytes) else word.encode("utf-8", "surrogateescape")
        pieces.append(encoding.decode_bytes(data, declared=charset or ""))
    return " ".join("".join(pieces).split())


def _decoded_one_by_one(value: str) -> list[tuple[Any, str | None]]:
    """Decode each encoded word alone; a space between two of them is no part of the text (RFC 2047, 6.2)."""
    pieces = _ENCODED_WORD.split(value)
    words = [_decoded_word(piece) for piece in pieces]
    is_decoded = [isinstance(word, bytes) for word, _ in words]
    between = [
        number
        for number in range(2, len(pieces) - 1, 2)
        if pieces[number].isspace() and is_decoded[number - 1] and is_decoded[number + 1]
    ]
    return [word for number, word in enumerate(words) if number not in between]


def _decoded_word(piece: str) -> tuple[Any, str | None]:
    try:
        return decode_header(piece)[0]
    except HeaderParseError:
        return piece, None
