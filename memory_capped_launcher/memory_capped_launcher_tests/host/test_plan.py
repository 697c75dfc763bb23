"""Test what is said to be in force on a host and to be wrong with it, from plain data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from memory_capped_launcher.host.host_memory import HostMemory
from memory_capped_launcher.host.instance_settings import InstanceSettings
from memory_capped_launcher.host.plan import HostFacts, HostPlan, plan_for
from memory_capped_launcher.host.stack import Role, StackProcess
from memory_capped_launcher.limits import LauncherConfig
from memory_capped_launcher.register import RunEntry

HOST = HostMemory(total_mb=4096, limited_by="the machine", available_mb=3000, swap_mb=0, swap_free_mb=0)
SETTINGS = InstanceSettings(
    launcher="x.MemoryCappedRunLauncher", config=LauncherConfig(timeout_s=600), max_concurrent_runs=1
)
FOUND = HostFacts(
    home="home",
    host=HOST,
    stack=(),
    settings=SETTINGS,
    settings_problem="",
    enforced="a watchdog",
    runs=(),
    orphaned=(),
    folder_problem="",
)


def plan(*, config: dict[str, Any] | None = None, queue: dict[str, Any] | None = None, **found: Any) -> HostPlan:
    """Plan for a small host, with these things otherwise."""
    launcher = LauncherConfig(**{"timeout_s": 600.0} | (config or {}))
    return plan_for(replace(FOUND, **{"settings": replace(SETTINGS, config=launcher, **(queue or {}))} | found))


def process(pid: int, role: Role, pss_mb: float, *, parent: int = 1) -> StackProcess:
    return StackProcess(pid=pid, parent=parent, user=0, role=role, pss_mb=pss_mb)


def said(plan: HostPlan) -> str:
    return "\n".join(f"{problem.what}: {problem.todo}" for problem in plan.problems)


def test_a_host_in_order_has_no_problems() -> None:
    assert plan().problems == []


def test_the_cap_is_what_the_reserve_leaves() -> None:
    caps = plan().caps
    assert caps is not None
    assert (caps.cap_mb, caps.lowest_mb, caps.ceiling_mb, caps.timeout_s) == (2896, 96, 2896, 600)


def test_a_tag_may_ask_for_as_much_as_the_ceiling() -> None:
    caps = plan(config={"memory_limit_mb": 500, "memory_ceiling_mb": 1000}).caps
    assert caps is not None
    assert (caps.cap_mb, caps.ceiling_mb) == (500, 1000)


@pytest.mark.parametrize(
    ("config", "allowed", "at_once"),
    [
        ({"max_parallel": 3, "memory_limit_mb": 900}, 10, 3),
        ({"max_parallel": 5, "memory_limit_mb": 900}, None, 3),
        ({"max_parallel": 5, "memory_limit_mb": 300}, 2, 2),
    ],
)
def test_the_smallest_of_launcher_queue_and_memory_is_how_many_run_at_once(
    config: dict[str, Any], allowed: int | None, at_once: int
) -> None:
    caps = plan(config=config, queue={"max_concurrent_runs": allowed}).caps
    assert caps is not None
    assert caps.at_once == at_once


def test_what_the_operator_asked_for_and_did_not_get_is_said() -> None:
    caps = plan(config={"memory_limit_mb": 64000}).caps
    assert caps is not None
    assert "64000 MB were asked for" in caps.note


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"memory_limit_mb": 20}, "below the 96 MB"),
        ({"memory_ceiling_mb": 50}, "memory_ceiling_mb"),
        ({"reserve_mb": 4096}, "lower reserve_mb"),
        ({"max_parallel": 0}, "max_parallel is 0"),
    ],
)
def test_what_the_launcher_would_refuse_is_a_wrong_setting(config: dict[str, Any], word: str) -> None:
    wrong = plan(config=config)
    assert wrong.caps is None
    (problem,) = wrong.problems
    assert problem.wrong_setting
    assert word in said(wrong)
    assert "home/dagster.yaml" in problem.todo


def test_settings_that_cannot_be_read_are_one_problem_and_the_rest_is_told() -> None:
    wrong = plan(settings=None, settings_problem="dagster.yaml: no", stack=[process(2, Role.DAEMON, 90)])
    (problem,) = wrong.problems
    assert (problem.what, problem.wrong_setting) == ("dagster.yaml: no", True)
    assert wrong.stack_without_runs_mb == 90


def test_another_launcher_is_a_problem_that_says_what_to_put_there() -> None:
    wrong = plan(settings=InstanceSettings())
    assert wrong.caps is None
    assert "dagster.DefaultRunLauncher" in said(wrong)
    assert "{module: memory_capped_launcher.run_launcher, class: MemoryCappedRunLauncher}" in said(wrong)


def test_a_stack_above_the_reserve_is_a_problem_and_runs_do_not_count() -> None:
    stack = [process(2, Role.WEB_SERVER, 700), process(3, Role.DAEMON, 550), process(4, Role.RUN, 2000)]
    assert "holds 1250 MB" in said(plan(stack=stack))
    assert "raise reserve_mb to 1400" in said(plan(stack=stack))
    assert plan(stack=stack[1:]).problems == []


def test_the_warm_process_is_told_with_its_runs() -> None:
    stack = [
        process(5, Role.WARM, 100),
        process(6, Role.SUPERVISOR, 9, parent=5),
        process(7, Role.RUN, 300, parent=6),
        process(8, Role.SUPERVISOR, 9),
    ]
    (warm,) = plan(stack=stack).warm
    assert (warm.pid, warm.pss_mb, warm.runs) == (5, 100, 1)


WAITING = {"max_concurrent_runs": 10, "start_timeout_s": 180.0}


@pytest.mark.parametrize(
    ("config", "queue", "word"),
    [
        ({}, WAITING, "raise start_timeout_seconds to 5400, or set max_concurrent_runs to 1"),
        ({"max_parallel": 2}, WAITING, "raise start_timeout_seconds to 2400, or set max_concurrent_runs to 2"),
        ({"timeout_s": None}, {**WAITING, "max_runtime_s": 60}, "raise start_timeout_seconds to 540"),
        ({"timeout_s": None}, WAITING, "may wait for any time"),
        ({}, {**WAITING, "max_concurrent_runs": None}, "any number of runs"),
        ({}, {**WAITING, "max_concurrent_runs": 0}, "the queue starts no run"),
    ],
)
def test_runs_that_monitoring_would_end_while_they_wait_are_a_problem(
    config: dict[str, Any], queue: dict[str, Any], word: str
) -> None:
    assert word in said(plan(config=config, queue=queue))


@pytest.mark.parametrize(
    "queue",
    [
        {**WAITING, "start_timeout_s": None},
        {**WAITING, "start_timeout_s": 5400.0},
        {**WAITING, "max_concurrent_runs": 1},
    ],
)
def test_runs_that_monitoring_lets_wait_are_none(queue: dict[str, Any]) -> None:
    assert plan(queue=queue).problems == []


def test_runs_whose_supervisor_died_are_named() -> None:
    assert "r1, r2" in said(plan(orphaned=["r1", "r2"]))
    assert plan(runs=[RunEntry(run_id="r3", ticket=1, cap_mb=500)]).problems == []


def test_a_folder_that_others_may_enter_says_how_to_mend_it() -> None:
    (problem,) = plan(folder_problem="warm is mode 0777. Remove it, and it is made anew").problems
    assert problem.what == "runs are launched cold: warm is mode 0777"
    assert problem.todo == "Remove it, and it is made anew"


def test_another_users_home_says_that_its_processes_are_not_seen() -> None:
    assert "ask again as that user" in said(plan(unseen="home belongs to user 7"))
