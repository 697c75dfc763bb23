"""Exchange one JSON line each way over a Unix socket, with at most one open file sent along.

The socket is in a folder that only its owner may enter (0700) and is accessible to its owner only (0600). Each side
asks the kernel for the other's user (`SO_PEERCRED`) and refuses a folder or a peer of another user, because a process
that answers in the warm process's place could run code as this user. Paths go through `/proc/self/fd`, because the
address of a socket holds 107 bytes at most.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from memory_capped_launcher.errors import LauncherConfigError, LauncherUnavailableError

_LONGEST_LINE = 4 << 20  # an instance's description is a few kB; a longer line is not from this package
_LISTEN_BACKLOG = 64


def listen(folder: Path, name: str) -> socket.socket:
    """Listen at a name in a folder, replacing a socket that a dead process left there."""
    with _address(folder, name) as address:
        (folder / name).unlink(missing_ok=True)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            server.bind(address)
        finally:
            os.umask(mask)
    server.listen(_LISTEN_BACKLOG)
    return server


def ask(
    folder: Path, name: str, request: dict[str, Any], *, timeout_s: float, descriptor: int | None = None
) -> dict[str, Any]:
    """Send a request, with an open file if one is given, and return the answer.

    Raises:
        LauncherConfigError: the folder or the process behind the socket belongs to another user.
        LauncherUnavailableError: no process answers.
    """
    try:
        with _address(folder, name) as address, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(address)
            _refuse_strangers(connection)
            line = json.dumps(request).encode() + b"\n"
            socket.send_fds(connection, [line], [] if descriptor is None else [descriptor])
            return _read_line(connection)[0]
    except (OSError, ValueError) as error:
        raise LauncherUnavailableError(f"the warm process at {folder / name} does not answer: {error}") from error


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Read a request and the file descriptors sent with it.

    Raises:
        LauncherConfigError: the sender is a process of another user.
        ValueError: it is not a request.
    """
    _refuse_strangers(connection)
    return _read_line(connection)


def answer(connection: socket.socket, fields: dict[str, Any]) -> None:
    """Send an answer; ignore a peer that is gone."""
    try:
        connection.sendall(json.dumps(fields).encode() + b"\n")
    except OSError:
        return


def peer_pid(connection: socket.socket) -> int:
    """Return the id of the process at the other end; 0 if it is in another process namespace."""
    return _peer(connection)[0]


def check_private(folder: Path) -> None:
    """Make the folder if it is missing, and check that only this user may enter it.

    Raises:
        LauncherConfigError: another user may enter it, or it is not a folder.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if objection := why_not_private(folder, user=os.geteuid()):
        raise LauncherConfigError(objection)


def why_not_private(folder: Path, *, user: int) -> str:
    """Return why an existing folder is not private to the user; empty if it is."""
    status = folder.lstat()
    if stat.S_ISDIR(status.st_mode) and status.st_uid == user and not status.st_mode & 0o077:
        return ""
    return (
        f"{folder} must be a folder that belongs to user {user} with mode 0700; it is mode "
        f"{stat.S_IMODE(status.st_mode):04o} of user {status.st_uid}. Remove it, and it is made anew"
    )


@contextmanager
def _address(folder: Path, name: str) -> Iterator[str]:
    check_private(folder)
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


def _refuse_strangers(connection: socket.socket) -> None:
    user = _peer(connection)[1]
    if user != os.geteuid():
        raise LauncherConfigError(
            f"the process at the other end of the launcher's socket is user {user}, not {os.geteuid()}"
        )


def _peer(connection: socket.socket) -> tuple[int, int]:
    layout = "3i"  # struct ucred: pid, uid, gid
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(layout))
    pid, user, _ = struct.unpack(layout, raw)
    return pid, user


def _read_line(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    line, descriptors = b"", []
    while not line.endswith(b"\n"):
        part, received, _, _ = socket.recv_fds(connection, 65536, 1)
        descriptors += received
        line += part
        if not part or len(line) > _LONGEST_LINE:
            for descriptor in descriptors:
                os.close(descriptor)
            raise ValueError("the connection ended in the middle of a line")
    fields = json.loads(line)
    if not isinstance(fields, dict):
        raise ValueError("a request is a JSON object")
    return fields, descriptors
