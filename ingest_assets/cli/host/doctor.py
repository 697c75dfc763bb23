"""Report this host's plan (memory, stack, cap, windows, runs at once) and what is wrong with it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ingest_assets.buckets.contract import Bucket
from ingest_assets.buckets.opening import open_bucket
from ingest_assets.cli.messages.health import message_problems
from ingest_assets.cli.tables.output import print_json, wrapped
from ingest_assets.clients.pictures.blip_weights import can_run
from ingest_assets.clients.pictures.picture_models import needed_cap_mb
from ingest_assets.config.home import changed_sections, storage_problem
from ingest_assets.config.settings import Settings
from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.records import UnreadablePlace
from ingest_assets.stages.planning.first_window import first_window
from ingest_assets.wiring import open_history
from memory_capped_launcher.host.inspection import inspect_home
from memory_capped_launcher.host.plan import HostPlan, HostProblem, RunCaps, plan_for
from memory_capped_launcher.host.stack import Role

# A file of 50 MB (the default limit) leaves about five times its size as artifacts and rows; SQLite needs room to grow.
_LEAST_FREE_MB = 1024
_INDENT = " " * 11
_SERVICES = (("ingest", "serve"), ("ingest", "up"), ("ingest", "listen"), ("ingest", "mcp"))


@dataclass(frozen=True, slots=True)
class LearntWindow:
    """What was learnt about one kind of file."""

    media_type: str
    files: int
    highest_peak_mb: float
    first_window: int
    """Parts in memory at once in the first try of the next such file."""


@dataclass(frozen=True, slots=True)
class HostReport:
    """What `ingest doctor` says."""

    home: str
    plan: HostPlan
    window_sizes: Sequence[int]
    """Parts in memory at once, from the setting down to one."""
    windows: Sequence[LearntWindow]
    disk_free_mb: int
    history_mb: int
    """Size of Dagster's runs and their events, 0.2 to 0.3 MB a run, which Dagster keeps for ever."""
    blip_mb: int
    """The cap that a run needs to describe pictures; 0 if runs describe none."""
    notes: Sequence[str]
    problems: Sequence[HostProblem]


def inspect_host(settings: Settings) -> HostReport:
    """Inspect the settings' home and the host it lies on; start and change nothing.

    Raises:
        ConfigError: the kernel does not say how much memory there is.
    """
    home = settings.home
    try:
        found = inspect_home(home, services=_SERVICES)
        standing = next(place for place in (home, *home.parents) if place.is_dir())
        free_mb = shutil.disk_usage(standing).free >> 20
    except OSError as error:
        raise ConfigError(f"this host cannot be looked at: {error}") from error
    plan = plan_for(found)
    if home.is_dir():
        found_wrong = [
            *_storage_problems(settings),
            *_bucket_problems(open_bucket(settings)),
            *message_problems(settings),
        ]
        plan = replace(plan, problems=[*plan.problems, *found_wrong])
    return report_of(
        plan,
        home=home,
        window_parts=settings.window_parts,
        disk_free_mb=free_mb,
        changed=changed_sections(settings),
        windows=_seen(settings, caps=plan.caps),
        history_mb=_size_mb(home / "history"),
        blip_mb=needed_cap_mb(settings),
        missing_blip=settings.blip_model if settings.captions == "blip" and not can_run(settings.blip_model) else "",
    )


def _size_mb(folder: Path) -> int:
    with suppress(OSError):  # the files of a run that ends meanwhile are removed
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) >> 20
    return 0


def _storage_problems(settings: Settings) -> Iterator[HostProblem]:
    """Name a disagreement between settings and dagster.yaml on where runs are kept."""
    what, _, todo = storage_problem(settings).partition("; ")
    if what:
        yield HostProblem(what, todo, wrong_setting=True)


def _bucket_problems(bucket: Bucket) -> Iterator[HostProblem]:
    """Name the places of the bucket that cannot be read, by trying to list them."""
    todo = "give the service's user the right to read it, or mount its share; nothing known there is removed"
    try:
        for place in bucket.list():
            if isinstance(place, UnreadablePlace) and not place.is_empty:
                yield HostProblem(f"in the bucket: {place.reason}", todo)
    except OutsideError as error:
        what, _, todo = str(error).partition(". ")
        yield HostProblem(what, todo or "make it readable for the service's user")


def _seen(settings: Settings, *, caps: RunCaps | None) -> list[LearntWindow]:
    """Return what was learnt from earlier files, with the first window of the next one."""
    history, seen = open_history(settings), []
    for media_type in history.media_types():
        known = history.of(media_type)
        window = first_window(
            known, media_type=media_type, size_bytes=0, cap_mb=caps.cap_mb if caps else 0, largest=settings.window_parts
        )
        seen.append(LearntWindow(media_type, len(known), max(one.peak_mb for one in known), window))
    return seen


def report_of(
    plan: HostPlan,
    *,
    home: Path,
    window_parts: int,
    disk_free_mb: int,
    changed: Sequence[str] | None,
    windows: Sequence[LearntWindow],
    history_mb: int = 0,
    blip_mb: int = 0,
    missing_blip: str = "",
) -> HostReport:
    """Put together what is in force, what is worth knowing and what is wrong.

    `blip_mb` is the cap that a run needs to describe pictures; 0 if no run does, or the weights are not there yet.
    `missing_blip` is the configured BLIP model if its weights or libraries are not on this machine.
    `changed` names the sections in which the home's dagster.yaml is not the shipped one; None if it has none.
    """
    problems = [*plan.problems, *_picture_problems(plan.caps, blip_mb=blip_mb, missing_blip=missing_blip)]
    if disk_free_mb < _LEAST_FREE_MB:
        problems.append(
            HostProblem(
                f"{home} has {disk_free_mb} MB of disk space left",
                f"free some: below {_LEAST_FREE_MB} MB a file's results may not fit",
            )
        )
    return HostReport(
        home=str(home),
        plan=plan,
        window_sizes=_halved(window_parts),
        windows=windows,
        disk_free_mb=disk_free_mb,
        history_mb=history_mb,
        blip_mb=blip_mb,
        notes=_notes(changed),
        problems=problems,
    )


def _picture_problems(caps: RunCaps | None, *, blip_mb: int, missing_blip: str) -> Iterator[HostProblem]:
    if missing_blip:
        yield HostProblem(
            f"INGEST_CAPTIONS=blip, and {missing_blip} is not on this machine, or its libraries are not",
            "install the extra `torch` and let the first run fetch the weights, or put them into a folder and name it "
            "in INGEST_BLIP_MODEL, or set INGEST_CAPTIONS=auto",
        )
    if caps and caps.cap_mb < blip_mb:
        yield HostProblem(
            f"a run with BLIP and OCR needs {blip_mb} MB and its cap is {caps.cap_mb}: pictures are only read",
            f"raise memory_limit_mb in the run launcher's config to {blip_mb}, or set INGEST_CAPTIONS=ocr",
        )


def show_report(report: HostReport, *, as_json: bool) -> None:
    """Print the report."""
    if as_json:
        return print_json(report)
    for line in _lines(report):
        sys.stdout.write(wrapped(line, indent=_INDENT) + "\n")
    return None


def _notes(changed: Sequence[str] | None) -> list[str]:
    if changed is None:
        return ["there is no dagster.yaml in this home; `ingest prepare` puts the project's there"]
    return [f"dagster.yaml differs from the shipped one in: {', '.join(changed)}"] if changed else []


def _halved(parts: int) -> list[int]:
    return [parts >> times for times in range(parts.bit_length())]


def _lines(report: HostReport) -> Iterator[str]:
    plan = report.plan
    host = plan.host
    swap = f"{host.swap_free_mb} of {host.swap_mb} MB swap free" if host.swap_mb else "no swap"
    yield f"host       {host.total_mb} MB, limited by {host.limited_by}; {host.available_mb} MB available; {swap}"
    yield f"disk       {report.disk_free_mb} MB free at {report.home}"
    if report.history_mb:
        yield f"history    {report.history_mb} MB of Dagster's runs and events; `ingest prune-runs` deletes old ones"
    yield from _stack_lines(plan)
    yield from _cap_lines(plan.caps)
    first, *smaller = report.window_sizes
    yield f"windows    {first} parts in memory at once; after out of memory {', '.join(map(str, smaller)) or first}"
    yield from _learnt_lines(report.windows, largest=first)
    if report.blip_mb:
        yield f"pictures   read by OCR and described by BLIP: a run needs a cap of {report.blip_mb} MB"
    yield from _launcher_lines(plan)
    for note in report.notes:
        yield f"note       {note}"
    for problem in report.problems:
        yield f"{'setting' if problem.wrong_setting else 'problem':<11}{problem.what}"
        yield f"{_INDENT}→ {problem.todo}"
    yield f"{len(report.problems)} problem(s)" if report.problems else "no problems"


def _learnt_lines(windows: Sequence[LearntWindow], *, largest: int) -> Iterator[str]:
    """Name the kinds of files that do not begin with the largest window, and count the others."""
    if windows:
        files = sum(learnt.files for learnt in windows)
        yield f"{_INDENT}learnt from {files} files of {len(windows)} types"
    for learnt in windows:
        if learnt.first_window < largest:
            yield (
                f"{_INDENT}{learnt.media_type}: {learnt.files} files, at most {learnt.highest_peak_mb:.0f} MB; "
                f"the next starts with {learnt.first_window}"
            )


def _stack_lines(plan: HostPlan) -> Iterator[str]:
    reserved = "nothing is reserved" if plan.reserve_mb is None else f"{plan.reserve_mb} MB reserved"
    yield f"stack      {reserved}; {plan.stack_without_runs_mb:.0f} MB held now" + ("" if plan.stack else ": none runs")
    for held in plan.stack:
        beside = " (under their caps, not in the reserve)" if held.role is Role.RUN else ""
        yield f"{_INDENT}{held.role:<14}{held.processes:>3} {held.pss_mb:>6.0f} MB{beside}"


def _cap_lines(caps: RunCaps | None) -> Iterator[str]:
    if caps is None:
        yield "cap        none in force"
        return
    limit = f"{caps.timeout_s:.0f} s" if caps.timeout_s else "no time limit"
    yield f"cap        {caps.cap_mb} MB a run, by tag {caps.lowest_mb} to {caps.ceiling_mb} MB; {limit}"
    yield f"{_INDENT}by {caps.enforced}"
    if caps.note:
        yield f"{_INDENT}{caps.note}"
    queue = "any number" if caps.max_concurrent_runs is None else caps.max_concurrent_runs
    yield (
        f"at once    {caps.at_once} run{'' if caps.at_once == 1 else 's'}: max_parallel is {caps.max_parallel}, memory "
        f"holds {caps.fit_in_memory}; the queue hands over {queue}, of which the others wait"
    )


def _launcher_lines(plan: HostPlan) -> Iterator[str]:
    yield f"launcher   {plan.launcher or 'unknown'}"
    for warm in plan.warm:
        yield f"{_INDENT}warm process {warm.pid}: {warm.pss_mb:.0f} MB, {warm.runs} run(s)"
    if plan.caps and not plan.warm:
        yield f"{_INDENT}no warm process: the next run starts it"
    for run in plan.runs:
        yield f"{_INDENT}run {run.run_id}: {run.stage}, cap {run.cap_mb} MB, supervisor {run.pid}"
