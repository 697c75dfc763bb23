"""Open headless Chromium, as Debian's packages chromium and chromium-driver install it."""

from __future__ import annotations

import shutil

from selenium import webdriver

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1500,1000"
)


def new_browser() -> webdriver.Chrome:
    """Start a browser that calls no service of its maker; end it by `quit`."""
    options = webdriver.ChromeOptions()
    for flag in _FLAGS.split():
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})  # what pages write to the console
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
