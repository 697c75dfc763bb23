"""Kill a writer at a chosen moment while another process searches, and return what the searches saw.

A test of one store brings two modules: `killed_writer`, which knows how to act and where to die, and `watching_reader`.
The writer's process imports the store's library once and forks a child for each kill:

    test                       killed_writer                        its child
      |  "replace 3 before\n"     |                                    |
      |-------------------------->|  fork                              |
      |                           |----------------------------------->|  opens the store, acts,
      |                           |                                    |  sends itself SIGKILL before its third write
      |                           |             waitpid                |
      |          "-9\n"           |<-----------------------------------|
      |<--------------------------|

The answer is the child's exit: "-9", or "0" if it ended before the chosen moment; then every moment has been tried.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from ingest_assets.ledger_records import FileRecord
from ingest_assets.stores.contract import VectorStore
from ingest_assets_tests.stores.builders import scope_of, vector_of
from testing.soaking import SOAKING

ROOT = Path(__file__).resolve().parents[2]
CHILD_S = 120.0
LOOK_EVERY_S = 0.0 if SOAKING else 0.01
"""The soak searches without a pause, which takes a core of the machine."""

KilledAt = Callable[..., bool]


def moments() -> Iterator[tuple[int, str]]:
    """Yield the moments before and after each write, without end: the number of the write from 1, and the moment."""
    return ((nth, moment) for nth in count(1) for moment in ("before", "after"))


def serve(act: Callable[[list[str]], None]) -> None:
    """Fork a child for each line of standard input, let it act on the line's words, and answer with its exit."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            act(line.split())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


@contextmanager
def killed_writer(store: str, *place: str) -> Iterator[KilledAt]:
    """Start a store's `killed_writer`; the function it yields tells whether its child came to the moment of death."""
    with _process(store, "killed_writer", *place) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        requests, replies = parent.stdin, parent.stdout

        def killed_at(action: str, nth: int, *moment: str) -> bool:
            requests.write(" ".join([action, str(nth), *moment]) + "\n")
            requests.flush()
            ended = replies.readline()
            assert ended in ("0\n", f"-{signal.SIGKILL.value}\n")
            return ended != "0\n"

        yield killed_at


def watch(store: VectorStore, record: FileRecord, documents: Mapping[str, Sequence[str]]) -> None:
    """Search for a file's chunks until standard input is closed; print how often each document was seen."""
    stop = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    seen: Counter[str] = Counter()
    whole = {tuple(sorted(texts)): name for name, texts in documents.items()}
    while not stop.is_set():
        hits = store.search(vector_of("anything"), k=100, scope=scope_of(record))
        texts = tuple(sorted(hit.chunk.text for hit in hits))
        seen[whole.get(texts, f"half: {texts}")] += 1
        if sum(seen.values()) == 1:
            sys.stdout.write("reading\n")
            sys.stdout.flush()
        stop.wait(LOOK_EVERY_S)
    store.close()
    sys.stdout.write(json.dumps(seen) + "\n")


@contextmanager
def watching_reader(store: str, *place: str) -> Iterator[Callable[[], dict[str, int]]]:
    """Search in another process until the block calls the function that it gets, which returns what was seen."""
    with _process(store, "watching_reader", *place) as reader:

        def seen() -> dict[str, int]:
            output, _ = reader.communicate(timeout=CHILD_S)
            assert reader.returncode == 0
            result: dict[str, int] = json.loads(output.splitlines()[-1])
            return result

        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        yield seen


@contextmanager
def _process(store: str, name: str, *place: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", f"ingest_assets_tests.stores.{store}.{name}", *place]
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.communicate(timeout=CHILD_S)
