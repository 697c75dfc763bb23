"""Records in, tables for people or JSON for programs out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingest_assets.cli.settings_table import Row
from ingest_assets.ledger_records import FileRecord, Hit, StageCost, State
from ingest_assets.records import Chunk

_COLOURS = {State.SUCCEEDED: "green", State.EMPTY: "yellow", State.PARTIAL: "yellow", State.FAILED: "red"}
_SNIPPET_WORDS = 40
_PUNCTUATION = ".,;:!?()[]\"'"
_PIPE_WIDTH = 140


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one file of `ingest add` ended."""

    record: FileRecord
    unchanged: bool = False


def show_outcomes(outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    """Print a row per file; failures with their reason below."""
    if as_json:
        return _json([_outcome_row(outcome) for outcome in outcomes])
    sheet = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("file", "state"):
        sheet.add_column(name, overflow="fold")
    for name in ("pages", "elements", "pictures", "chunks", "embedded", "reused", "seconds", "peak MB"):
        sheet.add_column(name, justify="right")
    for outcome in outcomes:
        sheet.add_row(*_outcome_cells(outcome))
    console = _console()
    console.print(sheet)
    _problems(console, [outcome.record for outcome in outcomes])
    return None


def show_work(
    outcomes: Sequence[Outcome],
    *,
    purged: Sequence[str],
    misplaced: Sequence[str],
    unreadable: Sequence[str],
    left: int,
    as_json: bool,
) -> None:
    """Print what one call of `ingest work` did."""
    if as_json:
        files = [_outcome_row(outcome) for outcome in outcomes]
        named = {"misplaced": list(misplaced), "unreadable": list(unreadable)}
        return _json({"files": files, "purged": list(purged), **named, "left": left})
    if outcomes:
        show_outcomes(outcomes, as_json=False)
    console = _console()
    for key in purged:
        console.print(f"{_safe(key)}: gone from the bucket, removed")
    _misplaced(console, misplaced)
    _unreadable(console, unreadable)
    console.print(f"{len(outcomes)} files processed, {len(purged)} removed, {left} left")
    return None


def show_files(records: Sequence[FileRecord], *, as_json: bool) -> None:
    """Print the ledger."""
    if as_json:
        return _json([_plain(record) for record in records])
    return show_outcomes([Outcome(record) for record in records], as_json=False)


def show_status(
    records: Iterable[FileRecord],
    *,
    arriving: int,
    misplaced: Sequence[str],
    unreadable: Sequence[str],
    problems_only: bool,
    as_json: bool,
) -> None:
    """Print how many files are in which state, and what is wrong with the ones that need somebody."""
    kept = list(records)
    counts = {state.value: sum(record.state is state for record in kept) for state in State}
    bad = [record for record in kept if record.state in {State.FAILED, State.PARTIAL}]
    if as_json:
        problems = [_plain(record) for record in bad]
        named = {"misplaced": list(misplaced), "unreadable": list(unreadable), "problems": problems}
        return _json({"states": counts, "waiting": arriving, **named})
    console = _console()
    if not problems_only:
        line = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no files yet"
        console.print(f"{line}; {arriving} waiting in the bucket")
    _problems(console, bad)
    _misplaced(console, misplaced)
    _unreadable(console, unreadable)
    return None


def show_file(record: FileRecord, *, as_json: bool) -> None:
    """Print all that the ledger knows of one file."""
    if as_json:
        return _json(_plain(record))
    sheet = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _plain(replace(record, stages=())).items():
        shown = "\n".join(map(str, value)) if isinstance(value, list) else str(value)
        if name == "stages":
            shown = "\n".join(map(_cost, record.stages))
        sheet.add_row(f"[bold]{name}[/bold]", _safe(shown))
    _console().print(sheet)
    return None


def _cost(cost: StageCost) -> str:
    return f"{cost.stage}: {cost.seconds:.2f} s, peak {cost.peak_memory_mb:.0f} MB"


def show_chunks(chunks: Sequence[Chunk], *, as_json: bool) -> None:
    """Print chunks with what is needed to cite them."""
    if as_json:
        return _json([_plain(chunk) for chunk in chunks])
    console = _console()
    for chunk in chunks:
        console.print(f"[bold]{chunk.index}[/bold] {_safe(_cite(chunk))} · {chunk.words} words · {chunk.chunk_id}")
        console.print(_safe(chunk.text) + "\n")
    return None


def show_hits(query: str, hits: Sequence[Hit], *, as_json: bool) -> None:
    """Print the answers to a search, best first."""
    if as_json:
        return _json([{"filename": hit.filename, "score": hit.score, **_plain(hit.chunk)} for hit in hits])
    console = _console()
    console.print(f"[bold]{_safe(query)}[/bold]" + ("" if hits else "  no answer in this scope"))
    for rank, hit in enumerate(hits, start=1):
        console.print(f"{rank:>2}. [cyan]{_safe(hit.filename)}[/cyan] {_safe(_cite(hit.chunk))}  {hit.score:.3f}")
        console.print(f"    {_safe(_snippet(hit.chunk.text, query))}")
    return None


def show_removed(key: str, rows: int, *, as_json: bool) -> None:
    """Print what a removal took with it."""
    if as_json:
        return _json({"key": key, "chunks": rows})
    _console().print(f"{_safe(key)}: removed, with {rows} chunks")
    return None


def show_settings(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print every setting: name, value, where it came from, meaning."""
    if as_json:
        return _json([_plain(row) for row in rows])
    sheet = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("setting", "value", "from", "meaning"):
        sheet.add_column(name, overflow="fold")
    for row in rows:
        sheet.add_row(row.name, _safe(row.value), row.came_from, _safe(row.meaning))
    _console().print(sheet)
    return None


def _console() -> Console:
    """Where nobody watches (a pipe, a log), lines are as wide as they need to be."""
    console = Console(emoji=False)
    return console if console.is_terminal else Console(width=_PIPE_WIDTH, emoji=False)


def printable(text: str) -> str:
    """Show control characters instead of letting a file's name or text work the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)


def _outcome_row(outcome: Outcome) -> dict[str, object]:
    return {**_plain(outcome.record), "unchanged": outcome.unchanged}


def _outcome_cells(outcome: Outcome) -> list[str]:
    record = outcome.record
    colour = _COLOURS[record.state]
    state = "[dim]unchanged[/dim]" if outcome.unchanged else f"[{colour}]{record.state.value}[/{colour}]"
    spent = ("0", str(record.chunks), "–", "–")
    if not outcome.unchanged:
        spent = (str(record.embedded), str(record.reused), f"{record.seconds:.2f}", f"{record.peak_memory_mb:.0f}")
    counts = (record.elements, record.pictures, record.chunks)
    pages = str(record.pages) if record.pages else "–"
    name = _safe(record.filename.replace("\n", "\\n"))
    return [name, state, pages, *map(str, counts), *spent]


def _problems(console: Console, records: Sequence[FileRecord]) -> None:
    for record in records:
        if record.error:
            console.print(f"  {_safe(record.error)}", soft_wrap=True)
        for line in record.warnings:
            console.print(f"  [dim]{_safe(record.key)}:[/dim] {_safe(line)}", soft_wrap=True)


def _misplaced(console: Console, reasons: Sequence[str]) -> None:
    for reason in reasons:
        console.print(f"  left in the bucket: {_safe(reason)}", soft_wrap=True)


def _unreadable(console: Console, reasons: Sequence[str]) -> None:
    for reason in reasons:
        console.print(f"  not looked at: {_safe(reason)}", soft_wrap=True)


def _safe(text: str) -> str:
    return escape(printable(text))


def _cite(chunk: Chunk) -> str:
    pages = f"p. {chunk.pages[0]}" if len(chunk.pages) == 1 else ""
    if len(chunk.pages) > 1:
        pages = f"pp. {chunk.pages[0]}–{chunk.pages[-1]}"
    return " · ".join(part for part in (pages, " › ".join(chunk.section)) if part)


def _snippet(text: str, query: str) -> str:
    """Cut out the words among which most of the query's stand; the earliest of equals."""
    asked = {word.strip(_PUNCTUATION).casefold() for word in query.split()}
    words = text.split()
    # Long words count for more: "is", "the" and "of" stand everywhere.
    matches = [len(word) if word.strip(_PUNCTUATION).casefold() in asked else 0 for word in words]
    starts = range(max(1, len(words) - _SNIPPET_WORDS + 1))
    start = max(starts, key=lambda first: (sum(matches[first : first + _SNIPPET_WORDS]), -first))
    shown = " ".join(words[start : start + _SNIPPET_WORDS])
    return ("… " if start else "") + shown + (" …" if start + _SNIPPET_WORDS < len(words) else "")


def _plain(record: object) -> dict[str, object]:
    return msgspec.to_builtins(record)  # type: ignore[no-any-return]


def _json(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
