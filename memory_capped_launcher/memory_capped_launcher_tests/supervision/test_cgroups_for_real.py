"""Test the caps of cgroup v2 as the kernel enforces them.

This needs a host whose memory controller this user may use; `benchmarks/launcher/guest.sh` boots one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from memory_capped_launcher_tests.conftest import Host, outcome, until
from memory_capped_launcher_tests.patience import patient

pytestmark = pytest.mark.slow

ROOT = Path("/sys/fs/cgroup")
SOMEBODY = 12345
LAUNCH_FROM_A_SERVICE = """
import os, pathlib, sys
home, run_id, service, user = sys.argv[1:]
pathlib.Path(service, "cgroup.procs").write_text("0")
os.setgid(int(user))
os.setuid(int(user))
import dagster as dg
dg.DagsterInstance.from_config(home).launch_run(run_id, None)
"""


@pytest.fixture(scope="module")
def group() -> Iterator[Path]:
    """Make a group with the memory controller, as a service manager does before it hands it over."""
    controllers = ROOT / "cgroup.controllers"
    if not controllers.exists() or "memory" not in controllers.read_text().split():
        pytest.skip(
            f"no cgroup v2 with the memory controller at {ROOT}; benchmarks/launcher/guest.sh boots a host with it"
        )
    group = ROOT / f"launcher-tests-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cgroup.subtree_control").write_text("+memory")
    except OSError as error:
        pytest.skip(f"the memory controller at {ROOT} may not be passed on by this user: {error.strerror}")
    yield group
    for service in groups(group):
        (group / service).rmdir()
    group.rmdir()


@pytest.fixture(scope="module")
def host(group: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One host for most of these tests, as one host serves all runs."""
    home = tmp_path_factory.mktemp("host") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        one = Host.with_config(home, cgroup_root=str(group))
        yield one
        one.close()


def groups(parent: Path) -> list[str]:
    """Return the groups that a group holds."""
    return [path.name for path in parent.iterdir() if path.is_dir()]


def peak_mb(run: dg.DagsterRun) -> float:
    return float(run.tags["memory_capped/peak_mb"])


def test_the_first_event_says_that_the_kernel_holds_the_cap(group: Path, host: Host) -> None:
    run = host.run("ok")
    assert outcome(run) == "succeeded"
    assert f"Memory cap 300 MB, by cgroup v2 (memory.max in {group}/memory-capped-{run.run_id})" in host.said(
        run.run_id
    )
    assert "Launched cold" not in host.said(run.run_id)
    assert 5 < peak_mb(run) < 300
    assert groups(group) == []


@pytest.mark.parametrize(
    "hoarder", ["hoard_in_python", "hoard_in_numpy", "hoard_in_children", "hoard_in_shared_memory"]
)
def test_a_run_dies_as_one_at_its_cap_and_never_held_more(group: Path, host: Host, hoarder: str) -> None:
    run = host.run(hoarder)
    assert (run.status, outcome(run)) == (dg.DagsterRunStatus.FAILURE, "out_of_memory")
    assert "The run went over its cap of 300 MB and was stopped" in host.said(run.run_id)
    assert 290 < peak_mb(run) <= 300
    until(lambda: host.processes() == [host.warm()], "the end of everything but the warm process", within_s=3)
    assert groups(group) == []


def test_no_group_outlives_a_killed_supervisor(group: Path, host: Host) -> None:
    run_id = host.launch("leave_children_and_sleep")
    supervisor = host.running(run_id)
    until((host.home / "left_behind").exists, "the run's children")
    os.kill(supervisor, 9)
    assert outcome(host.end_of(run_id)) == "lost"
    until(lambda: groups(group) == [], "the removal of the run's group", within_s=3)


def test_a_host_that_is_ours_needs_no_setting(group: Path, make_host: Callable[..., Host]) -> None:
    if Path("/proc/self/cgroup").read_text() != "0::/\n":
        pytest.skip("the tests do not run in the root group")
    host = make_host()
    run = host.run("hoard_in_numpy")
    assert f"by cgroup v2 (memory.max in {ROOT}/memory-capped-{run.run_id})" in host.said(run.run_id)
    assert outcome(run) == "out_of_memory"
    assert not [name for name in groups(ROOT) if name.startswith("memory-capped-")]


def test_a_cold_run_is_held_by_the_kernel_too(group: Path, make_host: Callable[..., Host]) -> None:
    host = make_host(cgroup_root=str(group), warm=False)
    run = host.run("hoard_in_shared_memory")
    assert outcome(run) == "out_of_memory"
    assert peak_mb(run) <= 300
    assert groups(group) == []


def test_a_service_of_an_ordinary_user_with_a_delegated_group_needs_no_setting(
    group: Path, make_host: Callable[..., Host], tmp_path: Path
) -> None:
    """The layout of systemd's `Delegate=memory`, `DelegateSubgroup=service` and `User=`."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a service of another user")
    host = make_host(warm_idle_s=patient(1.0))
    run = host.create("hoard_in_children")
    (group / "service").mkdir()
    for path in (group, group / "cgroup.procs", group / "cgroup.subtree_control", group / "service/cgroup.procs"):
        os.chown(path, SOMEBODY, SOMEBODY)
    for path in (host.home, *host.home.rglob("*")):
        os.chown(path, SOMEBODY, SOMEBODY)
    for folder in list(tmp_path.parents)[:2]:  # pytest keeps them to itself
        folder.chmod(0o711)
    tmp_path.chmod(0o711)
    command = [sys.executable, "-c", LAUNCH_FROM_A_SERVICE, str(host.home), run.run_id, f"{group}/service"]
    subprocess.run([*command, str(SOMEBODY)], check=True)
    run = host.end_of(run.run_id)
    assert f"by cgroup v2 (memory.max in {group}/memory-capped-{run.run_id})" in host.said(run.run_id)
    assert outcome(run) == "out_of_memory"
    assert 290 < peak_mb(run) <= 300
    until(lambda: not host.processes(), "the end of the warm process")
    shutil.rmtree(host.home / "launcher/warm")
    assert groups(group) == ["service"]
