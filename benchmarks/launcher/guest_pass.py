"""Pass two files through a small host: a sample, and a PDF whose run is killed for memory and recovers.

    benchmarks/launcher/guest.sh -- .venv/bin/python -m benchmarks.launcher.guest_pass MODELS [--daemon]

MODELS is a folder of converted models (`INGEST_MODEL_CACHE`). A sample goes through `ingest add`, then a PDF of which
one page needs more than the cap. With `--daemon`, a real `dagster-daemon` finds both in the bucket instead; its code
server is started separately, because in emulation it takes longer to start than the daemon would wait. Meanwhile
another process holds 300 MB and checks at the end that they are unchanged. Nothing is timed. Each minute the script
prints what the runs' groups hold and how long they stall, which shows whether one is slow or only reads its code again.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import dagster as dg
import yaml

from ingest_assets.config.settings import Settings
from ingest_assets.ledger_records import FileRecord, State
from ingest_assets.project import Project
from memory_capped_launcher.outcomes import OUTCOME_TAG, PEAK_TAG
from memory_capped_launcher.register import Register
from testing.pdf_bomb import pdf

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
CAP_MB, PATHS, EXPLODING = 500, 3_500_000, 2
SAMPLE, EXPLODING_NAME = ROOT / "samples/log-book.txt", "exploding.pdf"
WITHIN_S = 6000.0
PORT = 14266
PATIENT = {  # Dagster's own waits, in seconds
    "DAGSTER_GRPC_TIMEOUT_SECONDS": "3600",
    "DAGSTER_REPOSITORY_GRPC_TIMEOUT_SECONDS": "3600",
    "DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": "3600",
}
BYSTANDER = """
import sys
held = bytes(range(256)) * (300 * 4096)
print("holding", flush=True)
sys.stdin.read()
sys.exit(held != bytes(range(256)) * (300 * 4096))
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = {"DAGSTER_HOME": str(home), "INGEST_MODEL_CACHE": sys.argv[1], "INGEST_WINDOW": "2"}
        environment = {**os.environ, **settings, **PATIENT, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
        shipped = yaml.safe_load((ROOT / "dagster.yaml").read_text())
        shipped["run_launcher"]["config"] |= {"memory_limit_mb": CAP_MB, "warm_start_timeout_s": WITHIN_S}
        (home / "dagster.yaml").write_text(yaml.safe_dump(shipped))
        bystander = subprocess.Popen([sys.executable, "-c", BYSTANDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert bystander.stdout is not None
        bystander.stdout.readline()
        threading.Thread(target=tell_of_groups, daemon=True).start()
        workshop = Project(Settings.model_validate(settings))
        take = under_the_daemon if "--daemon" in sys.argv else by_hand
        sample, exploding = take(home, environment, workshop)
        tell(home, [sample, exploding])
        ingest(environment, "doctor", check=False)
        bystander.communicate()
        say(f"bystander ended with {bystander.returncode}")
        recovered = sample.state is State.SUCCEEDED
        recovered &= (exploding.state, exploding.quarantined) == (State.PARTIAL, (EXPLODING,))
        left = Register(home / "launcher").run_ids()
        say(f"runs left behind: {left}")
        sys.exit(bystander.returncode != 0 or not recovered or bool(left))


def by_hand(home: Path, environment: dict[str, str], workshop: Project) -> tuple[FileRecord, FileRecord]:
    """Add a sample and the PDF, and return the ends that they come to."""
    for path in (SAMPLE, explode(home)):
        ingest(environment, "add", str(path), "--user", "demo", "--project", "samples", check=path is SAMPLE)
    records = [workshop.store.file(f"demo:samples:{name}") for name in (SAMPLE.name, EXPLODING_NAME)]
    assert records[0] is not None and records[1] is not None, "a file that was added is in the ledger"
    return records[0], records[1]


def under_the_daemon(home: Path, environment: dict[str, str], workshop: Project) -> tuple[FileRecord, FileRecord]:
    """Drop both into the bucket of a home with a daemon, and wait for the ends that they come to."""
    place = {"host": "127.0.0.1", "port": PORT, "location_name": "ingest_assets"}
    (home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [{"grpc_server": place}]}))
    serve = ["api", "grpc", "-m", "ingest_assets.definitions", "--host", "127.0.0.1", "--port", str(PORT)]
    with (home / "daemon.log").open("wb") as log:
        server = subprocess.Popen([str(BIN / "dagster"), *serve], cwd=ROOT, env=environment, stdout=log, stderr=log)
        wait_for_port(home)
        command = [str(BIN / "dagster-daemon"), "run", "-w", str(home / "workspace.yaml")]
        daemon = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        bucket = home / "bucket/demo/samples"
        bucket.mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLE, bucket)
        shutil.move(explode(home), bucket)
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            sample, exploding = (workshop.store.file(f"demo:samples:{name}") for name in (SAMPLE.name, EXPLODING_NAME))
            at_work = bool(Register(home / "launcher").run_ids())
            if sample and exploding and exploding.state is not State.FAILED and not at_work:
                return sample, exploding
            time.sleep(5)
        raise TimeoutError((home / "daemon.log").read_text()[-4000:])
    finally:
        for process in (daemon, server):
            process.send_signal(signal.SIGINT)
            process.wait()


def explode(home: Path) -> Path:
    """A PDF of three pages, of which one needs more than the cap."""
    made = home / EXPLODING_NAME
    made.write_bytes(pdf(3, exploding=[EXPLODING], paths=PATHS))
    return made


def wait_for_port(home: Path) -> None:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", PORT), timeout=5):
            return
        time.sleep(2)
    raise TimeoutError((home / "daemon.log").read_text()[-4000:])


def tell_of_groups(root: Path = Path("/sys/fs/cgroup")) -> None:
    """Print every minute what the groups of runs hold, of what kind, and their memory pressure."""
    while True:
        time.sleep(60)
        for group in sorted(root.glob("memory-capped-*")):
            with suppress(OSError):
                held = int((group / "memory.current").read_text()) >> 20
                kinds = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
                parts = " ".join(f"{kind} {int(kinds[kind]) >> 20}" for kind in ("anon", "file", "shmem", "kernel"))
                full = (group / "memory.pressure").read_text().splitlines()[-1]
                say(f"{time.strftime('%H:%M:%S')} {group.name[-12:]}: {held} MB ({parts}); {full}")


def tell(home: Path, records: list[FileRecord]) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for run in reversed(instance.get_runs()):
            tags = run.tags
            part = {
                name: tags[name] for name in ("dagster/partition", "ingest/window", "ingest/unread") if name in tags
            }
            say(f"{run.status.value} {tags.get(OUTCOME_TAG)} peak {tags.get(PEAK_TAG)} MB {part}")
    for record in records:
        say(f"{record.filename} {record.state.value}: {record.chunks} chunks, unread {record.quarantined}")
        say(f"  warnings {record.warnings}")


def ingest(environment: dict[str, str], *arguments: str, check: bool = True) -> None:
    subprocess.run([str(BIN / "ingest"), *arguments], env=environment, check=check)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
