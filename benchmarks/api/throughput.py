"""Measure requests per second of `/files` and `/search`, beside a bare FastAPI application that answers the same JSON.

    python -m benchmarks.api.throughput [--stores chroma pgvector atlas] [--seconds 10] [--clients 4]

The service has 50 files of 20 chunks in one project. The first answers are given to the bare application, which sends
them for every request: what is left is HTTP, JSON and FastAPI. The clients keep their connections and write bytes that
are made before, so that they take little of the processor that the server needs. The columns are requests per second,
and the server's processor time for one in milliseconds; a search embeds its question, which is most of it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from benchmarks.api.search import processor_ms, service
from benchmarks.api.upload import running
from benchmarks.stores.documents import chunks_of, record_of, text_of
from benchmarks.stores.places import STORES, opened
from ingest_assets.stages.publish import publish
from testing.servers import free_port

FILES, CHUNKS = 50, 20
_BARE = """
import json, sys, uvicorn
from fastapi import FastAPI
answers = json.load(open(sys.argv[2]))
app = FastAPI()
@app.get("/health")
def health(): return {}
@app.get("/files")
def files(user_id: str = "", project_id: str = "", limit: int = 100) -> dict: return answers["/files"]
@app.post("/search")
def search(body: dict) -> dict: return answers["/search"]
uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
"""


def main() -> None:
    """Measure and print the rows of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", nargs="+", default=["chroma", "pgvector", "atlas"], choices=list(STORES))
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=4)
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}", flush=True)
    print("| server | `/files`, a second | processor | `/search`, a second | processor |")
    print("| --- | --: | --: | --: | --: |", flush=True)
    record = record_of(0)
    asked = requests_of(record.user_id, record.project_id)
    answers: dict[str, object] = {}
    for name in given.stores:
        with STORES[name]() as new_place:
            address = new_place().address
            fill(address)
            with service(address) as (url, pid):
                answers = {path: answer_to(url, request) for path, request in asked.items()}
                figures = measured(url, pid, asked, clients=given.clients, seconds=given.seconds)
        print(f"| `ingest serve` over {name} | {figures} |", flush=True)
    with bare(answers) as (url, pid):
        figures = measured(url, pid, asked, clients=given.clients, seconds=given.seconds)
    print(f"| bare FastAPI, the last answers | {figures} |", flush=True)


def requests_of(user_id: str, project_id: str) -> dict[str, bytes]:
    """Return the bytes of one request to each endpoint."""
    body = json.dumps({"query": text_of("a question")[:60], "user_id": user_id, "project_id": project_id}).encode()
    posted = (
        f"POST /search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    got = f"GET /files?user_id={user_id}&project_id={project_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    return {"/files": got.encode(), "/search": f"{posted}\r\n\r\n".encode() + body}


def fill(address: tuple[str, ...]) -> None:
    """Write the files."""
    store = opened(*address)
    for number in range(FILES):
        record = record_of(number)
        publish(record, chunks_of(record, CHUNKS), store=store)
    store.close()


def measured(url: str, pid: int, asked: Mapping[str, bytes], *, clients: int, seconds: float) -> str:
    """Return requests per second and processor time of each endpoint, as cells of the table."""
    cells = []
    for request in asked.values():
        load(url, request, clients=clients, seconds=min(1.0, seconds))
        before = processor_ms(pid)
        count, took_s = load(url, request, clients=clients, seconds=seconds)
        cells += [f"{count / took_s:.0f}", f"{(processor_ms(pid) - before) / count:.1f}"]
    return " | ".join(cells)


def load(url: str, request: bytes, *, clients: int, seconds: float) -> tuple[int, float]:
    """Send a request again and again from several connections; return how often it was answered, and the seconds."""
    counts: list[int] = []
    began = time.monotonic()

    def ask() -> None:
        count = 0
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as connection:
            while time.monotonic() - began < seconds:
                connection.sendall(request)
                head, _ = answered(connection)
                assert b" 200 " in head.partition(b"\r\n")[0], head
                count += 1
        counts.append(count)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == clients, "a client failed"
    return sum(counts), time.monotonic() - began


def answered(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read one answer; return its head and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    size = next(
        int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    pieces, have = [body], len(body)
    while have < size:
        pieces.append(received(connection))
        have += len(pieces[-1])
    return head, b"".join(pieces)


def received(connection: socket.socket) -> bytes:
    """Return the next bytes."""
    data = connection.recv(1 << 18)
    assert data, "the server closed the connection"
    return data


def answer_to(url: str, request: bytes) -> object:
    """Return the JSON that a server answers, and make sure that it found what was written."""
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as connection:
        connection.sendall(request)
        _, body = answered(connection)
    found = json.loads(body)
    assert len(found.get("files", found.get("hits"))) in {FILES, 10}, found
    return found


@contextmanager
def bare(answers: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    """Run a FastAPI application that sends these answers; give its address and process."""
    port = free_port()
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(answers, file)
        file.flush()
        with running([sys.executable, "-c", _BARE, str(port), file.name], port, dict(os.environ)) as pid:
            yield f"http://127.0.0.1:{port}", pid


if __name__ == "__main__":
    main()
