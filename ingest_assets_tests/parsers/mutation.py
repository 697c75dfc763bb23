"""Damage files for the fuzzing tests, and read them with their parser."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.parsers.families import count_pages, parser_for
from ingest_assets.records import Part
from testing.soaking import share

# The time of one example does not matter here.
many_files = settings(
    max_examples=share(40, 400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    database=None,
)
SMALL = Limits(max_picture_pixels=4_000_000, max_unpacked_bytes=50_000_000)

# Bytes that parsers often fail on: numbers out of range, closing brackets, an entity, half of a character.
_STUMBLING = (b"-1", b"0", b"4294967296", b"99999999999999999999", b"1e309", b"NaN", b"<", b"]]>", b"&x;", b"\x00\xd8")

places = st.lists(
    st.tuples(
        st.floats(0, 0.999),
        st.sampled_from(["cut", "flip", "drop", "double", "ends", "number"]),
        st.binary(min_size=1, max_size=8) | st.sampled_from(_STUMBLING),
    ),
    min_size=1,
    max_size=6,
)


_NUMBER = re.compile(rb"\d+")


def mutated(data: bytes, changes: list[tuple[float, str, bytes]]) -> bytes:
    """Damage the data at the drawn places."""
    for place, kind, piece in changes:
        at = int(place * len(data))
        if kind == "cut":
            data = data[:at]
        elif kind == "flip":
            data = data[:at] + piece + data[at + len(piece) :]
        elif kind == "drop":
            data = data[:at] + data[at + 64 :]
        elif kind == "double":
            data = data[:at] + data[at : at + 256] * 2 + data[at + 256 :]
        elif kind == "number":
            number = _NUMBER.search(data, at)
            data = data[: number.start()] + piece + data[number.end() :] if number else data
        else:
            data = data[at:] + data[:at]
    return data


def read_or_refuse(path: Path, name: str) -> list[Part]:
    """Read a file of any content; anything but parts or a BadInput is a failure of the test."""
    try:
        parser = parser_for(detect(path, filename=name), filename=name)
        pages = count_pages(parser, path, limits=SMALL)
        parts = list(parser.read(path, limits=SMALL))
    except BadInput as error:
        assert str(error)
        return []
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    if pages:
        assert {part.page_number for part in parts} == set(range(1, pages + 1))
    return parts
