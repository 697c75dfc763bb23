"""Write a mail as parts: subject, headers, bodies, inline pictures, then the attachments.

Both EML and MSG use this. A forwarded mail stands one title level below the mail that contains it, as an attachment
does.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.embedded import EmbeddedDocuments
from ingest_assets.parsers.html import parser as html
from ingest_assets.parsers.html import tree as html_tree
from ingest_assets.parsers.rtf import parser as rtf
from ingest_assets.parsers.text import plain as text
from ingest_assets.records import ElementType, Part

# The thousands of recipients of a circular are not text of the mail.
_MAX_FIELD_CHARS = 2_000
_WORD = re.compile(r"\w+")
# Share of the words of the HTML body. A plain text with fewer of them usually says "your program cannot show HTML".
_LEAST_SHARE = 0.5
_STUB_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Body:
    """A piece of the text of a mail."""

    text: str = ""
    is_html: bool = False
    rich_text: bytes = b""
    """RTF instead of `text`, where Outlook stored nothing else."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file or mail attached to a mail; its data are decoded when they are needed."""

    name: str
    data: Callable[[], bytes] = bytes
    mail: Callable[[], Mail] | None = None
    """Parses the attached mail, where the attachment is one."""
    is_inline: bool = False
    """Whether it is a picture shown in the text."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A parsed mail."""

    subject: str
    fields: tuple[tuple[str, str], ...]
    bodies: tuple[Body, ...]
    attachments: Iterable[Attachment]


def parts(mail: Mail, *, builder: PartBuilder, documents: EmbeddedDocuments) -> Iterator[Part]:
    """Yield the full parts of a mail; the last part stays in the builder unless an attachment follows."""
    builder.add(ElementType.TITLE, mail.subject, level=1)
    for name, value in mail.fields:
        if value:
            builder.add(ElementType.NARRATIVE_TEXT, f"{name}: {' '.join(value.split())[:_MAX_FIELD_CHARS]}")
    for body in mail.bodies:
        yield from _add_body(body, builder=builder)
    files = []
    for attachment in mail.attachments:
        if attachment.is_inline:
            builder.add_picture(attachment.data(), name=attachment.name)
        else:
            files.append(attachment)
    for attachment in files:
        yield from _attached(attachment, builder=builder, documents=documents)


def best(options: list[list[Body]]) -> list[Body]:
    """Choose the bodies to read among alternatives.

    The plain text is chosen if it contains at least half of the words of the HTML. Otherwise the HTML is chosen if it
    contains half of the words of the plain text, or if the plain text is a short stub; if neither holds, both are.
    """
    plain = next((option for option in options if option and not any(body.is_html for body in option)), [])
    rich = next((option for option in reversed(options) if any(body.is_html for body in option)), [])
    if not (plain and rich):
        return plain or rich
    written, shown = (" ".join(map(_shown, option)) for option in (plain, rich))
    words, shown_words = (set(_WORD.findall(text.casefold())) for text in (written, shown))
    common = len(words & shown_words)
    if common >= _LEAST_SHARE * len(shown_words):
        return plain
    is_stub = common >= _LEAST_SHARE * len(words) or len(written) < _STUB_SHARE * len(shown)
    return rich if is_stub else [*plain, *rich]


def _shown(body: Body) -> str:
    """Return the visible text of a body, without mark-up."""
    if not body.is_html:
        return body.text
    root = html_tree.parse(body.text)
    html_tree.prepare(root)
    return html_tree.inner_text(root)


def _add_body(body: Body, *, builder: PartBuilder) -> Iterator[Part]:
    if body.rich_text:
        yield from rtf.add(io.BytesIO(body.rich_text), builder=builder)
        return
    if not body.is_html:
        yield from text.add([body.text], builder=builder)
        return
    builder.depth += 1
    yield from html.add(html_tree.parse(body.text), builder=builder)
    builder.depth -= 1


def _attached(attachment: Attachment, *, builder: PartBuilder, documents: EmbeddedDocuments) -> Iterator[Part]:
    if attachment.mail is None:
        yield from documents.parts(io.BytesIO(attachment.data()), name=attachment.name, level=2)
        return
    try:
        documents.count()
        mail = attachment.mail()
    except BadInput as error:
        documents.warn(attachment.name, error)
        return
    if builder.elements:
        yield from builder.flush()
    builder.depth += 1
    yield from parts(mail, builder=builder, documents=documents.deeper())
    builder.depth -= 1
