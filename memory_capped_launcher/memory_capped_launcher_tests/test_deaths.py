"""Test that a run ends by name, its slot is freed and the next run works, whichever part of the launcher is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import dagster as dg
import pytest

from memory_capped_launcher.dagster_private import ReconstructableRepository
from memory_capped_launcher_tests.conftest import Host, outcome, until
from memory_capped_launcher_tests.patience import patient

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One host for the tests that leave its launcher as it was; after a failed start it launches cold for a minute."""
    home = tmp_path_factory.mktemp("host") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        one = Host.with_config(home)
        yield one
        one.close()


@pytest.fixture
def own_host(make_host: Callable[..., Host]) -> Host:
    return make_host()


def run_with_children(host: Host) -> tuple[str, int]:
    """Launch a run that leaves children behind and sleeps; return its id and its supervisor's process id."""
    (host.home / "left_behind").unlink(missing_ok=True)
    run_id = host.launch("leave_children_and_sleep")
    supervisor = host.running(run_id)
    until((host.home / "left_behind").exists, "the run's children")
    return run_id, supervisor


def test_a_killed_supervisor_takes_its_run_along_and_the_end_is_named_within_two_seconds(host: Host) -> None:
    run_id, supervisor = run_with_children(host)
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: host.read(run_id).is_finished, "the end of the run", within_s=2)
    run = host.end_of(run_id)
    assert (run.status, outcome(run)) == (dg.DagsterRunStatus.FAILURE, "lost")
    assert "supervised the run died" in host.said(run_id)
    until(lambda: host.processes() == [host.warm()], "the end of everything the run had started", within_s=3)
    assert outcome(host.run("ok")) == "succeeded"


def test_a_killed_run_ends_by_name_within_two_seconds(host: Host) -> None:
    run_id = host.launch("sleep")
    supervisor = host.running(run_id)
    (pid,) = map(int, Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split())
    os.kill(pid, signal.SIGKILL)
    until(lambda: host.read(run_id).is_finished, "the end of the run", within_s=2)
    assert outcome(host.end_of(run_id)) == "lost"


def test_a_warm_process_killed_between_runs_is_started_again(host: Host) -> None:
    host.run("ok")
    first = host.kill_warm()
    run = host.run("ok")
    assert outcome(run) == "succeeded"
    assert "Launched cold" not in host.said(run.run_id)
    assert host.warm() not in (0, first)


def test_a_warm_process_killed_during_a_run_leaves_it_supervised(host: Host) -> None:
    run_id = host.launch("sleep")
    host.running(run_id)
    host.kill_warm()
    assert host.launcher.terminate(run_id)
    assert outcome(host.end_of(run_id)) == "cancelled"


def test_a_warm_process_killed_during_launches_costs_no_run(own_host: Host) -> None:
    """It is killed whenever it is seen: before it takes a run, while it forks, while the run is on its way."""
    moments = cycle([0.0, 0.005, 0.02, 0.1])
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.005):
            if warm := own_host.warm():
                time.sleep(patient(next(moments)))
                os.kill(warm, signal.SIGKILL)
                killed.append(warm)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        runs = [own_host.launch("ok") for _ in range(5)]
        ends = [outcome(own_host.end_of(run_id)) for run_id in runs]
    finally:
        over.set()
        killer.join()
    assert ends == ["succeeded"] * 5
    assert len(killed) > 1
    assert own_host.register.run_ids() == []
    assert outcome(own_host.run("ok")) == "succeeded"
    until(lambda: own_host.processes() == [own_host.warm()], "the end of everything but the warm process", within_s=3)


def test_children_do_not_survive_their_run_without_a_warm_process_either(host: Host) -> None:
    run_id, _ = run_with_children(host)
    host.kill_warm()
    host.launcher.terminate(run_id)
    assert outcome(host.end_of(run_id)) == "cancelled"
    until(lambda: not host.processes(), "the end of everything the run had started", within_s=3)


def test_a_warm_process_that_hangs_is_replaced(own_host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memory_capped_launcher.warm.warm_client._ANSWER_S", patient(0.5))
    monkeypatch.setattr("memory_capped_launcher.warm.warm_client._PING_S", patient(0.5))
    own_host.run("ok")
    hanging = own_host.kill_warm(signal.SIGSTOP)
    try:
        assert outcome(own_host.run("ok")) == "succeeded"
    finally:
        os.kill(hanging, signal.SIGKILL)


def test_warm_process_and_supervisor_both_killed_is_found_by_the_next_health_check(host: Host) -> None:
    run_id = host.launch("sleep")
    supervisor = host.running(run_id)
    host.kill_warm()
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: not host.processes(), "the end of the run's process")
    assert host.launcher.check_run_worker_health(host.read(run_id)).status.value == "FAILED"
    assert outcome(host.end_of(run_id)) == "lost"


def test_the_launching_process_killed_leaves_its_run_running_and_supervised(host: Host) -> None:
    run = host.create("sleep")
    script = (
        "import sys, time, dagster as dg\n"
        "instance = dg.DagsterInstance.from_config(sys.argv[1])\n"
        "instance.launch_run(sys.argv[2], None)\n"
        "print('launched', flush=True)\n"
        "time.sleep(600)\n"
    )
    daemon = subprocess.Popen([sys.executable, "-c", script, str(host.home), run.run_id], stdout=subprocess.PIPE)
    assert daemon.stdout is not None
    assert daemon.stdout.readline() == b"launched\n"
    daemon.kill()
    daemon.wait()
    daemon.stdout.close()
    host.running(run.run_id)
    host.launcher.terminate(run.run_id)
    assert outcome(host.end_of(run.run_id)) == "cancelled"


def test_a_run_is_launched_cold_where_the_sockets_folder_is_not_ours_alone(own_host: Host) -> None:
    (own_host.home / "launcher/warm").mkdir(mode=0o755)
    run = own_host.run("ok")
    assert outcome(run) == "succeeded"
    said = own_host.said(run.run_id)
    assert "Launched cold, because" in said
    assert "mode 0700" in said
    (own_host.home / "launcher/warm").rmdir()


def test_a_cold_run_keeps_every_promise(make_host: Callable[..., Host]) -> None:
    host = make_host(warm=False)
    assert outcome(host.run("hoard_in_numpy")) == "out_of_memory"
    run_id, supervisor = run_with_children(host)
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: host.read(run_id).is_finished, "the end of the run", within_s=10)
    assert outcome(host.end_of(run_id)) == "lost"
    until(lambda: not host.processes(), "the end of everything the run had started", within_s=3)


def test_files_from_before_a_reboot_are_cleared_away(host: Host) -> None:
    """They are a socket without a listener and a lock without a holder."""
    run = host.create("ok")
    warm = host.home / "launcher/warm"
    host.run("ok")
    host.kill_warm()
    (host.home / "launcher/runs" / f"{run.run_id}.lock").touch()
    (host.home / "launcher/runs" / f"{run.run_id}.json").write_text('{"pid": 1}')
    assert outcome(host.run("ok")) == "succeeded"
    assert outcome(host.read(run.run_id)) == "lost"
    assert len(list(warm.glob("*.sock"))) == 1


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for a copy of `project.py`, which finds the modules of these tests from there."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)
    return tmp_path / "code"


def test_changed_code_means_a_new_warm_process(own_host: Host, code: Path) -> None:
    (code / "changing").mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("project.py"), code / "changing/__init__.py")
    own_host.repository = ReconstructableRepository.for_module("changing", "defs", str(code))
    own_host.run("ok")
    first = own_host.warm()
    with (code / "changing/__init__.py").open("a") as file:
        file.write("\nBEHAVIOURS['ok'] = fail\n")
    run = own_host.run("ok")
    assert outcome(run) == "failed"
    assert "Launched cold" not in own_host.said(run.run_id)
    assert own_host.warm() not in (0, first)
    until(lambda: not Path(f"/proc/{first}").exists(), "the end of the old warm process", within_s=5)


def test_a_changed_environment_means_a_new_warm_process(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.run("ok")
    first = host.warm()
    monkeypatch.setenv("SOME_SETTING", "new")
    host.run("ok")
    assert host.warm() not in (0, first)


def test_definitions_that_start_threads_are_run_cold(own_host: Host, code: Path) -> None:
    (code / "threaded").mkdir(parents=True)
    text = Path(__file__).with_name("project.py").read_text()
    start = "\nimport threading\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    (code / "threaded/__init__.py").write_text(text + start)
    own_host.repository = ReconstructableRepository.for_module("threaded", "defs", str(code))
    run = own_host.run("ok")
    assert outcome(run) == "succeeded"
    said = own_host.said(run.run_id)
    assert "Launched cold, because the warm process did not start: importing the definitions" in said
    assert "started 1 threads" in said


def test_a_warm_process_ends_when_the_instance_is_gone(host: Host) -> None:
    host.run("ok")
    assert host.warm()
    shutil.rmtree(host.home / "launcher/warm")
    until(lambda: not host.processes(), "the end of the warm process", within_s=5)


def test_a_warm_process_ends_when_no_process_asks_it_any_more(make_host: Callable[..., Host]) -> None:
    host = make_host(warm_idle_s=patient(1.0))
    host.run("ok")
    until(lambda: not host.processes(), "the end of the warm process", within_s=6)
    assert list((host.home / "launcher/warm").glob("*.sock")) == []
