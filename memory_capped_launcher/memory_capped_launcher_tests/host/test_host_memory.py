"""Test that the host's memory is read rightly from files as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

from memory_capped_launcher.host.host_memory import HostMemory, host_memory_mb, read_host_memory

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


def test_a_look_says_what_limits_the_host_and_what_is_left(tmp_path: Path) -> None:
    files = {
        "a/memory.max": f"{2 * GB}\n",
        "a/memory.current": f"{GB}\n",
        "a/memory.stat": f"anon 5\ninactive_file {GB // 4}\n",
    }
    proc, cgroup = host(tmp_path, own_groups="0::/a\n", files=files)
    (proc / "meminfo").write_text(
        "MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\nSwapTotal: 2048 kB\nSwapFree: 1024 kB\n"
    )
    limit = cgroup / "a/memory.max"
    assert read_host_memory(proc=proc, cgroup=cgroup) == HostMemory(2048, str(limit), 1280, 2, 1)


def test_a_look_at_a_free_machine_names_the_machine(tmp_path: Path) -> None:
    proc, cgroup = host(tmp_path, own_groups="0::/\n", files={})
    (proc / "meminfo").write_text("MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\n")
    assert read_host_memory(proc=proc, cgroup=cgroup) == HostMemory(8192, "the machine", 4096, 0, 0)


def test_a_look_from_another_process_finds_the_limit_on_that_one(tmp_path: Path) -> None:
    files = {"service/memory.max": f"{GB}\n"}
    proc, cgroup = host(tmp_path, own_groups="0::/terminal\n", files=files)
    (proc / "7").mkdir()
    (proc / "7/cgroup").write_text("0::/service\n")
    assert read_host_memory(proc=proc, cgroup=cgroup).total_mb == 8192
    assert read_host_memory(7, proc=proc, cgroup=cgroup).total_mb == 1024
