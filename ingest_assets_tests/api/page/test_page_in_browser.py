"""Test the page in a real browser: sign in, upload, watch, open a document, search, remove; and its accessibility.

`axe` is the library that accessibility tools use; its wheel is read for the script alone.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from importlib.metadata import files as files_of
from pathlib import Path
from typing import Literal

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from ingest_assets.access.callers import KeyRole
from ingest_assets.file_ids import file_id_of
from ingest_assets_tests.api.conftest import Served, serving
from ingest_assets_tests.conftest import ROOT
from testing.browser import new_browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("chromedriver") is None, reason="needs Debian's chromium and chromium-driver"),
]
SAMPLES = ROOT / "samples"
PDF = "station-handbook.pdf"
SHOTS = os.environ.get("INGEST_TEST_SCREENSHOTS", "")
"""A folder to keep screenshots in, for people who change the page."""


class Person:
    """A person at a browser."""

    def __init__(self, served: Served, *, dark: bool = False, width: int = 1400, height: int = 1000) -> None:
        self.served = served
        self.browser = new_browser()
        self.look(dark=dark, width=width, height=height)

    def look(self, *, dark: bool, width: int, height: int) -> None:
        """Use a screen of this size; a phone's is narrower than a window may be."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def open(self, place: str = "") -> None:
        """Open a view by its address."""
        self.browser.get("about:blank")
        self.browser.get(f"{self.served.url}/{place}")

    def find(self, css: str, *, holding: str = "") -> WebElement:
        """Return an element when it is there and holds a text."""
        waiting = WebDriverWait(self.browser, 120, ignored_exceptions=[WebDriverException])

        def found(browser: webdriver.Chrome) -> WebElement | Literal[False]:
            elements: list[WebElement] = browser.find_elements(By.CSS_SELECTOR, css)
            return next((each for each in elements if each.is_displayed() and holding in each.text), False)

        shown: WebElement = waiting.until(found, f"no {css!r} holding {holding!r}")
        return shown

    def until(self, holds: Callable[[], object], *, what: str) -> None:
        """Wait until something holds."""
        ignored = [WebDriverException]
        WebDriverWait(self.browser, 120, ignored_exceptions=ignored).until(lambda _: holds(), what)

    def violations(self) -> list[str]:
        """Return what axe finds wrong with the page as it is."""
        script = next(path for path in files_of("axe-playwright-python") or () if path.name == "axe.min.js")
        self.browser.execute_script(script.read_text(encoding="utf-8"))
        found = self.browser.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
        return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]

    def errors(self) -> list[str]:
        """Return what the browser complains about: what our policy forbids, files that are missing, defects."""
        return [entry["message"] for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]

    def keep(self, name: str) -> None:
        """Keep a screenshot, if somebody wants it."""
        if SHOTS:
            self.browser.save_screenshot(str(Path(SHOTS) / f"{name}.png"))


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Served]:
    """A service with documents that runs have read, and one that failed."""
    with serving(tmp_path_factory.mktemp("page") / "home", model_cache) as served:
        for name in (PDF, "radio-procedures.md", "volunteer-guide.docx"):
            assert served.ingest(served.put(f"ann/station/{name}", (SAMPLES / name).read_bytes()))
        served.put(
            "ann/station/<img src=x onerror=alert(1)>.txt",
            "Tides\n\nThe tide <script>alert(1)</script> and <b>bold</b> words are text.\n",
        )
        assert served.ingest(file_id_of("ann/station/<img src=x onerror=alert(1)>.txt"))
        assert not served.ingest(served.put("ann/station/broken.pdf", b"%PDF-1.7\nbroken"))
        yield served


@pytest.fixture
def person(station: Served) -> Iterator[Person]:
    someone = Person(station)
    try:
        yield someone
    finally:
        someone.browser.quit()


OF_STATION = "user_id=ann&project_id=station"
VIEWS = {
    "files": (f"#/files?{OF_STATION}", "table.files", PDF),
    "search": (f"#/search?{OF_STATION}&q=when+is+the+barometer+read", ".hits", "page"),
    "document": (f"#/document?{OF_STATION}&filename={PDF}&page=1", ".column", "Chunks"),
    "text": (f"#/document?{OF_STATION}&filename=radio-procedures.md", ".column", "Chunks"),
    "host": (f"#/host?{OF_STATION}", ".problems", "broken.pdf"),
}


@pytest.mark.parametrize("view", VIEWS)
def test_no_view_has_a_barrier_at_any_size_or_in_any_light(person: Person, view: str) -> None:
    place, css, text = VIEWS[view]
    person.open(place)
    person.find(css, holding=text)
    if view == "document":
        person.until(lambda: person.find(".page img").get_property("naturalWidth"), what="the page is drawn")
    for dark in (False, True):
        for width in (360, 1400):
            person.look(dark=dark, width=width, height=1000 if width > 400 else 760)
            assert person.violations() == []
            sides = person.browser.execute_script(
                "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            )
            assert sides[0] <= sides[1], "nothing is wider than the screen"
            person.keep(f"{view}-{width}-{'dark' if dark else 'light'}")
    assert person.errors() == []


def test_a_hit_leads_to_its_page_and_marks_the_place(person: Person) -> None:
    place, css, text = VIEWS["search"]
    person.open(place)
    person.find(css, holding=text)
    assert person.browser.find_elements(By.CSS_SELECTOR, ".hits mark"), "words of the question are marked"
    person.find(".hit a", holding=PDF).click()
    mark = person.find(".marks .mark")
    assert mark.size["width"] > 20 and mark.size["height"] > 4
    assert "chunk" in (person.find(".chunk.pointed").get_attribute("id") or "")
    person.until(lambda: person.find(".page img").get_property("naturalWidth"), what="the page is drawn")
    person.keep("hit")


def test_pages_are_turned_by_the_keyboard(person: Person) -> None:
    person.open(VIEWS["document"][0])
    person.find(".column", holding="Chunks")
    person.find("#page-number").send_keys(Keys.BACKSPACE, "2", Keys.TAB)
    person.until(lambda: "page=2" in person.browser.current_url, what="the address names the page")
    person.until(
        lambda: "page=2" in (person.find(".page img").get_attribute("src") or ""), what="the second page is shown"
    )


def test_names_and_texts_of_files_are_never_read_as_html(person: Person) -> None:
    person.open(VIEWS["files"][0])
    person.find("table.files a", holding="<img src=x").click()
    person.find(".element", holding="<script>alert(1)</script>")
    assert "<img src=x" in person.find("h1").text
    assert not person.browser.find_elements(By.CSS_SELECTOR, "main b, main script")
    assert person.errors() == []


def test_a_person_signs_in_uploads_watches_and_removes(tmp_path: Path, model_cache: Path) -> None:
    with serving(tmp_path / "home", model_cache) as served:
        key = served.key("ann/station", role=KeyRole.WRITE)
        person = Person(served)
        try:
            person.open()
            person.find("#key").send_keys(key, Keys.ENTER)
            person.find(".drop")
            assert key not in person.browser.execute_script("return document.documentElement.outerHTML")
            assert person.browser.execute_script("return document.cookie") == "", "no script sees the session"
            path = tmp_path / "tides.md"
            path.write_text("# Tides\n\nThe tide table hangs beside the boathouse door.\n")
            person.browser.find_element(By.ID, "choose").send_keys(str(path))
            person.find(".job", holding="tides.md")
            assert served.ingest(file_id_of("ann/station/tides.md"))
            person.find(".job .state", holding="ready")
            person.find("table.files .state", holding="ready")
            assert person.violations() == []
            person.keep("upload")
            person.find("table.files a", holding="tides.md").click()
            person.find(".element", holding="boathouse")
            person.browser.back()
            person.find("#remove-0").click()
            person.find("dialog button", holding="Remove").click()
            person.find(".empty", holding="No files yet")
            assert not list(Path(served.settings.bucket).glob("ann/station/*.md"))
            person.find("header button", holding="Sign out").click()
            person.find("#key")
            assert person.violations() == []
            person.keep("sign-in")
        finally:
            person.browser.quit()


def test_a_folder_is_uploaded_with_its_paths(tmp_path: Path, model_cache: Path) -> None:
    with serving(tmp_path / "home", model_cache) as served:
        folder = tmp_path / "log"
        (folder / "may").mkdir(parents=True)
        for name in ("june.md", "may/first.md"):
            (folder / name).write_text(f"# {name}\n\nCalm.\n")
        person = Person(served)
        try:
            person.open("#/files?user_id=ann&project_id=station")
            person.find(".drop")
            person.browser.find_element(By.ID, "choose-folder").send_keys(str(folder))
            bucket = Path(served.settings.bucket) / "ann/station"
            deadline = time.monotonic() + 60
            while not (bucket / "log/may/first.md").exists() or not (bucket / "log/june.md").exists():
                assert time.monotonic() < deadline, sorted(bucket.rglob("*"))
                time.sleep(0.1)
        finally:
            person.browser.quit()
