"""The parts of a body come out as they arrive, and a body is refused where it passes a limit."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_assets.errors import BadInput
from ingest_assets.uploads.multipart_reader import (
    MAX_FIELD_BYTES,
    MAX_FIELDS,
    BodyEvent,
    BodyLimits,
    FileBegin,
    FileBytes,
    FileEnd,
    MultipartReader,
    TextField,
    TooMuch,
)

TYPE = "multipart/form-data; boundary=XX"
LIMITS = BodyLimits(max_files=2, max_file_bytes=100)


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    file = f'; filename="{filename}"' if filename is not None else ""
    return f'--XX\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--XX--\r\n"


def read(pieces: Iterable[bytes], *, limits: BodyLimits = LIMITS, content_type: str = TYPE) -> list[BodyEvent]:
    reader = MultipartReader(content_type, limits=limits)
    found = [event for piece in pieces for event in reader.feed(piece)]
    reader.close()
    return found


def joined(events: Iterable[BodyEvent]) -> list[BodyEvent]:
    """Join the pieces of each file."""
    found: list[BodyEvent] = []
    for event in events:
        if isinstance(event, FileBytes) and found and isinstance(found[-1], FileBytes):
            found[-1] = FileBytes(found[-1].data + event.data)
        else:
            found.append(event)
    return found


WHOLE = body(part("user_id", b"ann"), part("files", b"some --XX words\r\n", "a.txt"), part("files", b"b", "b.txt"))
EXPECTED = [
    TextField("user_id", "ann"),
    FileBegin("files", "a.txt"),
    FileBytes(b"some --XX words\r\n"),
    FileEnd(),
    FileBegin("files", "b.txt"),
    FileBytes(b"b"),
    FileEnd(),
]


@given(st.lists(st.integers(1, len(WHOLE) - 1), max_size=12))
def test_the_parts_are_the_same_however_the_body_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts)), len(WHOLE)]
    pieces = [WHOLE[start:end] for start, end in pairwise(edges)]
    assert joined(read(pieces)) == EXPECTED


def test_what_a_library_sends_is_read() -> None:
    request = httpx.Request(
        "POST", "http://x", data={"user_id": "änn"}, files=[("files", ('q"3 é.txt', b"x")), ("files", ("b.txt", b"y"))]
    )
    found = read([request.read()], content_type=request.headers["content-type"])
    assert found[0] == TextField("user_id", "änn")
    assert [event.filename for event in found if isinstance(event, FileBegin)] == ['q"3 é.txt', "b.txt"]


def test_a_name_in_the_form_of_older_clients_is_read() -> None:
    head = b"--XX\r\nContent-Disposition: form-data; name=\"files\"; filename*=utf-8''na%C3%AFve.txt\r\n\r\nx\r\n"
    assert read([head + b"--XX--"])[0] == FileBegin("files", "naïve.txt")


def test_a_file_is_refused_by_name_in_the_middle_of_the_body() -> None:
    reader = MultipartReader(TYPE, limits=LIMITS)
    list(reader.feed(part("files", b"x" * 60, "big.bin")[:-2]))
    with pytest.raises(TooMuch, match=r"'big.bin': it is larger than 0 MB \(MAX_FILE_MB\)"):
        list(reader.feed(b"x" * 60))


def test_a_file_of_just_the_limit_is_taken() -> None:
    assert joined(read([body(part("files", b"x" * 100, "a"))]))[1] == FileBytes(b"x" * 100)


def test_one_file_too_many_is_refused_by_name() -> None:
    parts = [part("files", b"x", f"{number}.txt") for number in range(3)]
    with pytest.raises(TooMuch, match=r"'2.txt': it is number 3, .* 2 files at most \(MAX_FILES_PER_UPLOAD\)"):
        read([body(*parts)])


def test_fields_are_bounded_in_number_and_size() -> None:
    with pytest.raises(TooMuch, match=f"{MAX_FIELDS} fields at most"):
        read([body(*[part(f"f{number}", b"x") for number in range(MAX_FIELDS + 1)])])
    with pytest.raises(TooMuch, match="'long': it has more than"):
        read([body(part("long", b"x" * (MAX_FIELD_BYTES + 1)))])


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (body(part("files", b"", "none.txt")), "'none.txt': it is empty"),
        (part("files", b"half", "half.txt"), "it ends early"),
        (part("files", b"half", "half.txt")[:-4], "at the file 'half.txt': it ends early"),
        (b"", "it ends early"),
        (WHOLE.replace(b"XX", b"YY"), "does not follow the boundary"),
        (b"words\r\n" + WHOLE, "does not follow the boundary"),
        (b"--XX\r\nContent-Type: text/plain\r\n\r\nx\r\n--XX--", "a part has no name"),
        (b"--XX\r\nA: " + b"x" * 5_000 + b"\r\n\r\nx\r\n--XX--", "headers are too long"),
        (b"--XX\r\n" + b"A: b\r\n" * 9 + b"\r\nx\r\n--XX--", "headers are too long"),
    ],
)
def test_a_body_that_is_no_form_is_refused(sent: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read([sent])


@pytest.mark.parametrize(
    ("content_type", "said"),
    [
        ("application/json", "not multipart/form-data"),
        ("", "not multipart/form-data"),
        ("multipart/form-data", "names no boundary"),
        ("multipart/form-data; boundary=" + "x" * 300, "boundary is too long"),
    ],
)
def test_another_content_type_is_refused_before_anything_is_read(content_type: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        MultipartReader(content_type, limits=LIMITS)


def test_memory_does_not_grow_with_a_file() -> None:
    reader = MultipartReader(TYPE, limits=BodyLimits(max_files=1, max_file_bytes=100_000_000))
    piece, size = b"x" * 65_536, 0
    tracemalloc.start()
    try:
        list(reader.feed(part("files", b"", "big.bin")[:-2]))
        for _ in range(400):
            size += sum(len(event.data) for event in reader.feed(piece) if isinstance(event, FileBytes))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert size == 400 * 65_536
