"""Test which files of cgroup v2 are read and written, on a tree of plain files."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory_capped_launcher.limits import LauncherConfig, limits_for
from memory_capped_launcher.supervision.caps import open_cap
from memory_capped_launcher.supervision.cgroups import CgroupCap, likely_parent, usable_parent

MB = 1 << 20


def delegated(tmp_path: Path, *, controllers: str = "cpu memory pids", handed_down: str = "memory") -> Path:
    group = tmp_path / "dagster"
    group.mkdir()
    (group / "cgroup.controllers").write_text(controllers + "\n")
    (group / "cgroup.subtree_control").write_text(handed_down + "\n")
    return group


def read(group: Path, name: str) -> str:
    return (group / "memory-capped-r1" / name).read_text()


def test_a_group_is_capped_without_swap_and_dies_as_one(tmp_path: Path) -> None:
    group = delegated(tmp_path)
    (group / "memory-capped-r1").mkdir()
    (group / "memory-capped-r1/memory.swap.max").write_text("max")
    CgroupCap(group, "r1", 500)
    assert read(group, "memory.max") == str(500 * MB)
    assert read(group, "memory.swap.max") == "0"
    assert read(group, "memory.oom.group") == "1"


def test_a_run_moves_itself_into_its_group(tmp_path: Path) -> None:
    group = delegated(tmp_path)
    CgroupCap(group, "r1", 500).enter()
    assert read(group, "cgroup.procs") == "0"


def test_a_kill_for_memory_is_known_by_the_groups_own_count(tmp_path: Path) -> None:
    group = delegated(tmp_path)
    cap = CgroupCap(group, "r1", 500)
    assert not cap.was_exceeded()
    (group / "memory-capped-r1/memory.events").write_text("low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\n")
    assert not cap.was_exceeded()
    (group / "memory-capped-r1/memory.events").write_text("low 0\nhigh 0\nmax 12\noom 1\noom_kill 2\n")
    assert cap.was_exceeded()


def test_the_peak_counts_no_pages_of_files(tmp_path: Path) -> None:
    group = delegated(tmp_path)
    cap = CgroupCap(group, "r1", 500)
    (group / "memory-capped-r1/memory.current").write_text(str(400 * MB))
    (group / "memory-capped-r1/memory.peak").write_text(f"{450 * MB}\n")
    (group / "memory-capped-r1/memory.stat").write_text(f"anon {60 * MB}\nfile {330 * MB}\nkernel {10 * MB}\n")
    assert cap.over_cap([]) is False
    assert cap.peak_mb == 70


def test_the_peak_of_a_group_that_the_kernel_killed_in_is_the_kernels_own(tmp_path: Path) -> None:
    """It grew to its cap between two measurements."""
    group = delegated(tmp_path)
    cap = CgroupCap(group, "r1", 500)
    (group / "memory-capped-r1/memory.stat").write_text(f"anon {60 * MB}\n")
    cap.over_cap([])
    (group / "memory-capped-r1/memory.peak").write_text(f"{500 * MB}\n")
    (group / "memory-capped-r1/memory.events").write_text("oom_kill 1\n")
    assert cap.peak_mb == 500


@pytest.mark.parametrize(
    ("own_mb", "waiting", "stands_still"),
    [
        pytest.param(490, "14.32", True, id="nothing left to take away, and it waits"),
        pytest.param(490, "3.61", False, id="full, and it works"),
        pytest.param(300, "60.00", False, id="it reads a large file"),
        pytest.param(490, None, False, id="the kernel does not measure waiting"),
    ],
)
def test_a_run_that_stands_still_at_its_cap_is_over_it(
    tmp_path: Path, own_mb: int, waiting: str | None, stands_still: bool
) -> None:
    group = delegated(tmp_path)
    cap = CgroupCap(group, "r1", 500)
    (group / "memory-capped-r1/memory.current").write_text(str(500 * MB))
    stat = {"anon": own_mb - 10, "file": 500 - own_mb, "kernel": 8, "shmem": 2}
    (group / "memory-capped-r1/memory.stat").write_text("".join(f"{kind} {mb * MB}\n" for kind, mb in stat.items()))
    if waiting is not None:
        some = "some avg10=90.00 avg60=50.00 avg300=10.00 total=9"
        pressure = f"{some}\nfull avg10={waiting} avg60=7.00 avg300=1.55 total=4724302\n"
        (group / "memory-capped-r1/memory.pressure").write_text(pressure)
    assert cap.over_cap([]) is stands_still


def test_closing_kills_what_is_left_and_never_hangs_on_a_busy_group(tmp_path: Path) -> None:
    group = delegated(tmp_path)
    cap = CgroupCap(group, "r1", 500)
    cap.close(within_s=0.05)
    assert read(group, "cgroup.kill") == "1"


def test_a_named_group_is_used_when_memory_is_handed_down(tmp_path: Path) -> None:
    group = delegated(tmp_path, controllers="cpu", handed_down="")
    assert "memory controller is not there" in str(usable_parent(str(group)))


def test_memory_is_handed_down_where_it_was_not(tmp_path: Path) -> None:
    group = delegated(tmp_path, handed_down="")
    usable_parent(str(group))
    assert (group / "cgroup.subtree_control").read_text() == "+memory"


def test_a_group_that_holds_processes_itself_is_passed_over_for_its_parent(tmp_path: Path) -> None:
    """systemd with `DelegateSubgroup=`: the service is in a group below the delegated one."""
    root = tmp_path / "cgroup"
    (root / "dagster/service").mkdir(parents=True)
    (root / "cgroup.controllers").write_text("memory")
    (root / "dagster/service/cgroup.controllers").write_text("")
    (root / "dagster/cgroup.controllers").write_text("memory")
    (root / "dagster/cgroup.subtree_control").write_text("")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/dagster/service\n")
    said = str(usable_parent(None, root=root, proc=tmp_path / "proc"))
    assert f"{root}/dagster/service: the memory controller is not there" in said
    assert (root / "dagster/cgroup.subtree_control").read_text() == "+memory"


def test_without_cgroup_v2_the_fallback_says_why() -> None:
    config = LauncherConfig(cgroup_root="/nowhere")
    cap = open_cap("r1", limits_for({}, config=config, host_mb=4000))
    assert "watchdog at 2800 MB (no cgroup v2: /nowhere: the memory controller is not there)" in cap.how


@pytest.mark.parametrize("missing", ["cgroup.controllers", "cgroup.subtree_control"])
def test_an_empty_tree_is_no_group(tmp_path: Path, missing: str) -> None:
    assert isinstance(usable_parent(None, root=tmp_path, proc=tmp_path), str)


def test_a_look_at_a_prepared_group_finds_it_and_changes_nothing(tmp_path: Path) -> None:
    group = delegated(tmp_path)
    before = {path: path.read_text() for path in group.iterdir()}
    assert likely_parent(str(group), "self") == group
    assert {path: path.read_text() for path in group.iterdir()} == before


def test_a_look_says_what_the_kernel_would(tmp_path: Path) -> None:
    group = delegated(tmp_path, handed_down="")
    assert likely_parent(str(group), "self") == group
    (group / "cgroup.type").write_text("domain\n")
    (group / "cgroup.procs").write_text("17\n")
    assert "busy" in str(likely_parent(str(group), "self"))
    (group / "cgroup.controllers").write_text("cpu\n")
    assert "memory controller is not there" in str(likely_parent(str(group), "self"))


def test_a_look_is_taken_from_where_the_launching_process_stands(tmp_path: Path) -> None:
    root, proc = tmp_path / "cgroup", tmp_path / "proc"
    (proc / "7").mkdir(parents=True)
    (proc / "7/cgroup").write_text("0::/dagster\n")
    root.mkdir()
    (root / "cgroup.controllers").write_text("memory\n")
    group = delegated(root)
    assert likely_parent(None, 7, root=root, proc=proc) == group
