"""Define a Dagster project with one asset; each of its partitions misbehaves in its own way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import numpy as np
import numpy.random  # so that the generator is seeded in the warm process
import sqlalchemy
from alembic.script import ScriptDirectory

from memory_capped_launcher import dagster_private
from memory_capped_launcher_tests.patience import patient

MB = 1 << 20


def ok() -> None:
    """End at once."""


def use_a_module() -> None:
    """Import what the definitions do not."""
    import wave

    assert wave


def sleep() -> None:
    """Hang until something ends it."""
    time.sleep(patient(120))


def fail() -> None:
    raise ValueError("no")


def hoard_in_python() -> None:
    kept = []
    while True:
        kept.append(bytearray(b"x") * MB)


def hoard_in_numpy() -> None:
    kept = []
    while True:
        kept.append(np.ones(4 * MB // 8))


def hoard_in_torch() -> None:
    """Allocate where Python does not see it."""
    import torch

    kept = []
    while True:
        kept.append(torch.ones(8 * MB // 4))


def hoard_in_children() -> None:
    """Hold 80 MB in each of many processes: none is over the cap, together they are."""
    for _ in range(20):
        if os.fork() == 0:
            kept = bytearray(os.urandom(16)) * (80 * MB // 16)
            time.sleep(patient(120))
            os._exit(len(kept) % 2)
        time.sleep(0.05)
    time.sleep(patient(120))


def hoard_in_shared_memory() -> None:
    """Hold what no limit per process sees."""
    import mmap

    kept = []
    while True:
        block = mmap.mmap(-1, 8 * MB)
        block.write(b"x" * (8 * MB))
        kept.append(block)


def share_with_children() -> None:
    """Hold 60 MB once, seen by five processes: not over a cap of 200 MB."""
    kept = bytearray(b"x") * (60 * MB)
    pids = []
    for _ in range(5):
        pid = os.fork()
        if pid == 0:
            time.sleep(patient(1.0))
            os._exit(len(kept) % 2)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)


def abort_for_memory() -> None:
    """End as C++ does when an allocation is refused."""
    sys.stderr.write("terminate called after throwing an instance of 'std::bad_alloc'\n")
    sys.stderr.flush()
    os.abort()


def be_killed() -> None:
    """Be killed from outside."""
    os.kill(os.getpid(), signal.SIGKILL)


def leave_children() -> None:
    """Leave processes behind that try to escape: another session, another parent, signals ignored."""
    note = Path(os.environ["DAGSTER_HOME"]) / "left_behind"
    stays = "trap '' TERM HUP; setsid sleep 300 & echo $! ; sleep 300"
    leaves = "setsid sleep 300 >/dev/null & echo $!"
    for script in (stays, stays, leaves):
        child = subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
        assert child.stdout is not None
        with note.open("a") as file:
            file.write(f"{child.pid} {int(child.stdout.readline())} ")


def leave_children_and_sleep() -> None:
    leave_children()
    time.sleep(patient(120))


def make_zombies() -> None:
    """Leave ended children without waiting for them, also orphaned ones."""
    for _ in range(30):
        if os.fork() == 0:
            if os.fork() == 0:
                os._exit(0)
            os._exit(0)
    time.sleep(patient(0.3))


def print_without_end() -> None:
    line = "x" * 1023 + "\n"
    for _ in range(12 * 1024):
        sys.stdout.write(line)
    sys.stdout.write("the last line\n")


def roll_dice() -> None:
    (Path(os.environ["DAGSTER_HOME"]) / f"dice-{os.getpid()}").write_text(str(np.random.random()))


def patches() -> dict[str, bool]:
    """Return which of the launcher's patches of Dagster are in force in this process."""
    (storage, *_) = dagster_private.sqlite_storage_modules()
    return {
        "keep_connections": storage.create_engine is not sqlalchemy.create_engine,
        "cache_migrations": dagster_private.sql_module().ScriptDirectory is not ScriptDirectory,
    }


BEHAVIOURS = {
    behaviour.__name__: behaviour
    for behaviour in (
        ok,
        use_a_module,
        sleep,
        fail,
        hoard_in_python,
        hoard_in_numpy,
        hoard_in_torch,
        hoard_in_children,
        hoard_in_shared_memory,
        share_with_children,
        abort_for_memory,
        be_killed,
        leave_children,
        leave_children_and_sleep,
        make_zombies,
        print_without_end,
        roll_dice,
    )
}
behaviours = dg.StaticPartitionsDefinition(list(BEHAVIOURS))


@dg.asset(partitions_def=behaviours)
def work(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Behave as the partition is called."""
    is_imported = "wave" in sys.modules
    BEHAVIOURS[context.partition_key]()
    return dg.MaterializeResult(
        metadata={
            "pid": os.getpid(),
            "threads": os.environ.get("OMP_NUM_THREADS", "unset"),
            "imported": is_imported,
            "patched": [name for name, is_patched in patches().items() if is_patched],
        }
    )


defs = dg.Definitions(assets=[work], jobs=[dg.define_asset_job("job", [work])], executor=dg.in_process_executor)
