"""Send uploads, and look at what the bucket holds of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from ingest_assets_tests.api.conftest import Served


def send(client: httpx.Client, project: str, files: dict[str, bytes], **fields: Any) -> httpx.Response:
    given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
    headers = {"Idempotency-Key": given.pop("key")} if "key" in given else {}
    return client.post(
        "/upload",
        data={"user_id": "ann", "project_id": project, **given},
        files=[("files", (name, data)) for name, data in files.items()],
        headers=headers,
    )


def held(served: Served, project: str) -> dict[str, bytes]:
    folder = Path(served.settings.bucket) / "ann" / project
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def staged(served: Served) -> list[Path]:
    return list((Path(served.settings.bucket) / ".ingest-staging").glob("[!.]*"))


def status(client: httpx.Client, job_id: str) -> dict[str, Any]:
    answer = client.get("/upload/status", params={"job_id": job_id})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
