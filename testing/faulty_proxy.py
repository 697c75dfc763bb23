"""Stand between a client and a server of HTTP, and answer chosen requests with a fault.

A test sees on the wire what a cloud does on a bad day: refusals, answers that end half way, bytes that were changed.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from testing.servers import serving_in_thread


@dataclass(frozen=True, slots=True)
class Fault:
    """What a request gets instead of the server's answer."""

    status: int = 0
    """Status of an answer that does not come from the server; 0: the server's."""
    body: bytes = b""
    cut_at: int | None = None
    """Close the connection after this many bytes of the body."""
    change: Callable[[bytes], bytes] | None = None
    """Change the body of the server's answer; its length stays."""


@dataclass(slots=True)
class FaultyProxy:
    """A proxy; it is transparent until `fault_for` gives a fault for a request."""

    target_port: int
    fault_for: Callable[[str, str], Fault | None] = lambda method, path: None
    """Takes method and path with query of each request."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request, in order."""
    authorizations: list[str] = field(default_factory=list)
    """The header Authorization of each request, in order."""
    url: str = ""


@contextmanager
def faulty_proxy(target_port: int) -> Iterator[FaultyProxy]:
    """Run a proxy in front of a server of this machine until the block ends."""
    proxy = FaultyProxy(target_port)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            proxy.requests.append((self.command, self.path))
            proxy.authorizations.append(self.headers.get("Authorization", ""))
            fault = proxy.fault_for(self.command, self.path) or Fault()
            if fault.status:
                self._send(fault.status, {}, fault.body, None)
                return
            connection = http.client.HTTPConnection("127.0.0.1", proxy.target_port, timeout=30)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            data = answer.read()
            connection.close()
            self._send(answer.status, dict(answer.getheaders()), fault.change(data) if fault.change else data, fault)

        def _send(self, status: int, headers: dict[str, str], data: bytes, fault: Fault | None) -> None:
            self.send_response(status)
            given = {name.lower(): value for name, value in headers.items()}
            given.pop("transfer-encoding", None)
            if self.command != "HEAD":
                given["content-length"] = str(len(data))
            for name, value in given.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            if fault is not None and fault.cut_at is not None:
                self.wfile.write(data[: fault.cut_at])
                self.close_connection = True
            else:
                self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    with serving_in_thread(server):
        yield proxy
