"""Run every query of the dashboard and every alert rule on a real Prometheus that asks a real service."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from ingest_assets_tests.api.conftest import Served, serving
from ingest_assets_tests.conftest import ROOT
from testing.postgres import postgres
from testing.servers import free_port, running

DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus/alerts.yaml"
ALERTS = {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
DASHBOARD = json.loads((DEPLOY / "grafana/dashboard.json").read_text(encoding="utf-8"))
QUERIES = {
    f"{panel['title']} {target['refId']}": target["expr"].replace("$job", "ingest")
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}
BIN = Path(sys.prefix) / "prometheus/usr/bin"  # where `make` unpacks Debian's package
METRIC = re.compile(r"\b(?:ingest|process)_[a-z_]+\b")
WAIT_S = 60.0

pytestmark = pytest.mark.slow


def program(name: str) -> str:
    """Return the path of a program of Debian's package prometheus."""
    found = shutil.which(name, path=str(BIN)) or shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name} of Debian's package prometheus")
    return found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, model_cache: Path, samples: Path) -> Iterator[Served]:
    """A service whose every figure has a value: files with and without pages, one that is refused, a store server."""
    home = tmp_path_factory.mktemp("service") / "home"
    with postgres() as server:
        store = {"INGEST_STORE": "pgvector", "INGEST_PGVECTOR": server.new_database()}
        yield from filled(home, model_cache, samples, store=store)


def filled(home: Path, model_cache: Path, samples: Path, *, store: dict[str, str]) -> Iterator[Served]:
    with serving(home, model_cache, **store) as served:
        assert served.ingest(served.put("ann/p/tides.md", "# Tides\n\nHigh tide is at noon."))
        assert served.ingest(served.put("ann/p/readings.xlsx", (samples / "readings.xlsx").read_bytes()))
        assert not served.ingest(served.put("ann/p/torn.pdf", b"%PDF-1.7 torn"))
        yield served


@pytest.fixture(scope="module")
def prometheus(service: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Prometheus with the shipped configuration, but for pauses, address and key."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    settings = yaml.safe_load((DEPLOY / "prometheus/prometheus.yaml").read_text(encoding="utf-8"))
    settings["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms", "scrape_timeout": "500ms"}
    (job,) = settings["scrape_configs"]
    job["static_configs"][0]["targets"] = [service.url.removeprefix("http://")]
    del job["authorization"]  # without a key in the whole service this machine is let in
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    shutil.copy(RULES, folder)
    url = f"http://127.0.0.1:{port}"
    command = [program("prometheus"), f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    with running(command, answers=f"{url}/-/ready", log=folder / "log"), httpx.Client(base_url=url) as client:
        until(lambda: value(client, 'up{job="ingest"}') == [1.0])
        # A rate needs a look before and one behind what it counts.
        ask(service)
        until(lambda: value(client, 'ingest_http_requests_total{route="/search"}') == [1.0])
        ask(service)
        assert service.ingest(service.put("ann/p/geese.md", "# Geese\n\nThey winter on the north meadow."))
        assert not service.ingest(service.put("ann/p/torn.pdf", b"%PDF-1.7 torn again"))
        until(lambda: any(value(client, 'increase(ingest_chunks_total{vector="embedded"}[5m])')))
        yield client


def ask(service: Served) -> None:
    body = {"query": "When is high tide?", "user_id": "ann", "project_id": "p"}
    assert service.client.post("/search", json=body).status_code == 200
    assert service.client.get("/no/such/route").status_code == 404


def value(client: httpx.Client, query: str) -> list[Any]:
    answer = client.get("/api/v1/query", params={"query": query})
    assert answer.status_code == 200, answer.text
    found = answer.json()["data"]["result"]
    return [float(each["value"][1]) if "value" in each else each["values"] for each in found]


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_of_the_dashboard_has_an_answer(prometheus: httpx.Client, name: str) -> None:
    assert value(prometheus, QUERIES[name])


def test_every_rule_is_evaluated_and_none_fires_while_all_is_well(prometheus: httpx.Client) -> None:
    def evaluated() -> list[dict[str, Any]]:
        (group,) = prometheus.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for rule in group["rules"] if not rule["lastEvaluation"].startswith("0001")]

    until(lambda: len(evaluated()) == len(ALERTS))
    assert {rule["name"]: rule["health"] for rule in evaluated()} == dict.fromkeys(ALERTS, "ok")
    assert [rule["name"] for rule in evaluated() if rule["state"] == "firing"] == []


def test_no_query_names_a_figure_that_the_service_does_not_have(service: Served) -> None:
    shown = set(METRIC.findall(service.client.get("/metrics").text))
    asked = {*QUERIES.values(), *(rule["expr"] for rule in ALERTS.values())}
    assert {name for query in asked for name in METRIC.findall(query)} - shown == set()


def test_promtool_finds_the_rules_right() -> None:
    subprocess.run([program("promtool"), "check", "rules", "--lint-fatal", str(RULES)], check=True)


FIRING = {
    "IngestServiceDown": {'up{job="ingest"}': "0x120"},
    "IngestIndexAway": {"ingest_index_up": "0x120"},
    "IngestNothingStartsRuns": {"ingest_runs_are_started": "0x120", "ingest_queue_depth": "3x120"},
    "IngestFilesWaitLong": {"ingest_oldest_pending_seconds": "4000x120"},
    "IngestFilesFail": {
        'ingest_runs_total{outcome="failed"}': "0+1x120",
        'ingest_runs_total{outcome="succeeded"}': "0+2x120",
    },
    "IngestRunsOutOfMemory": {'ingest_runs_total{outcome="out_of_memory",media_type="application/pdf"}': "0+1x120"},
    "IngestStoreConnectionsAreShort": {'ingest_store_connections{state="waiting"}': "2x120"},
    "IngestDeletesWait": {"ingest_files_missing": "21x120"},
    "IngestInboxIsNotTaken": {"ingest_inbox_keys": "2000x120"},
    "IngestServiceErrors": {
        'ingest_http_requests_total{status="503"}': "0+10x120",
        'ingest_http_requests_total{status="200"}': "0+100x120",
    },
    "IngestSearchIsSlow": {
        'ingest_http_request_seconds_bucket{route="/search",le="0.5"}': "0+9x120",
        'ingest_http_request_seconds_bucket{route="/search",le="1.0"}': "0+10x120",
        'ingest_http_request_seconds_bucket{route="/search",le="+Inf"}': "0+10x120",
    },
    "IngestServiceHoldsMuchMemory": {'process_resident_memory_bytes{job="ingest"}': "2000000000x120"},
}
"""For each alert, series of two hours, a value a minute, with which it fires."""


def test_every_alert_fires_when_it_should_and_alone(tmp_path: Path) -> None:
    assert FIRING.keys() == ALERTS.keys()
    tests = [
        {
            "interval": "1m",
            "name": name,
            "input_series": [{"series": series, "values": values} for series, values in given.items()],
            "promql_expr_test": [
                {
                    "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                    "eval_time": "110m",
                    "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1}],
                }
            ],
        }
        for name, given in FIRING.items()
    ]
    path = tmp_path / "tests.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run(
        [program("promtool"), "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
