"""Print what was found and done in the store: lines for people, or JSON for programs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from ingest_assets.cli.tables.output import console, print_json, printable, safe
from ingest_assets.stages.prechunk import Answer, Status
from ingest_assets.stages.upkeep.change_model import Built
from ingest_assets.stages.upkeep.optimize import Optimized
from ingest_assets.stages.upkeep.repair import Repair
from ingest_assets.stages.upkeep.validate import Examined, Finding

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 1_000
"""Findings that a report holds in full; the rest are counted."""
_SHOWN_TO_PEOPLE = 50


@dataclass(slots=True)
class ValidationReport:
    """What `validate` found, with the first findings in full."""

    files: int = 0
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    @classmethod
    def of(cls, found: Iterable[Examined]) -> ValidationReport:
        """Gather a report."""
        report = cls()
        for examined in found:
            report.add(examined)
        return report

    def add(self, examined: Examined) -> None:
        """Count one file."""
        self.files += 1
        self.rows += examined.rows
        self.counts.update(finding.problem.value for finding in examined.findings)
        self.findings += examined.findings[: SHOWN - len(self.findings)]

    def plain(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "files": self.files,
            "rows": self.rows,
            "counts": dict(self.counts),
            "findings": [{**msgspec.to_builtins(each), "problem": each.problem.name.lower()} for each in self.findings],
            "left_off": self.counts.total() - len(self.findings),
        }


@dataclass(slots=True)
class OptimizeReport:
    """What `optimize` did."""

    files: int = 0
    duplicates: int = 0
    completed: int = 0
    flagged: int = 0
    need_repair: list[str] = field(default_factory=list)
    compacted: str = ""

    def add(self, optimized: Optimized) -> None:
        """Count one file."""
        self.files += 1
        self.duplicates += optimized.duplicates
        self.completed += optimized.completed
        self.flagged += optimized.flagged
        if optimized.needs_repair:
            self.need_repair.append(optimized.file_id)


def show_validation(report: ValidationReport, *, as_json: bool) -> None:
    """Print what disagrees, by kind, then the first findings."""
    if as_json:
        return print_json(report.plain())
    out = console()
    _print_report(out, report)
    for finding in report.findings[:_SHOWN_TO_PEOPLE]:
        place = " ".join(part for part in (finding.row or finding.chunk_id, finding.detail) if part)
        out.print(safe(f"  {finding.file_id}: {finding.problem.value}: {place}"), soft_wrap=True)
    if report.counts.total() > _SHOWN_TO_PEOPLE:
        out.print(f"  and {report.counts.total() - _SHOWN_TO_PEOPLE} more; --json lists the first {SHOWN}")
    return None


def show_repairs(done: Sequence[Repair], *, applied: bool, as_json: bool) -> None:
    """Print what was done, or would be, by file."""
    if as_json:
        rows = [{**msgspec.to_builtins(each), "action": each.action.name.lower()} for each in done]
        return print_json({"applied": applied, "files": rows})
    out = console()
    for each in done:
        cost = f"; {each.embedded} chunks embedded" if applied and not each.reason else ""
        line = f"{each.file_id}: {each.action.value} ({each.findings} findings{cost}) {each.reason}"
        out.print(safe(line.rstrip()), soft_wrap=True)
    if not done:
        out.print("nothing to repair")
    elif not applied:
        out.print(f"{len(done)} files would be repaired; run it again with --apply")
    return None


def show_optimized(report: OptimizeReport, *, as_json: bool) -> None:
    """Print what `optimize` did."""
    if as_json:
        return print_json(msgspec.to_builtins(report))
    out = console()
    out.print(
        f"{report.files} files: {report.duplicates} duplicates removed, {report.completed} rows or records completed, "
        f"{report.flagged} rows flagged anew; {safe(report.compacted)}",
    )
    for file_id in report.need_repair:
        out.print(safe(f"  {file_id}: not optimized; run `ingest repair` first"), soft_wrap=True)
    return None


def show_answer(answer: Answer, *, as_json: bool) -> None:
    """Print a chunk's answer: each as a line of JSON, or for people those in conflict or rejected."""
    if as_json:
        return print_json(answer, indent=0)
    if answer.status in {Status.CONFLICT, Status.REJECTED}:
        name = f"line {answer.line}: {answer.doc_id} {answer.chunk_id}"
        sys.stdout.write(printable(f"{name}: {answer.status.value}: {answer.reason}") + "\n")
    return None


def show_migration(
    *, copied: int, there_already: int, sides: Sequence[ValidationReport], agree: bool, as_json: bool
) -> None:
    """Print what was copied, and what both sides hold afterwards."""
    if as_json:
        source, target = (side.plain() for side in sides)
        counts = {"copied": copied, "there_already": there_already, "agree": agree}
        return print_json({**counts, "source": source, "target": target})
    out = console()
    out.print(f"{copied} files copied, {there_already} there already")
    if not agree:
        out.print("the source changed meanwhile, or files of it are not in the target; run it again")
    for name, side in zip(("source", "target"), sides, strict=True):
        out.print(f"{name}: ", end="")
        _print_report(out, side)
    return None


def show_built(built: Built) -> None:
    """Print a file that is in the new space now."""
    if built.changed:
        sys.stdout.write(printable(f"{built.file_id}: {built.chunks} chunks") + "\n")


def show_model_change(*, files: int, chunks: int, model: str, as_json: bool) -> None:
    """Print what is in use now."""
    if as_json:
        return print_json({"files": files, "chunks": chunks, "model": model})
    console().print(f"searches use {safe(model)} now: {files} files, {chunks} chunks", soft_wrap=True)
    return None


def _print_report(out: Console, report: ValidationReport) -> None:
    verdict = "all agrees" if not report.counts else f"{report.counts.total()} findings"
    out.print(f"{report.files} files, {report.rows} rows: {verdict}")
    for problem, count in report.counts.most_common():
        out.print(f"  {count:>6}  {problem}")
