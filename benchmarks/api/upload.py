"""Measure the memory of the service while it takes large uploads, beside FastAPI's own reading of forms.

    python -m benchmarks.api.upload [--mb 50] [--on folder|s3]

Each server is a process of its own. The peak of its resident memory (VmHWM) is set back before the upload, so that what
is written is the peak during the upload above what was held before it.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, cast

import httpx

from ingest_assets.config.settings import Settings
from ingest_assets.project import Project
from testing.object_storage import s3_server
from testing.servers import START_S, STOP_S, free_port

_OURS = "from ingest_assets.cli.main import main; main()"
_BARE = """
import sys, uvicorn
from fastapi import FastAPI, Request
app = FastAPI()
@app.get("/health")
def health(): return {}
@app.post("/upload", status_code=202)
async def upload(request: Request):
    form = await request.form()
    return {"bytes": sum(file.size for file in form.getlist("files"))}
uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
"""


def memory_mb(pid: int, name: str) -> float:
    """Read a figure of a process's memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


@contextmanager
def running(command: list[str], port: int, environment: Mapping[str, str]) -> Iterator[int]:
    """Run a server until the block ends; give its process."""
    process = subprocess.Popen(command, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + START_S
    try:
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health").raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None and time.monotonic() < deadline, "the server did not start"
                time.sleep(0.05)
        yield process.pid
    finally:
        process.kill()
        process.wait(STOP_S)


def measure(pid: int, port: int, *, files: int, size_bytes: int, times: int) -> list[tuple[float, float, float]]:
    """Return idle memory, the peak above it, and seconds, for each of several uploads."""
    found = []
    for number in range(times):
        data = os.urandom(1 << 20)
        names = [f"{files}-{number}-{part}.bin" for part in range(files)]
        body = [("files", (name, cast("IO[bytes]", _Repeated(data, size_bytes)))) for name in names]
        idle = memory_mb(pid, "VmRSS")
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # sets the peak back
        began = time.monotonic()
        answer = httpx.post(
            f"http://127.0.0.1:{port}/upload", data={"user_id": "a", "project_id": "p"}, files=body, timeout=600
        )
        seconds = time.monotonic() - began
        answer.raise_for_status()
        found.append((idle, memory_mb(pid, "VmHWM") - idle, seconds))
    return found


class _Repeated:
    """A file of so many bytes that is not in memory."""

    def __init__(self, block: bytes, size_bytes: int) -> None:
        self._block, self._size, self._at = block, size_bytes, 0

    def read(self, count: int = -1) -> bytes:
        data = self._block[: min(count, self._size - self._at, len(self._block))]
        self._at += len(data)
        return data

    def seek(self, place: int, whence: int = 0) -> int:
        self._at = self._size + place if whence == os.SEEK_END else place
        return self._at

    def tell(self) -> int:
        return self._at


def main() -> None:
    """Measure and print the rows of the table."""
    chosen = argparse.ArgumentParser()
    chosen.add_argument("--mb", type=int, default=50)
    chosen.add_argument("--times", type=int, default=3)
    chosen.add_argument("--on", choices=["folder", "s3"], default="folder")
    given = chosen.parse_args()
    print(f"{platform.processor() or platform.machine()}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        settings = {"DAGSTER_HOME": str(folder / "home"), "INGEST_RATE_LIMIT": "off", "INGEST_MAX_QUEUED": "0"}
        if given.on == "s3":
            server = stack.enter_context(s3_server(folder / "s3"))
            os.environ.update(server.environment)
            settings |= {"INGEST_BUCKET": f"s3://{server.new_bucket()}"}
        (folder / "home").mkdir()
        project = Project(Settings.model_validate({**_ours(os.environ), **settings}))
        project.mark_bucket()
        project.close()
        port = free_port()
        ours = [sys.executable, "-c", _OURS, "serve"], {**os.environ, **settings, "INGESTION_PORT": str(port)}
        bare = [sys.executable, "-c", _BARE, str(port)], dict(os.environ)
        for name, (command, environment) in (("ours", ours), ("FastAPI, `request.form()`", bare)):
            for files in (1, 4):
                with running(command, port, environment) as pid:
                    rows = measure(pid, port, files=files, size_bytes=given.mb * 1_000_000 - 1, times=given.times)
                for number, (idle, above, seconds) in enumerate(rows, 1):
                    what = f"{name} | {given.on} | {files} x {given.mb} MB | {number}"
                    print(f"| {what} | {idle:.0f} | {above:.0f} | {seconds:.1f} |", flush=True)


def _ours(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith("INGEST_")}


if __name__ == "__main__":
    main()
