"""Test how real runs end, also when they are killed, and that they leave nothing behind."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from memory_capped_launcher.register import RunStage
from memory_capped_launcher_tests.conftest import Host, outcome, until
from memory_capped_launcher_tests.patience import patient

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One host for all these tests, as one host serves all runs."""
    home = tmp_path_factory.mktemp("host") / "home"
    temporary = tmp_path_factory.mktemp("tmp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        patch.setenv("TMPDIR", str(temporary))
        one = Host.with_config(home)
        yield one
        one.close()


def test_a_run_succeeds_and_says_what_it_cost(host: Host) -> None:
    run = host.run("ok")
    assert outcome(run) == "succeeded"
    assert 5 < float(run.tags["memory_capped/peak_mb"]) < 300
    assert 0 < float(run.tags["memory_capped/cpu_s"]) < patient(10)
    assert "Memory cap 300 MB, by" in host.said(run.run_id)
    assert "Launched cold" not in host.said(run.run_id)


def test_a_run_that_fails_by_itself_is_left_as_it_said(host: Host) -> None:
    run = host.run("fail")
    assert (run.status, outcome(run)) == (dg.DagsterRunStatus.FAILURE, "failed")
    failures = host.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert len(failures) == 1


@pytest.mark.parametrize(
    "hoarder", ["hoard_in_python", "hoard_in_numpy", "hoard_in_children", "hoard_in_shared_memory", "abort_for_memory"]
)
def test_out_of_memory_has_its_name_however_it_comes(host: Host, hoarder: str) -> None:
    run = host.run(hoarder)
    assert (run.status, outcome(run)) == (dg.DagsterRunStatus.FAILURE, "out_of_memory")
    assert "Out of memory: " in host.said(run.run_id)
    assert run.tags["dagster/max_retries"] == "0"
    until(lambda: host.processes() == [host.warm()], "the end of everything but the warm process", within_s=3)


def test_a_refused_allocation_is_out_of_memory_whether_or_not_the_run_can_report_it(host: Host) -> None:
    """RLIMIT_DATA refuses while the traceback still holds all that was allocated: the run may be unable to say so."""
    for _ in range(5):
        assert outcome(host.run("hoard_in_python", memory_limit_mb="600")) == "out_of_memory"


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed; it comes with the extra `torch`")
def test_torch_refused_memory_in_native_code_is_out_of_memory(host: Host) -> None:
    run = host.end_of(host.launch("hoard_in_torch", memory_limit_mb="700"))
    assert (run.status, outcome(run)) == (dg.DagsterRunStatus.FAILURE, "out_of_memory")
    assert float(run.tags["memory_capped/peak_mb"]) > 400  # it was imported, and hoarded


def test_memory_that_children_share_is_counted_once(host: Host) -> None:
    run = host.run("share_with_children", memory_limit_mb="230")
    assert outcome(run) == "succeeded"
    assert float(run.tags["memory_capped/peak_mb"]) > 60


def test_a_tag_raises_the_cap_and_the_event_says_what_was_granted(host: Host) -> None:
    run = host.run("ok", memory_limit_mb="9999999")
    assert "9999999 MB were asked for" in host.said(run.run_id)
    assert int(run.tags["memory_capped/cap_mb"]) > 300


def test_a_cap_that_no_run_fits_in_is_refused_by_name(host: Host) -> None:
    run = host.create("ok", memory_limit_mb="20")
    with pytest.raises(Exception, match="below the 96 MB"):
        host.instance.launch_run(run.run_id, None)  # type: ignore[arg-type]  # it needs no workspace
    run = host.read(run.run_id)
    assert (run.status, outcome(run)) == (dg.DagsterRunStatus.FAILURE, "failed")
    assert "raise memory_limit_mb" in host.said(run.run_id)
    assert host.register.run_ids() == []


def test_a_run_that_hangs_is_timed_out(host: Host) -> None:
    limit_s = patient(1.5)
    run = host.run("sleep", timeout_s=f"{limit_s}")
    assert (run.status, outcome(run)) == (dg.DagsterRunStatus.FAILURE, "timed_out")
    said = host.said(run.run_id)
    assert (
        f"Timed out: The run was stopped after {limit_s:g} s, its time limit. It was in work of partition sleep."
        in said
    )


def test_a_run_killed_from_outside_is_lost_and_not_called_out_of_memory(host: Host) -> None:
    run = host.run("be_killed")
    assert (run.status, outcome(run)) == (dg.DagsterRunStatus.FAILURE, "lost")
    assert "signal 9" in host.said(run.run_id)


def test_children_that_try_to_escape_do_not_survive_their_run(host: Host) -> None:
    run = host.run("leave_children")
    assert outcome(run) == "succeeded"
    left = [int(pid) for pid in (host.home / "left_behind").read_text().split()]
    assert len(left) == 6
    assert not [pid for pid in left if Path(f"/proc/{pid}").exists()]
    until(lambda: host.processes() == [host.warm()], "the end of everything but the warm process", within_s=3)


def test_zombies_do_not_survive_their_run(host: Host) -> None:
    assert outcome(host.run("make_zombies")) == "succeeded"
    until(lambda: host.processes() == [host.warm()], "the end of everything but the warm process", within_s=3)


def test_what_a_run_prints_is_in_one_file_of_bounded_size(host: Host) -> None:
    run = host.run("print_without_end")
    assert outcome(run) == "succeeded"
    log = host.home / "logs" / f"{run.run_id}.log"
    assert log.stat().st_size < 5 << 20
    assert "the last line" in log.read_text()


def test_forked_runs_roll_different_dice(host: Host) -> None:
    host.run("roll_dice")
    host.run("roll_dice")
    first, second = (path.read_text() for path in host.home.glob("dice-*"))
    assert first != second


def test_a_run_sees_the_operators_threads_and_not_the_warm_process_s(host: Host) -> None:
    assert reported(host, host.run("ok"))["threads"].value == os.environ.get("OMP_NUM_THREADS", "unset")


def test_a_run_finds_the_modules_imported_that_the_operator_named(make_host: Callable[..., Host]) -> None:
    host = make_host(preload_modules=["wave", "there.is.no.such.module"])
    assert reported(host, host.run("ok"))["imported"].value is True


def test_what_two_runs_have_imported_is_imported_for_those_that_follow(make_host: Callable[..., Host]) -> None:
    host = make_host(learn_modules=["wave"])
    note = host.home / "launcher" / "warm" / "wave.imported"
    assert [reported(host, host.run("use_a_module"))["imported"].value for _ in range(2)] == [False, False]
    until(lambda: not note.exists(), "the warm process has learnt it")
    warm = host.warm()
    assert reported(host, host.run("ok"))["imported"].value is True
    assert host.warm() == warm


def test_a_module_that_runs_do_not_import_is_not_learnt(make_host: Callable[..., Host]) -> None:
    host = make_host(learn_modules=["wave"])
    assert [reported(host, host.run("ok"))["imported"].value for _ in range(4)] == [False] * 4


def test_the_patches_of_dagster_can_be_switched_off(make_host: Callable[..., Host]) -> None:
    """A changed switch takes a new warm process, because the old one has patched Dagster already."""
    host = make_host()
    assert reported(host, host.run("ok"))["patched"].value == ["keep_connections", "cache_migrations"]
    first = host.warm()
    host = make_host(keep_connections=False, cache_migrations=False)
    run = host.run("ok")
    assert outcome(run) == "succeeded"
    assert reported(host, run)["patched"].value == []
    assert host.warm() not in (0, first)


def reported(host: Host, run: dg.DagsterRun) -> Mapping[str, dg.MetadataValue[Any]]:
    (event,) = host.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert event.dagster_event is not None
    return event.dagster_event.step_materialization_data.materialization.metadata


def test_cancelling_a_running_run_ends_it_as_cancelled(host: Host) -> None:
    run_id = host.launch("sleep")
    host.running(run_id)
    assert host.launcher.terminate(run_id) is True
    run = host.end_of(run_id)
    assert (run.status, outcome(run)) == (dg.DagsterRunStatus.CANCELED, "cancelled")
    assert host.launcher.terminate(run_id) is False


def test_cancelling_from_another_process_works(host: Host) -> None:
    """`terminate` is called in the web server, `launch_run` in the daemon: they share the instance's folder only."""
    run_id = host.launch("sleep")
    with dg.DagsterInstance.from_config(str(host.home)) as other:
        assert other.run_launcher.terminate(run_id) is True
    assert outcome(host.end_of(run_id)) == "cancelled"


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_cancelling_at_any_moment_of_the_launch_ends_the_run(host: Host, after_s: float) -> None:
    run = host.create("sleep")
    launch = threading.Thread(target=host.instance.launch_run, args=(run.run_id, None))
    launch.start()
    time.sleep(patient(after_s))  # the moment under test
    with dg.DagsterInstance.from_config(str(host.home)) as other:
        until(lambda: host.read(run.run_id).status is not dg.DagsterRunStatus.NOT_STARTED, "the launch")
        other.run_launcher.terminate(run.run_id)
    launch.join()
    run = host.end_of(run.run_id)
    assert (run.status, outcome(run)) == (dg.DagsterRunStatus.CANCELED, "cancelled")


@pytest.mark.parametrize("sign", ["lock", "json", "claim"])
def test_cancelling_between_the_launch_and_the_fork_ends_the_run(host: Host, sign: str) -> None:
    """As soon as a sign of the run stands in the register: it is handed over, then claimed, then forked."""
    run = host.create("sleep")
    launch = threading.Thread(target=host.instance.launch_run, args=(run.run_id, None))
    with dg.DagsterInstance.from_config(str(host.home)) as other:
        launch.start()
        path = host.home / "launcher/runs" / f"{run.run_id}.{sign}"
        until(path.exists, f"the run's {sign}", look_every_s=0.0)
        other.run_launcher.terminate(run.run_id)
    launch.join()
    run = host.end_of(run.run_id)
    assert (run.status, outcome(run)) == (dg.DagsterRunStatus.CANCELED, "cancelled")


def test_a_run_waits_its_turn_and_can_be_cancelled_while_it_waits(host: Host) -> None:
    first, second, third = host.launch("sleep"), host.launch("ok"), host.launch("ok")
    host.running(first)
    stages = [entry.stage for entry in host.register.living()]
    assert stages == [RunStage.RUNNING, RunStage.WAITING, RunStage.WAITING]
    host.launcher.terminate(second)
    assert outcome(host.end_of(second)) == "cancelled"
    host.launcher.terminate(first)
    assert outcome(host.end_of(third)) == "succeeded"


def test_runs_go_side_by_side_where_the_operator_lets_them(make_host: Callable[..., Host]) -> None:
    host = make_host(max_parallel=2)
    runs = [host.launch("sleep"), host.launch("sleep")]
    supervisors = {host.running(run_id) for run_id in runs}
    assert len(supervisors) == 2


def names(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def shared_memory() -> set[str]:
    """Return the names in shared memory, without those of servers and folders that other tests make meanwhile."""
    return {name for name in names("/dev/shm") if not name.startswith(("PostgreSQL.", "pytest-of-"))}


def test_many_runs_leave_nothing_behind(host: Host) -> None:
    host.run("ok")
    warm = host.warm()
    descriptors = names(f"/proc/{warm}/fd")
    own = len(names("/proc/self/fd"))
    shared = shared_memory()
    # `make soak` sets TEST_SOAK and tries more of the same.
    for _ in range(50 if os.environ.get("TEST_SOAK") == "1" else 15):
        assert outcome(host.run("ok")) == "succeeded"
    assert host.warm() == warm
    until(lambda: host.processes() == [warm], "the end of the last supervisor")
    # Fewer is right, too: it lets go of the launchers of earlier tests when it notices that they are gone.
    # The warm process lets go of a run's descriptors when it has reaped its supervisor, a moment after the run's end.
    until(lambda: len(names(f"/proc/{warm}/fd")) <= len(descriptors), "no more descriptors than before", within_s=5)
    assert abs(len(names("/proc/self/fd")) - own) <= 1
    assert shared_memory() <= shared
    assert names(host.home / "launcher/runs") == []
    assert names(os.environ["TMPDIR"]) == []


def test_health_is_told_of_the_living_and_the_dead(host: Host) -> None:
    run_id = host.launch("sleep")
    host.running(run_id)
    assert host.launcher.check_run_worker_health(host.read(run_id)).status.value == "RUNNING"
    os.kill(host.supervisor(run_id), signal.SIGKILL)
    run = host.end_of(run_id)
    assert host.launcher.check_run_worker_health(run).status.value == "FAILED"
