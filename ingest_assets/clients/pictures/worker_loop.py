"""Answer pictures from stdin on stdout: the loop of a process in which a model runs.

A model has a process of its own so that its memory is freed before embedding needs as much, and so that a picture that
crashes a native decoder ends only this process. A message is a length in 4 bytes and that many bytes: a picture comes
in, a JSON object goes out. The process ends when its input ends, or when its parent dies.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeAlias

from ingest_assets.errors import BadInput
from memory_capped_launcher.linux import die_with_parent

LENGTH_BYTES = 4

Answer: TypeAlias = dict[str, str | float | None]
Look: TypeAlias = Callable[[bytes], Answer]
"""Makes the answer to one picture. It raises BadInput for a picture that cannot be read."""


def serve(load: Callable[[], Look]) -> None:
    """Answer each picture until the input ends; the model is loaded at the first."""
    die_with_parent(os.getppid())
    answers = _take_stdout()
    look: Look | None = None
    try:
        while (picture := read_message(sys.stdin.buffer)) is not None:
            look = look or load()
            write_message(answers, _encoded(_answer(look, picture)))
    except Exception as error:  # noqa: BLE001 - the process's outermost loop; its parent decides what it means
        kind = "out_of_memory" if _is_out_of_memory(error) else "fatal"
        write_message(answers, _encoded({kind: _named(error)}))


def read_message(stream: IO[bytes]) -> bytes | None:
    """Read one message; None at the end of the stream."""
    length = stream.read(LENGTH_BYTES)
    if len(length) < LENGTH_BYTES:
        return None
    return stream.read(int.from_bytes(length, "big"))


def write_message(stream: IO[bytes], message: bytes) -> None:
    """Write one message."""
    stream.write(len(message).to_bytes(LENGTH_BYTES, "big") + message)
    stream.flush()


def _answer(look: Look, picture: bytes) -> Answer:
    try:
        return look(picture)
    except BadInput as error:
        return {"problem": str(error)}
    except Exception as error:  # noqa: BLE001 - as above; OpenCV, OpenVINO and torch raise errors of many classes
        if _is_out_of_memory(error):
            return {"out_of_memory": f"not enough memory for a picture ({_named(error)})"}
        return {"problem": f"picture: cannot be read ({_named(error)})"}


def _is_out_of_memory(error: Exception) -> bool:
    words = "alloc|out of memory|insufficient memory"
    return isinstance(error, MemoryError) or re.search(words, str(error), re.IGNORECASE) is not None


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _encoded(answer: Answer) -> bytes:
    return json.dumps({**answer, "peak_mb": _peak_mb()}).encode()


def _peak_mb() -> float:
    """Return this process' highest memory as a cap counts it: without the pages of mapped files."""
    status = Path("/proc/self/status").read_text(encoding="ascii")  # ru_maxrss would begin at the parent's
    kilobytes = dict(re.findall(r"^(VmHWM|RssFile):\s*(\d+)", status, re.MULTILINE))
    return (int(kilobytes.get("VmHWM", 0)) - int(kilobytes.get("RssFile", 0))) / 1024


def _take_stdout() -> IO[bytes]:
    """Keep the pipe for answers; what a library prints goes to stderr."""
    answers = open(os.dup(1), "wb")  # noqa: SIM115, PTH123 - a descriptor, for as long as the process lives
    os.dup2(2, 1)
    return answers
