"""Test `ingest up` as an operator does: drop files into the bucket, ask the service, start a backfill in a browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import httpx
import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from ingest_assets.ledger_records import State
from ingest_assets_tests.dev_stack import Stack, running_stack
from testing.browser import new_browser
from testing.polling import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("dev") / "home", model_cache) as stack:
        yield stack


def test_a_dropped_file_is_ingested_again_when_it_changes_and_purged_when_it_goes(stack: Stack) -> None:
    path = stack.bucket / "tides.md"
    path.write_text("# Tides\n\nThe tide table hangs beside the boathouse door.\n")
    until(lambda: stack.ended("tides.md", State.SUCCEEDED), what="the file is in the store")
    path.write_text("# Tides\n\nThe tide table hangs in the kitchen now.\n")
    until(lambda: stack.ended("tides.md", State.SUCCEEDED, generation=2), what="the changed file is in the store")
    (chunk,) = stack.parts.store.chunks("ann:p:tides.md")
    assert "kitchen" in chunk.text
    question = {"query": "Where is the tide table?", "user_id": "ann", "project_id": "p"}
    answer = httpx.post(f"{stack.service_url}/search", json=question, timeout=60).json()
    assert ["kitchen" in hit["text"] for hit in answer["hits"]] == [True], answer
    path.unlink()
    until(lambda: stack.record("tides.md") is None, what="the deleted file is purged")
    until(lambda: "ann:p:tides.md" not in stack.instance.get_dynamic_partitions("files"), what="its partition is gone")


def test_a_run_names_the_request_that_brought_its_file_and_the_log_names_both(stack: Stack) -> None:
    form = {"user_id": "ann", "project_id": "p"}
    sent = httpx.post(f"{stack.service_url}/upload", data=form, files={"files": ("eels.md", b"# Eels")}, timeout=60)
    assert sent.status_code == 202, sent.text
    until(lambda: stack.ended("eels.md", State.SUCCEEDED), what="the file is in the store")
    request_id = sent.headers["X-Request-ID"]
    (run,) = stack.instance.get_runs(filters=dg.RunsFilter(tags={"ingest/request": request_id}))
    assert run.tags["dagster/partition"] == "ann:p:eels.md"
    lines = [json.loads(line) for line in (stack.home / "up.log").read_text().splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line.get("request_id") == request_id]
    assert (line["route"], line["job_id"]) == ("/upload", sent.json()["job_id"])
    assert any(line["logger"].startswith("dagster.daemon") and run.run_id in line["event"] for line in lines)


@pytest.mark.skipif(shutil.which("chromedriver") is None, reason="needs Debian's chromium and chromium-driver")
def test_a_backfill_is_started_in_the_browser(stack: Stack) -> None:
    names = {"geese.md", "seals.md"}
    for name in names:
        (stack.bucket / name).write_text(f"# {name}\n\nThey winter on the north meadow.\n")
    until(lambda: all(stack.ended(name, State.SUCCEEDED) for name in names), what="the files are in the store")
    start_backfill_of_all(f"{stack.url}/asset-groups", stack.instance, screenshot=stack.home / "backfill.png")

    def backfilled() -> set[str]:
        runs = stack.instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))
        return {run.tags["dagster/partition"] for run in runs if "dagster/backfill" in run.tags}

    until(lambda: backfilled() >= {f"ann:p:{name}" for name in names}, what="the backfill's runs succeeded")
    records = [stack.record(name) for name in names]
    assert [record.generation for record in records if record] == [1, 1], "nothing changed, nothing was published again"


def start_backfill_of_all(url: str, instance: dg.DagsterInstance, *, screenshot: Path) -> None:
    """Click "Materialize all", "All" and "Launch backfill" as a person does, and stay until the backfill is there."""
    browser = new_browser()
    try:
        browser.get(url)
        patient = WebDriverWait(browser, 60, poll_frequency=2, ignored_exceptions=[WebDriverException])
        patient.until(lambda page: click(page, "contains(., 'Materialize all')"))
        patient.until(lambda page: instance.get_backfills() or launch_all(page), "the backfill was not launched")
        browser.save_screenshot(str(screenshot))
    finally:
        browser.quit()


def launch_all(browser: webdriver.Chrome) -> bool:
    """Select all partitions and launch; to be repeated: until the dialog has read the partitions, both do nothing."""
    # "All" stands in other labels too; the others are followed by dots that the UI may drop one day.
    click(browser, "normalize-space(.)='All'")
    click(browser, "contains(., 'Launch backfill')")
    return False


def click(browser: webdriver.Chrome, words: str) -> bool:
    """Find and click in one go: the page may draw the button anew between the two."""
    browser.find_element(By.XPATH, f"//button[{words}]").click()
    return True
