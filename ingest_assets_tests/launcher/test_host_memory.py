"""How much memory there is, by files as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

from ingest_assets.launcher.host_memory import host_memory_mb

GB = 1 << 30


def host(tmp_path: Path, *, own_groups: str, files: dict[str, str]) -> tuple[Path, Path]:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal:        8388608 kB\nMemFree:         1 kB\n")
    (tmp_path / "proc/self/cgroup").write_text(own_groups)
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "proc", tmp_path / "cgroup"


def test_a_machine_without_limits_has_all_its_memory(tmp_path: Path) -> None:
    proc, cgroup = host(tmp_path, own_groups="0::/user.slice\n", files={"user.slice/memory.max": "max\n"})
    assert host_memory_mb(proc=proc, cgroup=cgroup) == 8192


def test_the_lowest_limit_on_the_way_to_the_root_counts(tmp_path: Path) -> None:
    files = {"a/b/memory.max": f"{4 * GB}\n", "a/memory.max": f"{2 * GB}\n"}
    proc, cgroup = host(tmp_path, own_groups="0::/a/b\n", files=files)
    assert host_memory_mb(proc=proc, cgroup=cgroup) == 2048


def test_a_container_of_cgroup_v1_is_seen(tmp_path: Path) -> None:
    files = {"memory/memory.limit_in_bytes": f"{GB}\n"}
    proc, cgroup = host(tmp_path, own_groups="4:memory:/docker/12ab\n0::/\n", files=files)
    assert host_memory_mb(proc=proc, cgroup=cgroup) == 1024


def test_the_limit_that_v1_calls_none_is_none(tmp_path: Path) -> None:
    files = {"memory/memory.limit_in_bytes": "9223372036854771712\n"}
    proc, cgroup = host(tmp_path, own_groups="4:memory:/\n", files=files)
    assert host_memory_mb(proc=proc, cgroup=cgroup) == 8192
