"""What arrives lies in the bucket unseen, and is gone when the body is refused."""

from __future__ import annotations

import hashlib

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.uploads.multipart_reader import BodyLimits, TooMuch
from ingest_assets.uploads.receiving import Receiving
from ingest_assets_tests.uploads.conftest import BOUNDARY, Uploads
from ingest_assets_tests.uploads.test_multipart_reader import body, part

LIMITS = BodyLimits(max_files=2, max_file_bytes=100)


def test_files_and_fields_come_out_in_any_order(uploads: Uploads) -> None:
    receiving = Receiving(uploads.bucket, BOUNDARY, limits=LIMITS)
    receiving.feed(body(part("files", b"one", "a.txt"), part("user_id", b"ann"), part("files[]", b"two", "b.txt")))
    assert receiving.finish().user_id == "ann"
    assert [(file.sent_as, file.size_bytes, file.sha256) for file in receiving.files] == [
        ("a.txt", 3, hashlib.sha256(b"one").hexdigest()),
        ("b.txt", 3, hashlib.sha256(b"two").hexdigest()),
    ]
    assert uploads.held() == {}
    assert [path.read_bytes() for path in uploads.staged()] in ([b"one", b"two"], [b"two", b"one"])


@pytest.mark.parametrize(
    ("sent", "error", "said"),
    [
        (body(part("files", b"one", "a.txt"), part("files", b"x" * 101, "big.bin")), TooMuch, "big.bin"),
        (body(*[part("files", b"x", f"{number}.txt") for number in range(3)]), TooMuch, "'2.txt': it is number 3"),
        (body(part("files", b"one", "a.txt"), part("files", b"", "none.txt")), BadInput, "'none.txt': it is empty"),
        (part("files", b"one", "a.txt") + part("files", b"half", "b.txt")[:-4], BadInput, "'b.txt': it ends early"),
        (body(part("files", b"one", "a.txt"), part("files", b"x", "../b.txt")), BadInput, "holds a path"),
        (body(part("files", b"one", "a.txt"), part("files", b"x", "\u202eb.txt")), BadInput, "direction"),
        (body(part("files", b"one", "a.txt"), part("picture", b"x", "b.txt")), BadInput, "'picture': files come in"),
        (body(part("files", b"no file")), BadInput, "'files': it has no filename"),
        (body(part("user_id", b"ann")), BadInput, "it holds no file"),
        (body(part("files", b"one", "a.txt"), part("rename_map", b"{")), BadInput, "rename_map"),
    ],
)
def test_nothing_is_left_of_a_body_that_is_refused(
    uploads: Uploads, sent: bytes, error: type[BadInput], said: str
) -> None:
    receiving = Receiving(uploads.bucket, BOUNDARY, limits=LIMITS)
    with pytest.raises(error, match=said):
        for start in range(0, len(sent), 7):
            receiving.feed(sent[start : start + 7])
        receiving.finish()
    receiving.discard()
    assert uploads.staged() == []
    assert uploads.held() == {}
