"""Print files, chunks and answers: tables for people, or JSON for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import msgspec

from ingest_assets.cli.tables.output import TableColumn, console, fitting_table, print_json, safe
from ingest_assets.index.state_change import FILE_STATES, PassingState
from ingest_assets.ledger_records import FileRecord, Hit, Origin, State
from ingest_assets.records import Chunk
from ingest_assets.stages.retrieval.snippet import snippet_of

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ingest_assets.cli.bucket.status import ProjectStatus

PROBLEMS = frozenset({State.FAILED, State.PARTIAL, State.OUT_OF_MEMORY, State.QUARANTINED})
"""States of files that a person has to correct."""
_COLOURS = {state: "red" if state.is_failure else "yellow" for state in State} | {State.SUCCEEDED: "green"}
_LAYOUT = (
    TableColumn("file", justify="left"),
    TableColumn("state", justify="left"),
    TableColumn("pages", rank=1),
    TableColumn("elements", rank=5),
    TableColumn("pictures", rank=4),
    TableColumn("chunks", rank=1),
    TableColumn("embedded", rank=3),
    TableColumn("reused", rank=3),
    TableColumn("seconds", rank=1),
    TableColumn("peak MB", rank=2),
)
_SUMMARY_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class ProcessedFile:
    """How one file of `ingest add` or `ingest work` ended."""

    record: FileRecord
    unchanged: bool = False

    @property
    def is_problem(self) -> bool:
        """Tell whether it failed, or was published without some of its parts."""
        return self.record.state in PROBLEMS


def show_processed(processed: Sequence[ProcessedFile], *, as_json: bool) -> None:
    """Print a row per file; failures with their reason below."""
    if as_json:
        return print_json([_plain_processed(each) for each in processed])
    out = console()
    out.print(fitting_table(_LAYOUT, [_cells(each, name=each.record.filename) for each in processed]))
    _print_problems(out, [each.record for each in processed])
    return None


def show_work(
    processed: Sequence[ProcessedFile],
    *,
    purged: Sequence[str],
    misplaced: Sequence[str],
    unreadable: Sequence[str],
    left: int,
    as_json: bool,
) -> None:
    """Print what one call of `ingest work` did."""
    if as_json:
        files = [_plain_processed(each) for each in processed]
        return print_json(
            {"files": files, "purged": purged, "misplaced": misplaced, "unreadable": unreadable, "left": left}
        )
    if processed:
        show_processed(processed, as_json=False)
    out = console()
    for key in purged:
        out.print(f"{safe(key)}: gone from the bucket, removed", soft_wrap=True)
    _print_not_taken(out, misplaced=misplaced, unreadable=unreadable)
    out.print(f"{len(processed)} files processed, {len(purged)} removed, {left} left")
    return None


def show_files(records: Sequence[FileRecord], *, place: str, as_json: bool) -> None:
    """Print the ledger of the store at `place`."""
    if as_json:
        return print_json(records)
    if not records:
        return console().print(f"no files in {safe(place)}", soft_wrap=True)
    out = console()
    out.print(fitting_table(_LAYOUT, [_cells(ProcessedFile(record), name=record.key) for record in records]))
    _print_problems(out, records)
    return None


def show_status(status: ProjectStatus, *, place: str, problems_only: bool, as_json: bool) -> None:
    """Print how many files are in which state, and what is wrong with those that a person has to look at."""
    counts = {
        state.value: status.states.get(state.value, 0)
        for state in FILE_STATES.values()
        if state is not PassingState.REMOVED
    }
    if as_json:
        values = asdict(status) | {"states": counts, "waiting": counts["pending"], "store": place}
        return print_json(values | {"problems": status.problems})
    out = console()
    if not problems_only:
        waiting = counts.pop(PassingState.PENDING.value)
        states = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
        line = f"{states or f'no files in {safe(place)}'}; {waiting} waiting in the bucket"
        out.print(_joined_by_dots(line, *_waiting(status)), soft_wrap=True)
    _print_problems(out, status.problems)
    if status.unnamed_problems > 0:
        out.print(f"  {status.unnamed_problems} more: `ingest files`", soft_wrap=True)
    _print_not_taken(out, misplaced=status.misplaced, unreadable=(*status.unreadable, *status.waiting_deletes))
    if problems_only and not status.needs_a_person:
        out.print("no problems")
    return None


def _waiting(status: ProjectStatus) -> Iterator[str]:
    if status.oldest_pending_s >= 1:
        yield f"the oldest waits for {_duration(status.oldest_pending_s)}"
    if status.left_s >= 1:
        yield f"about {_duration(status.left_s)} left"
    if status.inbox:
        yield f"{status.inbox} named keys to look at"
    if status.missing:
        yield f"{status.missing} missing from the bucket"
    if status.messages:
        yield f"{status.messages} messages wait, the oldest for {_duration(status.oldest_message_s)}"
    if status.dead_letters:
        yield f"{status.dead_letters} messages were given up (`ingest outbox`)"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def show_file(record: FileRecord, *, as_json: bool) -> None:
    """Print what a person asks about one file, what is wrong first; with `as_json` the whole record."""
    if as_json:
        return print_json(record)
    from rich.table import Table

    out = console()
    state = f"[{_COLOURS[record.state]}]{record.state.value}[/{_COLOURS[record.state]}]"
    out.print(f"[bold]{safe(record.key)}[/bold]: {state}", soft_wrap=True)
    sheet = Table.grid(padding=(0, 2))
    sheet.add_column(no_wrap=True)
    sheet.add_column()
    for name, text in _facts(record):
        sheet.add_row(f"  {name}", safe(text))
    out.print(sheet)
    return None


def _facts(record: FileRecord) -> Iterator[tuple[str, str]]:
    if record.error:
        yield "error", record.error
    for warning in record.warnings:
        yield "warning", warning
    if record.origin is Origin.CLIENT:
        yield "from", "chunks that were handed in by `ingest put-chunks`"
    if record.media_type:
        yield "type", f"{record.media_type}, {_size(record.size_bytes)}"
    if content := _content(record):
        yield "content", content
    if record.generation:
        new = f"{record.embedded} embedded, {record.reused} reused" if record.embedded or record.reused else ""
        yield "in store", _joined(_count(record.chunks, "chunk"), f"generation {record.generation}", new)
        yield "model", record.model
    else:
        yield "in store", "nothing"
    if record.summary:
        yield "begins", textwrap.shorten(record.summary, _SUMMARY_CHARACTERS, placeholder=" …")
    if record.stages:
        yield "took", f"{record.seconds:.2f} s, peak {record.peak_memory_mb:.0f} MB; windows of {record.window} parts"
    for cost in record.stages:
        yield "", f"{cost.stage}: {cost.seconds:.2f} s, peak {cost.peak_memory_mb:.0f} MB"
    if record.updated_at:
        yield "updated", record.updated_at
    yield "partition", record.file_id
    if record.sha256:
        yield "sha256", record.sha256


def _content(record: FileRecord) -> str:
    by_ocr = f"{record.pages_by_ocr} by OCR" if record.pages_by_ocr else ""
    return _joined(
        _count(record.pages, "page") if record.pages else "",
        by_ocr,
        _count(record.elements, "element") if record.elements else "",
        _count(record.pictures, "picture") if record.pictures else "",
        _count(record.tables, "table") if record.tables else "",
        _count(record.characters, "character") if record.characters else "",
        f"in {', '.join(record.languages)}" if record.languages else "",
    )


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _size(size_bytes: int) -> str:
    if size_bytes < 10_000:
        return _count(size_bytes, "byte")
    return f"{size_bytes / 1000:,.0f} kB" if size_bytes < 10_000_000 else f"{size_bytes / 1_000_000:,.0f} MB"


def show_chunks(chunks: Sequence[Chunk], *, as_json: bool) -> None:
    """Print chunks with what is needed to cite them."""
    if as_json:
        return print_json(chunks)
    out = console()
    for chunk in chunks:
        head = _joined_by_dots(f"[bold]{chunk.index}[/bold]", safe(_cited(chunk)), f"{chunk.words} words")
        out.print(head)
        out.print(f"[dim]{chunk.chunk_id}[/dim]", soft_wrap=True)
        out.print(safe(chunk.text) + "\n")
    if not chunks:
        out.print("no chunks")
    return None


def show_hits(query: str, hits: Sequence[Hit], *, as_json: bool) -> None:
    """Print the answers to a search, best first."""
    if as_json:
        return print_json([plain_hit(hit) for hit in hits])
    out = console()
    out.print(f"[bold]{safe(query)}[/bold]" + ("" if hits else "  no answer in this project"))
    for rank, hit in enumerate(hits, start=1):
        cited = safe(_cited(hit.chunk))
        out.print(_indented(f"{rank:>2}. [cyan]{safe(hit.filename)}[/cyan] {cited}  {hit.score:.3f}", hanging=True))
        out.print(_indented(safe(snippet_of(hit.chunk.text, query))))
    return None


def plain_hit(hit: Hit) -> dict[str, object]:
    """Return an answer as JSON has it."""
    return {"filename": hit.filename, "score": hit.score, **_plain(hit.chunk)}


def _indented(text: str, *, hanging: bool = False) -> RenderableType:
    """Indent by four columns; a hanging indent begins with the number of the answer."""
    from rich.table import Table

    sheet = Table.grid()
    sheet.add_column(width=4, no_wrap=True)
    sheet.add_column(overflow="fold")
    number, text = (text[:4], text[4:]) if hanging else ("", text)
    sheet.add_row(number, text)
    return sheet


def show_removed(key: str, rows: int, *, as_json: bool) -> None:
    """Print what a removal took with it."""
    if as_json:
        return print_json({"key": key, "chunks": rows})
    console().print(f"{safe(key)}: removed, with {rows} chunks", soft_wrap=True)
    return None


def _plain_processed(each: ProcessedFile) -> dict[str, object]:
    return {**_plain(each.record), "unchanged": each.unchanged}


def _cells(each: ProcessedFile, *, name: str) -> list[str]:
    record = each.record
    colour = _COLOURS[record.state]
    state = "[dim]unchanged[/dim]" if each.unchanged else f"[{colour}]{record.state.value}[/{colour}]"
    spent = ("0", str(record.chunks), "–", "–")
    if not each.unchanged:
        spent = (str(record.embedded), str(record.reused), f"{record.seconds:.2f}", f"{record.peak_memory_mb:.0f}")
    counts = (record.elements, record.pictures, record.chunks)
    pages = str(record.pages) if record.pages else "–"
    return [safe(name.replace("\n", "\\n")), state, pages, *map(str, counts), *spent]


def _print_problems(out: Console, records: Sequence[FileRecord]) -> None:
    for record in records:
        if record.error:
            out.print(f"  {safe(record.error)}", soft_wrap=True)
        for line in record.warnings:
            out.print(f"  [dim]{safe(record.key)}:[/dim] {safe(line)}", soft_wrap=True)


def _print_not_taken(out: Console, *, misplaced: Sequence[str], unreadable: Sequence[str]) -> None:
    for reason in misplaced:
        out.print(f"  left in the bucket: {safe(reason)}", soft_wrap=True)
    for reason in unreadable:
        out.print(f"  not looked at: {safe(reason)}", soft_wrap=True)


def _cited(chunk: Chunk) -> str:
    pages = f"p. {chunk.pages[0]}" if len(chunk.pages) == 1 else ""
    if len(chunk.pages) > 1:
        pages = f"pp. {chunk.pages[0]}–{chunk.pages[-1]}"
    return _joined_by_dots(pages, " › ".join(chunk.section))


def _joined_by_dots(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _plain(record: object) -> dict[str, object]:
    return msgspec.to_builtins(record)  # type: ignore[no-any-return]  # a dict, of a dataclass
