"""Test that requests and open files arrive, and that sockets and peers of other users are refused."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memory_capped_launcher.errors import LauncherConfigError, LauncherUnavailableError
from memory_capped_launcher.warm import protocol
from memory_capped_launcher_tests.patience import patient


def serve_once(folder: Path, work: Callable[[dict[str, Any], list[int]], dict[str, Any]]) -> threading.Thread:
    """Answer one request."""
    server = protocol.listen(folder, "s")

    def answer() -> None:
        connection, _ = server.accept()
        with connection, server:
            protocol.answer(connection, work(*protocol.receive(connection)))

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def test_a_request_and_an_open_file_arrive(tmp_path: Path) -> None:
    def read(request: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        with os.fdopen(descriptors[0]) as file:
            return {"echo": request["op"], "file": file.read()}

    thread = serve_once(tmp_path / "socket", read)
    (tmp_path / "note").write_text("hello")
    with (tmp_path / "note").open() as file:
        reply = protocol.ask(
            tmp_path / "socket", "s", {"op": "x" * 100_000}, timeout_s=patient(5), descriptor=file.fileno()
        )
    thread.join()
    assert reply == {"echo": "x" * 100_000, "file": "hello"}


def test_the_socket_and_its_folder_are_their_owners_alone(tmp_path: Path) -> None:
    protocol.listen(tmp_path / "socket", "s").close()
    assert (tmp_path / "socket").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "socket/s").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "socket").mkdir(mode=0o755)
    with pytest.raises(LauncherConfigError, match=r"with mode 0700; it is mode 0755.*Remove it"):
        protocol.ask(tmp_path / "socket", "s", {}, timeout_s=1)


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "socket").symlink_to(tmp_path / "real")
    with pytest.raises(LauncherConfigError):
        protocol.listen(tmp_path / "socket", "s")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "socket").mkdir(mode=0o700)
    os.chown(tmp_path / "socket", 12345, -1)
    with pytest.raises(LauncherConfigError, match="of user 12345"):
        protocol.ask(tmp_path / "socket", "s", {}, timeout_s=1)


def test_a_folder_that_another_user_made_first_is_refused_by_the_server_too(tmp_path: Path) -> None:
    (tmp_path / "socket").mkdir(mode=0o770)
    (tmp_path / "socket").chmod(0o770)
    with pytest.raises(LauncherConfigError, match="mode 0770"):
        protocol.listen(tmp_path / "socket", "s")


def test_a_path_longer_than_a_sockets_address_works(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / "socket"
    thread = serve_once(folder, lambda request, _: request)
    assert protocol.ask(folder, "s", {"op": "ping"}, timeout_s=patient(5)) == {"op": "ping"}
    thread.join()


def test_a_socket_without_a_listener_is_no_answer(tmp_path: Path) -> None:
    protocol.listen(tmp_path / "socket", "s").close()
    with pytest.raises(LauncherUnavailableError, match="does not answer"):
        protocol.ask(tmp_path / "socket", "s", {}, timeout_s=1)


def test_a_server_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    with protocol.listen(tmp_path / "socket", "s"), pytest.raises(LauncherUnavailableError, match="timed out"):
        protocol.ask(tmp_path / "socket", "s", {}, timeout_s=0.1)
