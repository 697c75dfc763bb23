"""Test that the processes of a home and their roles are found, in plain data and in real trees of processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memory_capped_launcher.host.stack import Role, roles, stack_of, sum_up
from memory_capped_launcher_tests.conftest import Host, until

WARM = ["/venv/bin/python", "-m", "memory_capped_launcher.warm.warm_process"]
COLD = ["/venv/bin/python", "-m", "memory_capped_launcher.warm.cold_process"]


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("/venv/bin/python /venv/bin/dagster-webserver -h 0.0.0.0", Role.WEB_SERVER),
        ("/venv/bin/python -m dagster_webserver --port 3000", Role.WEB_SERVER),
        ("python3.11 /venv/bin/dagster-daemon run", Role.DAEMON),
        ("/venv/bin/python -W ignore -m dagster._daemon run", Role.DAEMON),
        ("/venv/bin/python -m dagster api grpc --lazy-load-user-code", Role.CODE_SERVER),
        ("/venv/bin/python -I /venv/bin/dagster code-server start", Role.CODE_SERVER),
        ("/venv/bin/python -m dagster api execute_run x", Role.RUN),
        (" ".join(WARM), Role.WARM),
        (" ".join(COLD), Role.SUPERVISOR),
        ("/venv/bin/python /venv/bin/dagster dev", Role.OTHER),
        ("bash -c dagster-daemon", Role.OTHER),
        ("", Role.OTHER),
    ],
)
def test_a_role_is_read_from_the_command(command: str, role: Role) -> None:
    assert roles({7: 1}, {7: command.split()}) == {7: role}


def test_a_service_that_the_caller_names_has_its_role() -> None:
    commands = {7: "/venv/bin/python3.11 /venv/bin/shop serve", 8: "/venv/bin/shop doctor"}
    found = roles({7: 1, 8: 1}, {pid: command.split() for pid, command in commands.items()}, [("shop", "serve")])
    assert found == {7: Role.SERVICE, 8: Role.OTHER}


@pytest.mark.parametrize("launcher", [WARM, COLD])
def test_what_was_forked_has_its_role_from_its_place_in_the_tree(launcher: list[str]) -> None:
    parents = {10: 1, 11: 10, 12: 11, 13: 12, 14: 11}
    commands = {10: launcher, 11: launcher, 12: launcher, 13: ["tesseract"], 14: ["an orphan of the run"]}
    found = roles(parents, commands)
    assert [found[pid] for pid in (11, 12, 13, 14)] == [Role.SUPERVISOR, Role.RUN, Role.RUN, Role.RUN]


def test_a_home_on_which_nothing_works_has_no_stack(tmp_path: Path) -> None:
    assert stack_of(tmp_path) == []


@pytest.fixture
def sleeper() -> Iterator[Callable[..., int]]:
    """Start a shell that starts a sleep, with a DAGSTER_HOME of its own."""
    started = []

    def start(home: str, *, cwd: Path) -> int:
        # `env -u`: what a member of the stack starts belongs to it even where it forgot its home.
        command = ["sh", "-c", "env -u DAGSTER_HOME sleep 60 & wait"]
        environment = {**os.environ, "DAGSTER_HOME": home}
        started.append(subprocess.Popen(command, env=environment, cwd=cwd, start_new_session=True))
        return started[-1].pid

    yield start
    for process in started:
        os.killpg(process.pid, 9)
        process.wait()


@pytest.mark.parametrize("named", ["{home}", "home", "link"])
def test_processes_belong_to_the_home_that_they_or_their_starters_name(
    tmp_path: Path, sleeper: Callable[..., int], named: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "link").symlink_to(home)
    pid = sleeper(named.format(home=home), cwd=tmp_path)
    sleeper(str(tmp_path / "other"), cwd=tmp_path)
    until(lambda: len(stack_of(home)) == 2, "the shell and its child")
    assert pid in {process.pid for process in stack_of(home)}
    (held,) = sum_up(stack_of(home))
    assert (held.role, held.processes) == (Role.OTHER, 2)
    assert 0 < held.pss_mb < 50


@pytest.mark.slow
def test_a_run_and_what_is_around_it_are_seen_for_what_they_are(host: Host) -> None:
    supervisor = host.running(host.launch("sleep"))
    found = {process.pid: process for process in stack_of(host.home)}
    assert found[host.warm()].role is Role.WARM
    assert found[supervisor].role is Role.SUPERVISOR
    (run,) = (process for process in found.values() if process.role is Role.RUN)
    assert run.parent == supervisor
    assert run.pss_mb > 10


@pytest.mark.slow
def test_a_cold_run_is_a_run(make_host: Callable[..., Host]) -> None:
    host = make_host(warm=False)
    host.running(host.launch("sleep"))
    counts = {held.role: held.processes for held in sum_up(stack_of(host.home))}
    assert counts == {Role.SUPERVISOR: 2, Role.RUN: 1}


def test_the_one_that_asks_is_left_out(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from memory_capped_launcher.host.stack import stack_of; import os;"
        "print(stack_of(Path(os.environ['DAGSTER_HOME'])))"
    )
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path)}
    assert subprocess.check_output([sys.executable, "-c", code], env=environment, text=True) == "[]\n"
