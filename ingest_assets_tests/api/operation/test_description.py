"""Test the description of the API: for operators only, without other hosts, under a policy that its pages bear."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import element_to_be_clickable
from selenium.webdriver.support.ui import WebDriverWait

from ingest_assets.access.callers import KeyRole
from ingest_assets_tests.api.conftest import Served
from testing.browser import new_browser

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    if shutil.which("chromedriver") is None:
        pytest.skip("needs Debian's chromium and chromium-driver")
    with new_browser() as started:
        yield started


@pytest.mark.parametrize(
    ("page", "shown"), [("docs", ".opblock-summary-path"), ("redoc", "[data-section-id^='tag/search']")]
)
def test_a_page_shows_the_endpoints_without_other_hosts(
    browser: webdriver.Chrome, shared_service: Served, page: str, shown: str
) -> None:
    browser.get(f"{shared_service.url}/{page}")
    WebDriverWait(browser, 60).until(lambda browser: browser.find_elements(By.CSS_SELECTOR, shown))
    assert "search" in browser.find_element(By.TAG_NAME, "body").text.lower()
    said = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    # Redoc would show a logo of its own, from elsewhere, and the policy forbids it.
    assert [line for line in said if "favicon" not in line and "cdn.redoc.ly" not in line] == []


def test_swagger_ui_asks_an_endpoint_and_shows_the_answer(browser: webdriver.Chrome, shared_service: Served) -> None:
    browser.get(f"{shared_service.url}/docs")
    waiting = WebDriverWait(browser, 60)
    for found in ("#operations-operation-health .opblock-summary-control", ".try-out__btn", ".execute"):
        waiting.until(element_to_be_clickable((By.CSS_SELECTOR, found))).click()
    answer = waiting.until(lambda browser: browser.find_element(By.CSS_SELECTOR, ".live-responses-table"))
    assert "200" in answer.text


def test_only_an_operator_reads_them(served: Served) -> None:
    writer, operator = served.with_key("*", role=KeyRole.WRITE), served.with_key("*", role=KeyRole.ADMIN)
    for path in ("/docs", "/redoc", "/docs/swagger-ui-bundle.js", "/docs/docs.js", "/openapi.json"):
        assert served.client.get(path).status_code == 401, path
        assert writer.get(path).status_code == 403, path
        answer = operator.get(path)
        assert answer.status_code == 200, path
        assert not re.search(r'(src|href)="https?:', answer.text) or path.endswith("bundle.js"), path
    assert operator.get("/docs/nothing.js").status_code == 404
