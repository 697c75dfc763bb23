"""Test the receiver that the documentation shows: a real Django server and a real Celery worker take messages in."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ingest_assets.config.settings import Settings, load_settings
from ingest_assets.index.database import Database
from ingest_assets.index.state_change import PassingState
from ingest_assets.ledger_records import State
from ingest_assets.messaging.delivery import deliver_due
from ingest_assets.messaging.outbox import Outbox
from ingest_assets.messaging.outbox_tables import OUTBOX, DeliveryState
from ingest_assets.messaging.outbox_upkeep import count
from ingest_assets.messaging.progress import ProgressWriter
from ingest_assets.messaging.webhooks import progress_targets, signature
from ingest_assets_tests.conftest import ROOT
from ingest_assets_tests.messaging.outbox_parts import change
from testing.servers import STOP_S, free_port, running

EXAMPLE = ROOT / "examples" / "django_receiver"
SECRET, OLD_SECRET = "the secret of this receiver", "the secret before the rotation"
BODY = b'{"id": "x"}'
NOW = 1_800_000_000
IN_TIME_S = 120.0


@pytest.fixture(scope="module")
def verifier() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_signature", EXAMPLE / "ingest_progress" / "signature.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("ours", [(SECRET,), (SECRET, OLD_SECRET), (OLD_SECRET, SECRET)])
@pytest.mark.parametrize("theirs", [(SECRET,), (OLD_SECRET, SECRET)])
def test_what_we_sign_is_genuine_before_during_and_after_a_rotation(
    verifier: ModuleType, ours: tuple[str, ...], theirs: tuple[str, ...]
) -> None:
    header = signature(BODY, secrets=ours, at=NOW)
    assert verifier.is_genuine(BODY, header, secrets=theirs, now_s=NOW + 299)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=,v1=",
        f"t={NOW}",
        f"v1={'0' * 64}",
        f"t={NOW},v1={'0' * 64}",
        f"t={NOW},v1=ä",
        f"t={'9' * 5000},v1=x",
        "t=²,v1=x",
        signature(BODY, secrets=["another secret"], at=NOW),
        signature(BODY + b" ", secrets=[SECRET], at=NOW),
        signature(BODY, secrets=[SECRET], at=NOW - 301),
        signature(BODY, secrets=[SECRET], at=NOW + 301),
        signature(BODY, secrets=[SECRET], at=NOW - 10_000).replace(f"t={NOW - 10_000}", f"t={NOW}"),
        f"t={NOW},{signature(BODY, secrets=[SECRET], at=NOW - 10_000)}",
    ],
)
def test_a_forged_altered_or_old_message_is_not_genuine(verifier: ModuleType, header: str) -> None:
    assert not verifier.is_genuine(BODY, header, secrets=[SECRET], now_s=NOW)


def test_without_a_secret_nothing_is_genuine(verifier: ModuleType) -> None:
    assert not verifier.is_genuine(BODY, signature(BODY, secrets=[], at=NOW), secrets=[], now_s=NOW)


@dataclass(frozen=True, slots=True)
class RunningExample:
    """The example, with its server and its worker."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ingest/progress/"

    def files(self, project: str) -> dict[str, dict[str, Any]]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ingest/files/ann/{project}/", timeout=30) as answer:
            return {each["filename"]: each for each in json.load(answer)["files"]}

    def post(self, body: bytes, header: str) -> int:
        request = urllib.request.Request(self.url, data=body, headers={"X-Ingest-Signature": header}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExample]:
    data, port = tmp_path_factory.mktemp("receiver"), free_port()
    python = [sys.executable, "-W", "ignore"]
    env = os.environ | {"RECEIVER_DATA": str(data), "INGEST_PROGRESS_SECRET": SECRET}
    env.pop("DJANGO_SETTINGS_MODULE", None)
    manage = [*python, str(EXAMPLE / "manage.py")]
    subprocess.run([*manage, "migrate", "--verbosity", "0"], env=env, check=True, timeout=120)
    worker = [*python, "-m", "celery", "-A", "receiver", "worker", "--pool", "solo", "--without-mingle"]
    serve = ["env", f"RECEIVER_DATA={data}", f"INGEST_PROGRESS_SECRET={SECRET}", *manage]
    answers = f"http://127.0.0.1:{port}/ingest/files/ann/p/"
    with (
        running([*serve, "runserver", "--noreload", f"127.0.0.1:{port}"], answers=answers, log=data / "server.log"),
        (data / "worker.log").open("wb") as log,
        subprocess.Popen(worker, cwd=EXAMPLE, env=env, stdout=log, stderr=log, start_new_session=True) as process,
    ):
        try:
            yield RunningExample(port)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline, pause = time.monotonic() + IN_TIME_S, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "the worker did not do it"
        pause.wait(0.1)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    database = Database(f"sqlite:///{tmp_path / 'index.db'}")
    yield Outbox(database)
    database.close()


def settings_of(example: RunningExample, secret: str = SECRET) -> Settings:
    allow = f"127.0.0.1:{example.port}"
    given = {"INGEST_PROGRESS_URL": example.url, "INGEST_PROGRESS_SECRET": secret, "INGEST_URL_ALLOW": allow}
    return load_settings(given)


def tell(outbox: Outbox, settings: Settings, *, project: str) -> None:
    writer = ProgressWriter(outbox, progress_targets(settings))
    for values in (
        {"state": PassingState.PENDING, "stage": ""},
        {"stage": "parsed_documents", "percent": 40},
        {"stage": "embeddings", "percent": 90},
        {"state": State.SUCCEEDED, "stage": "", "percent": 0, "generation": 1, "chunks": 12, "pages": 3},
    ):
        with outbox.database.begin() as connection:
            writer(connection, change(f"ann:{project}:tide.pdf", **values))


@pytest.mark.slow
def test_each_state_of_a_file_arrives_in_the_application(example: RunningExample, outbox: Outbox) -> None:
    settings = settings_of(example)
    tell(outbox, settings, project="arrives")
    assert deliver_due(outbox, settings, within_s=60).sent == 4
    wait_until(lambda: example.files("arrives").get("tide.pdf", {}).get("state") == "succeeded")
    shown = example.files("arrives")["tide.pdf"]
    assert (shown["status"], shown["chunks"], shown["pages"], shown["stage"]) == ("completed", 12, 3, "")


@pytest.mark.slow
def test_messages_that_come_again_or_late_change_nothing(example: RunningExample, outbox: Outbox) -> None:
    settings = settings_of(example)
    tell(outbox, settings, project="again")
    deliver_due(outbox, settings, within_s=60)
    wait_until(lambda: example.files("again").get("tide.pdf", {}).get("state") == "succeeded")
    before = example.files("again")
    with outbox.database.begin() as connection:
        connection.execute(OUTBOX.update().values(state=DeliveryState.PENDING.value))
    assert deliver_due(outbox, settings, within_s=60).sent == 4
    tell(outbox, settings, project="marker")
    deliver_due(outbox, settings, within_s=60)
    wait_until(lambda: example.files("marker").get("tide.pdf", {}).get("state") == "succeeded")
    assert example.files("again") == before


@pytest.mark.slow
def test_a_forged_message_is_refused_and_recorded_nowhere(example: RunningExample) -> None:
    body = json.dumps({"file_id": "ann:forged:x", "user_id": "ann", "project_id": "forged"}).encode()
    now = int(time.time())
    assert example.post(body, "") == 401
    assert example.post(body, signature(body, secrets=["another secret of somebody"], at=now)) == 401
    assert example.post(body + b" ", signature(body, secrets=[SECRET], at=now)) == 401
    assert example.post(body, signature(body, secrets=[SECRET], at=now - 400)) == 401
    assert example.files("forged") == {}


@pytest.mark.slow
def test_during_a_rotation_the_receiver_takes_what_is_signed_with_both(example: RunningExample, outbox: Outbox) -> None:
    both, old = settings_of(example, f"{OLD_SECRET},{SECRET}"), settings_of(example, OLD_SECRET)
    tell(outbox, both, project="rotation")
    assert deliver_due(outbox, both, within_s=60).sent == 4
    tell(outbox, old, project="rotated")
    assert deliver_due(outbox, old, within_s=60).refused == 4
    assert count(outbox).dead == 4
