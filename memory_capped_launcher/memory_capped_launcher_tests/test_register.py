"""Test that each run has one supervisor at most, that lost runs are found, and whose turn it is."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from memory_capped_launcher.errors import LauncherConfigError, LauncherUnavailableError
from memory_capped_launcher.register import Register, RunEntry, RunStage, may_start

ENTRY = RunEntry(run_id="r1", ticket=1, cap_mb=500)


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return Register(tmp_path)


def test_a_run_is_in_charge_of_one_holder_only(register: Register) -> None:
    lock = register.open(ENTRY)
    assert register.adopt("r1") is None
    with pytest.raises(LauncherConfigError, match="launched already"):
        register.open(ENTRY)
    register.close("r1", lock)
    assert register.run_ids() == []


def test_a_run_that_is_being_launched_never_looks_lost(register: Register) -> None:
    """Others look for lost runs all the time: one that they could adopt would be reported as dead before it began."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        deadline = time.monotonic() + 1.0
        adopted = any(register.adopt("r1") is not None for _ in iter(lambda: time.monotonic() < deadline, False))
        os.write(writer, b"adopted" if adopted else b"never")
        os._exit(0)
    deadline = time.monotonic() + 1.2
    while time.monotonic() < deadline:
        register.close("r1", register.open(ENTRY))
    os.waitpid(pid, 0)
    assert os.read(reader, 16) == b"never"
    assert [path.name for path in (register._root).iterdir()] == []
    for descriptor in (reader, writer):
        os.close(descriptor)


def test_a_run_whose_holder_died_can_be_adopted_once(register: Register) -> None:
    os.close(register.open(ENTRY))
    lock = register.adopt("r1")
    assert lock is not None
    assert register.adopt("r1") is None
    register.close("r1", lock)


def test_a_lock_handed_to_a_child_holds_after_the_parent_let_go(register: Register) -> None:
    lock = register.open(ENTRY)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)  # until the parent is done
        os._exit(0)
    os.close(reader)
    os.close(lock)
    held = register.adopt("r1") is None
    os.close(writer)
    os.waitpid(pid, 0)
    assert held
    lock = register.adopt("r1") or 0
    register.close("r1", lock)


def test_only_one_supervisor_claims_a_run(register: Register) -> None:
    lock = register.open(ENTRY)
    assert [register.claim("r1"), register.claim("r1")] == [True, False]
    register.close("r1", lock)


def test_a_run_that_is_not_in_the_register_cannot_be_cancelled(register: Register) -> None:
    assert register.cancel("r1") is False
    lock = register.open(ENTRY)
    assert register.cancel("r1") is True
    assert register.cancelled("r1")
    register.close("r1", lock)
    assert not register.cancelled("r1")


def test_a_cancelled_run_may_be_launched_again(register: Register) -> None:
    os.close(register.open(ENTRY))
    register.cancel("r1")
    lock = register.open(ENTRY)
    assert not register.cancelled("r1")
    assert register.claim("r1")
    register.close("r1", lock)


def test_an_entry_cut_short_by_a_full_disk_is_no_entry(register: Register, tmp_path: Path) -> None:
    (tmp_path / "runs/r1.json").write_text('{"run_id": "r1", "tic')
    assert register.read("r1") is None


@pytest.mark.parametrize("run_id", ["../r1", "a/b", "", ".hidden"])
def test_an_id_that_is_a_path_is_refused(register: Register, run_id: str) -> None:
    with pytest.raises(LauncherConfigError, match="cannot be a file's name"):
        register.open(replace(ENTRY, run_id=run_id))


def test_the_dead_are_not_among_the_living(register: Register) -> None:
    os.close(register.open(ENTRY))
    lock = register.open(RunEntry(run_id="r0", ticket=2, cap_mb=1))
    assert [entry.run_id for entry in register.living()] == ["r0"]
    register.close("r0", lock)


def test_the_run_with_the_highest_priority_is_the_first_that_waits(register: Register) -> None:
    entries = [replace(ENTRY, run_id=f"r{ticket}", ticket=ticket, priority=-ticket % 3) for ticket in range(5)]
    locks = {entry.run_id: register.open(entry) for entry in entries}
    assert [entry.run_id for entry in register.living()] == ["r1", "r4", "r2", "r0", "r3"]
    for run_id, lock in locks.items():
        register.close(run_id, lock)


def waiting(run_id: str, cap_mb: int = 500) -> RunEntry:
    return RunEntry(run_id=run_id, ticket=0, cap_mb=cap_mb)


def running(run_id: str, cap_mb: int = 500) -> RunEntry:
    return RunEntry(run_id=run_id, ticket=0, cap_mb=cap_mb, stage=RunStage.RUNNING)


@pytest.mark.parametrize(
    ("entries", "starts"),
    [
        ([waiting("me")], True),
        ([waiting("other"), waiting("me")], False),
        ([running("other"), waiting("me")], True),
        ([running("other", 600), waiting("me")], False),
        ([running("a", 100), running("b", 100), waiting("me")], False),
        ([replace(running("other", 900), stage=RunStage.ENDING), waiting("me")], True),
        ([], False),
    ],
)
def test_a_run_starts_in_its_turn_and_when_its_cap_fits(entries: list[RunEntry], starts: bool) -> None:
    assert may_start("me", entries, budget_mb=1000, max_parallel=2) is starts


def test_a_run_that_the_disk_does_not_take_is_not_in_the_register(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", _no_room)
        with pytest.raises(
            LauncherUnavailableError, match=r"run r1 cannot be noted in .*: No space left on device; make room"
        ):
            register.open(ENTRY)
    assert not register.knows("r1")
    register.close("r1", register.open(ENTRY))


def _no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
