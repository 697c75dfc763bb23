"""Send what no library would: each is answered by a problem that says what is wrong, where, and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingest_assets_tests.api.conftest import Served
from ingest_assets_tests.api.test_service import problem

pytestmark = pytest.mark.slow
JSON = "application/json"
FORM = "multipart/form-data; boundary=B"
OWNER = {"user_id": "ann", "project_id": "p"}
FILE = b'files"; filename="a.txt'
ASKED = b'{"query": "x", "user_id": "ann", "project_id": "p", '


def form(*fields: tuple[bytes, bytes], ends: bool = True) -> bytes:
    """Return a form with the owner, a file, and further fields; a name may go on behind its quotes."""
    parts = [(name.encode(), value.encode()) for name, value in OWNER.items()] + [(FILE, b"words"), *fields]
    body = b"".join(
        b'--B\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + value + b"\r\n"
        for name, value in parts
    )
    return body + b"--B--\r\n" if ends else body[:-4]


def located(metadata: bytes) -> bytes:
    return b'{"location": "ann/p/here.txt", "metadata": {"a": ' + metadata + b"}}"


WRONG: dict[str, tuple[str, str, bytes, str]] = {
    "an owner twice in a form": ("/upload", FORM, form((b"user_id", b"bob")), "'user_id': it was sent twice"),
    "names twice in a form": ("/upload", FORM, form(*[(b"rename_map", b"{}")] * 2), "'rename_map': it was sent twice"),
    "two files of one name": ("/upload", FORM, form((FILE, b"other")), "another file of this upload gets the name"),
    "a control in a name": ("/upload", FORM, form((b'files"; filename="a\x01.txt', b"x")), "control character"),
    "a name of another encoding": ("/upload", FORM, form((b'files"; filename="a\xff.txt', b"x")), "no valid UTF-8"),
    "a path of Windows": ("/upload", FORM, form((b'files"; filename="..\\\\b.txt', b"x")), "the name holds a path"),
    "a path from the root": ("/upload", FORM, form((b'files"; filename="/etc/hosts', b"x")), "the name holds a path"),
    "a file without a name": ("/upload", FORM, form((b"files", b"x")), "it has no filename"),
    "new names that are a list": ("/upload", FORM, form((b"rename_map", b"[]")), "rename_map: it is no JSON object"),
    "new names that are numbers": (
        "/upload",
        FORM,
        form((b"rename_map", b'{"a.txt": 3}')),
        "rename_map: it is no JSON",
    ),
    "a new name for no file": ("/upload", FORM, form((b"rename_map", b'{"b": "c"}')), "'b' is not among the files"),
    "replaced numbers": (
        "/upload",
        FORM,
        form((b"replace_filenames", b"[1]")),
        "replace_filenames: it is no JSON list",
    ),
    "metadata that is too long": ("/upload", FORM, form((b"note", b"x" * 5_000)), "at most 4000 are kept; shorten it"),
    "metadata that is NaN": ("/upload", FORM, form((b"metadata", b'{"a": NaN}')), "metadata: NaN is no JSON"),
    "a folder above": ("/upload", FORM, form((b"folder", b"../..")), "the folder '..': the name holds a path"),
    "a field that is too long": ("/upload", FORM, form((b"note", b"x" * 70_000)), "'note': it has more than"),
    "too many fields": ("/upload", FORM, form(*[(b"f%d" % at, b"x") for at in range(70)]), "64 fields at most"),
    "no boundary": ("/upload", "multipart/form-data", form(), "names no boundary"),
    "a form without its end": ("/upload", FORM, form(ends=False), "it ends early"),
    "JSON in place of a form": ("/upload", JSON, b"{}", "not multipart/form-data"),
    "a parameter twice": ("/files/rerun?user_id=ann&user_id=bob", JSON, b"{}", "query.user_id: it was sent twice"),
    "JSON that is cut": ("/search", JSON, b'{"query": ', "body: no valid JSON at character"),
    "JSON under another name": ("/search", "text/plain", ASKED + b'"k": 1}', "not application/json"),
    "JSON that is too deep": ("/search", JSON, b"[" * 100_000, "cannot be read"),
    "a number that is too long": ("/search", JSON, ASKED + b'"k": ' + b"9" * 5_000 + b"}", "cannot be read"),
    "a filter that is infinite": (
        *("/search", JSON, ASKED + b'"filters": {"metadata": {"a": Infinity}}}'),
        "body.filters.metadata.a",
    ),
    "JSON in another encoding": ("/search", JSON, b'{"query": "\xff"}', "no valid UTF-8 at byte 12"),
    "half a character": ("/search", JSON, ASKED.replace(b'"x"', b'"\\ud800"') + b'"k": 1}', "body.query"),
    "a location with NaN": ("/ingest-file", JSON, located(b"NaN"), "JSON does not have (NaN or Infinity); write null"),
    "a location with infinity": ("/ingest-file", JSON, located(b"[1e999]"), "JSON does not have (NaN or Infinity)"),
    "a location of this machine": ("/ingest-file", JSON, b'{"location": "file:///etc/hosts"}', "write s3://"),
    "a location above": ("/ingest-file", JSON, b'{"location": "ann/p/../../x"}', "USER/PROJECT/FILENAME"),
    "a callback to the cloud": (
        *("/ingest-file", JSON, b'{"location": "ann/p/here.txt", "callback": "http://169.254.169.254/"}'),
        "which is never called",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_and_nothing_is_kept(shared_service: Served, name: str) -> None:
    path, media_type, body, said = WRONG[name]
    shared_service.put("ann/p/here.txt", "words")
    answer = shared_service.client.post(path, content=body, headers={"Content-Type": media_type})
    assert answer.status_code in {400, 413, 415}, answer.text
    assert said in str(problem(answer)["detail"]), answer.text
    bucket = Path(shared_service.settings.bucket)
    assert [path.name for path in bucket.rglob("*") if path.is_file() and not path.name.startswith(".")] == ["here.txt"]
    assert shared_service.client.get("/files", params=OWNER).json()["files"] == []


@pytest.mark.parametrize("key", [b"", b"k" * 256, "caf\u00e9".encode()])
def test_an_idempotency_key_that_is_none_is_refused(shared_service: Served, key: bytes) -> None:
    body = json.dumps({"query": "x", **OWNER})
    headers = {b"Content-Type": JSON.encode(), b"Idempotency-Key": key}
    answer = shared_service.client.post("/search", content=body, headers=headers)
    assert "Idempotency-Key: send 1 to 255" in str(problem(answer)["detail"])


@pytest.mark.parametrize("path", ["/upload/status", "/upload/events"])
@pytest.mark.parametrize("job", ["unheard-of", "%00", "..%2F..", "x" * 5_000])
def test_a_job_that_cannot_be_is_not_found(shared_service: Served, path: str, job: str) -> None:
    answer = shared_service.client.get(f"{path}?job_id={job}")
    assert (answer.status_code, problem(answer)["status"]) in {(404, 404), (400, 400)}
