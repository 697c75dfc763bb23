"""Read files of any content in a child process under a cap, and report what came of each.

A warm process with one thread reads a line of JSON for each file and forks a child for it. The child has the parsers
imported and a cap on its memory and CPU time; when it dies, the warm process goes on.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.parsers.families import count_pages, parser_for
from ingest_assets_tests.parsers.mutation import SMALL

CAP_MB, CPU_S = 700, 120


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The result of one file."""

    parts: int = 0
    chars: int = 0
    pictures: int = 0
    warnings: tuple[str, ...] = ()
    refused: str = ""
    """Text of the BadInput, or "" where none was raised."""
    finding: str = ""
    """Description of a result that is never right: another exception, a killed process, parts out of order."""
    peak_mb: float = 0.0


class CappedReader:
    """Run the warm process. The files given at its start are read first, so that libraries are loaded once."""

    def __init__(self, known: Iterable[Path] = ()) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "ingest_assets_tests.parsers.capped_reader", *map(str, known)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._line() == "ready"

    def read(self, path: Path, *, name: str = "", small: bool = False) -> Reading:
        """Read a file under its own or another name; `small` selects the limits for damaged files."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"path": str(path), "name": name or path.name, "small": small}) + "\n")
        self._process.stdin.flush()
        told = json.loads(self._line())
        return Reading(**told | {"warnings": tuple(told["warnings"])})

    def close(self) -> None:
        self._process.communicate(timeout=60)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def main() -> None:
    """Read the given files, then fork for each line."""
    for known in map(Path, sys.argv[1:]):
        reading(known, known.name, Limits())
    say("ready")
    for line in sys.stdin:
        file = json.loads(line)
        limits = SMALL if file["small"] else Limits()
        say(in_a_child(Path(file["path"]), file["name"], limits))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def in_a_child(path: Path, name: str, limits: Limits) -> str:
    """Read a file in a child under the caps, and return the result as JSON."""
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiving)
        resource.setrlimit(resource.RLIMIT_DATA, (CAP_MB << 20, CAP_MB << 20))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
        with os.fdopen(sending, "wb") as telling:
            telling.write(json.dumps(asdict(reading(path, name, limits))).encode())
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving, "rb") as told:
        report = told.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return json.dumps(asdict(Reading(finding=f"killed by {signal.Signals(os.WTERMSIG(status)).name}")))
    if status or not report:
        return json.dumps(asdict(Reading(finding=f"ended with {os.waitstatus_to_exitcode(status)} without a report")))
    return report


def reading(path: Path, name: str, limits: Limits) -> Reading:
    """Read a file of any content, holding one part at a time."""
    parts = chars = pictures = 0
    warnings: list[str] = []
    try:
        parser = parser_for(detect(path, filename=name), filename=name)
        pages = count_pages(parser, path, limits=limits)
        page_numbers = set()
        for part in parser.read(path, limits=limits):
            parts += 1
            assert part.number == parts, f"part {part.number} is the {parts}th"
            page_numbers.add(part.page_number)
            chars += sum(len(element.text) for element in part.elements)
            pictures += len(part.pictures)
            warnings += [str(warning) for warning in part.warnings][: 20 - len(warnings)]
        assert not pages or page_numbers == set(range(1, pages + 1)), f"{pages} pages, {len(page_numbers)} came"
    except BadInput as error:
        return Reading(refused=str(error) or "says nothing", parts=parts, peak_mb=peak_mb())
    except BaseException:  # noqa: BLE001 - any other exception is the finding
        return Reading(finding=traceback.format_exc()[-4000:], parts=parts, peak_mb=peak_mb())
    return Reading(parts=parts, chars=chars, pictures=pictures, warnings=tuple(warnings), peak_mb=peak_mb())


def peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


if __name__ == "__main__":
    main()
