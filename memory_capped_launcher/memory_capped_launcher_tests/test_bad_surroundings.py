"""Test the launcher in an instance's folder with files of another user or on a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import dagster as dg
import pytest

from memory_capped_launcher.errors import LauncherUnavailableError
from memory_capped_launcher_tests.conftest import Host, outcome, until
from memory_capped_launcher_tests.patience import patient

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user and mount a small disk"),
]

SOMEBODY = 12345
IMPOSTOR = """
import os, socket, sys
os.chdir(sys.argv[1])
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[2])
os.setuid(int(sys.argv[3]))
server.listen()
print("listening", flush=True)
while True:
    connection, _ = server.accept()
    try:
        connection.sendall(b'{"ok": true}\\n')
    except OSError:
        pass
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str, str], Path]]:
    """Mount small file systems below the instance's root; ask for it before `host`, whose processes must go first."""
    mounted: list[Path] = []

    def mount(name: str, size: str) -> Path:
        folder = tmp_path / "home" / name
        folder.mkdir(parents=True, mode=0o700)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:  # a process that is ending is out of sight a moment before its files are closed
        until(partial(_unmounts, folder), f"the last file on {folder} to be closed", within_s=2)


def _unmounts(folder: Path) -> bool:
    return subprocess.run(["umount", str(folder)], capture_output=True, check=False).returncode == 0


def fill(folder: Path) -> Path:
    """Leave no room on a disk; return the file that takes it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return filler


def test_a_run_is_launched_cold_where_the_sockets_folder_is_another_users(host: Host) -> None:
    warm = host.home / "launcher/warm"
    warm.mkdir(mode=0o700)
    os.chown(warm, SOMEBODY, -1)
    run = host.run("ok")
    assert outcome(run) == "succeeded"
    said = host.said(run.run_id)
    assert "Launched cold, because" in said
    assert f"of user {SOMEBODY}" in said
    assert list(warm.iterdir()) == []


def test_a_run_is_launched_cold_where_another_user_answers_in_the_warm_process_s_place(host: Host) -> None:
    host.run("ok")
    (socket,) = (host.home / "launcher/warm").glob("*.sock")
    host.kill_warm()
    socket.unlink()
    command = [sys.executable, "-c", IMPOSTOR, str(socket.parent), socket.name, str(SOMEBODY)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as impostor:
        assert impostor.stdout is not None
        assert impostor.stdout.readline() == b"listening\n"
        run = host.run("ok")
        impostor.kill()
    socket.unlink()
    assert outcome(run) == "succeeded"
    assert f"Launched cold, because the process at the other end of the launcher's socket is user {SOMEBODY}" in (
        host.said(run.run_id)
    )


def test_a_register_on_a_full_disk_fails_the_launch_by_name_and_leaves_nothing(
    small_disk: Callable[[str, str], Path], make_host: Callable[..., Host]
) -> None:
    disk = small_disk("launcher", "256k")
    host = make_host()
    filler = fill(disk)
    run = host.create("ok")
    with pytest.raises(LauncherUnavailableError, match=r"cannot be noted in .*: No space left on device; make room"):
        host.instance.launch_run(run.run_id, None)  # type: ignore[arg-type]  # it needs no workspace
    run = host.read(run.run_id)
    assert (run.status, outcome(run)) == (dg.DagsterRunStatus.FAILURE, "failed")
    assert "No space left on device" in host.said(run.run_id)
    assert list((disk / "runs").iterdir()) == []
    filler.unlink()
    assert outcome(host.run("ok")) == "succeeded"


def test_a_disk_that_fills_up_costs_a_run_neither_its_limits_nor_its_name(
    small_disk: Callable[[str, str], Path], make_host: Callable[..., Host]
) -> None:
    disk = small_disk("launcher", "256k")
    host = make_host()
    run_id = host.launch("sleep", timeout_s=f"{patient(3)}")
    host.running(run_id)
    fill(disk)
    assert outcome(host.end_of(run_id)) == "timed_out"
    assert list((disk / "runs").iterdir()) == []


def test_an_end_that_a_full_disk_keeps_from_being_told_is_told_once_there_is_room(
    small_disk: Callable[[str, str], Path], make_host: Callable[..., Host]
) -> None:
    disk = small_disk("", "16m")
    host = make_host()
    run_id = host.launch("sleep", timeout_s=f"{patient(3)}")
    supervisor = host.running(run_id)
    filler = fill(disk)
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children")
    until(lambda: children.read_text() == "", "the end of the run's process")
    filler.unlink()
    assert outcome(host.end_of(run_id)) == "timed_out"


def test_logs_on_a_full_disk_cost_the_log_and_not_the_run(
    small_disk: Callable[[str, str], Path], make_host: Callable[..., Host]
) -> None:
    disk = small_disk("logs", "64k")
    host = make_host()
    fill(disk)
    assert outcome(host.run("print_without_end")) == "succeeded"
