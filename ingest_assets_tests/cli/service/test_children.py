"""Test what becomes of the parts of `ingest up` when one of them ends, a signal comes, or their parent is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = """
import sys
from pathlib import Path
from ingest_assets.cli.service.children import Children, EndAsked, SystemPart, PartEnded

def part(name, script, **how):
    return SystemPart(name, ("sh", "-c", f"echo {name} $$; {script}"), **how)

try:
    with Children(grace_s=GRACE) as children:
        BODY
except PartEnded as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
except EndAsked:
    print("asked", flush=True)
"""


class Parent:
    """A process with parts, and what it and they print."""

    def __init__(self, body: str, grace_s: float = 30) -> None:
        script = SCRIPT.replace("BODY", body).replace("GRACE", str(grace_s))
        self.process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        self.output = self.process.stdout

    def pid(self, name: str) -> int:
        """Read the next line, in which a part says its process id."""
        said, pid = self.output.readline().split()
        assert said == name
        return int(pid)

    def end(self) -> tuple[int, str]:
        """Return the exit code and the rest of what was printed; the pipe ends with the last process that holds it."""
        rest = self.output.read()
        return self.process.wait(), rest


@pytest.fixture
def parents() -> Iterator[list[Parent]]:
    made: list[Parent] = []
    yield made
    for parent in made:
        parent.process.kill()
        parent.process.wait()
        parent.output.close()


WAITING = 'children.start(part("one", "exec sleep 60")); children.start(part("two", "exec sleep 60")); children.watch()'


def test_the_end_of_one_part_ends_all_and_is_named(parents: list[Parent]) -> None:
    parent = Parent(WAITING)
    parents.append(parent)
    parent.pid("one")
    os.kill(parent.pid("two"), signal.SIGKILL)
    assert parent.end() == (1, "two was killed by SIGKILL\n")


def test_the_exit_code_of_a_part_is_passed_on(parents: list[Parent]) -> None:
    parent = Parent('children.start(part("one", "exec sleep 60")); children.run(part("two", "exit 2"))')
    parents.append(parent)
    parent.pid("one")
    parent.pid("two")
    assert parent.end() == (2, "two ended with exit code 2\n")


@pytest.mark.parametrize("asked_by", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_and_is_no_failure(parents: list[Parent], asked_by: signal.Signals) -> None:
    parent = Parent(WAITING)
    parents.append(parent)
    parent.pid("one")
    parent.pid("two")
    parent.process.send_signal(asked_by)
    assert parent.end() == (0, "asked\n")


def test_a_part_that_others_need_ends_after_them(parents: list[Parent], tmp_path: Path) -> None:
    def says(name: str) -> str:
        return f"trap 'echo {name} ends; exit' TERM; touch {tmp_path}/{name}; while :; do sleep 0.02; done"

    body = (
        f'children.start(part("one", "{says("one")}", ends_last=True)); '
        f'children.start(part("two", "{says("two")}"), is_up=Path("{tmp_path}/two").exists); '
        "children.watch()"
    )
    parent = Parent(body)
    parents.append(parent)
    assert {parent.output.readline().split()[0] for _ in range(2)} == {"one", "two"}
    while len(list(tmp_path.iterdir())) < 2:  # both know by now what to do with a signal
        pass
    parent.process.terminate()
    assert parent.end() == (0, "two ends\none ends\nasked\n")


def test_parts_hear_a_signal_that_their_grandparent_ignored_and_blocked(parents: list[Parent]) -> None:
    hears = "trap 'echo heard; exit' TERM; echo ready; while :; do sleep 0.02; done"
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        parents.append(parent := Parent(f'children.start(part("one", "{hears}")); children.watch()', grace_s=5))
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    parent.pid("one")
    assert parent.output.readline() == "ready\n"
    parent.process.send_signal(signal.SIGINT)
    assert parent.end() == (0, "heard\nasked\n")


def test_a_part_that_does_not_end_is_killed_with_what_it_started(parents: list[Parent]) -> None:
    stubborn = "trap '' TERM; sleep 60 & echo ready; while :; do sleep 1; done"
    parent = Parent(f'children.start(part("one", "{stubborn}")); children.watch()', grace_s=0.1)
    parents.append(parent)
    parent.pid("one")
    assert parent.output.readline() == "ready\n"
    parent.process.terminate()
    assert parent.end() == (0, "asked\n")


def test_parts_die_with_a_parent_that_is_killed(parents: list[Parent]) -> None:
    parent = Parent(WAITING)
    parents.append(parent)
    parent.pid("one")
    parent.pid("two")
    parent.process.kill()
    assert parent.end() == (-signal.SIGKILL, "")


def test_a_process_that_another_left_behind_is_collected(parents: list[Parent]) -> None:
    body = (
        "import memory_capped_launcher.linux as linux; linux.adopt_orphans(); "
        'children.run(part("one", "true & true & exit 0")); '
        'children.run(part("two", "sleep 0.1")); '
        'print(open("/proc/thread-self/children").read().split(), flush=True)'
    )
    parent = Parent(body)
    parents.append(parent)
    parent.pid("one")
    parent.pid("two")
    assert parent.end() == (0, "[]\n")
