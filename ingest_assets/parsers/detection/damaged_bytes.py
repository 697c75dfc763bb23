"""Decode text in which some bytes are not valid in its encoding.

A character that was cut in two, one Latin-1 byte in a UTF-8 mail, or a byte that a code page does not define must
cost that character and nothing else. Two mistakes that programs make often can be undone: pairs of surrogates in UTF-8
(CESU-8, https://www.unicode.org/reports/tr26/: Oracle, old MySQL, Java), and the euro sign that Windows writes as 0x80
in Chinese text (https://encoding.spec.whatwg.org/#gb18030-decoder).
"""

from __future__ import annotations

import codecs
import re
from functools import cache

REPLACEMENT = "\ufffd"
"""Stands for a byte, or for a part of a character, that cannot be decoded."""

SURROGATE_PAIR = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")
"""A character above U+FFFF in CESU-8."""


@cache
def error_handler() -> str:
    """Return the name of the handler to pass as `errors`; it is registered at the first call."""
    name = "ingest_assets.replace"
    codecs.register_error(name, _replaced)
    return name


def decode(data: bytes, encoding: str) -> str:
    """Decode all bytes; those that are not valid become `REPLACEMENT`.

    Raises:
        LookupError: Python has no such encoding.
    """
    return data.decode(encoding, error_handler())


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    if error.encoding == "utf-8" and (pair := SURROGATE_PAIR.match(error.object, error.start)):
        return pair[0].decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16"), pair.end()
    if error.encoding == "gb18030" and error.object[error.start] == 0x80:
        return "€", error.start + 1
    return REPLACEMENT, error.end
