"""Fixtures that every test may use."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

from ingest_assets.clients.embedding.openvino_conversion import converted
from ingest_assets.clients.embedding.weights import find_weights
from ingest_assets.errors import ConfigError
from testing.soaking import share

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus" / "documents"

_SOAKED = (
    *("test_fuzz.py", "test_kill.py", "test_deaths.py", "test_error_rates.py"),
    *("test_many_runs_leave_nothing_behind", "test_a_pdf_of_thousands_of_empty_pages"),
    *("test_same_ranking.py", "test_many_chunks_are_written_and_read_in_flat_memory"),
)
"""Tests of `make soak` beside those of hypothesis: they kill processes, or do a share of their work in the gate."""

LONGEST = (
    *("test_backfills.py", "test_life_of_files.py", "cli/test_main.py", "chroma/test_kill.py"),
    *("test_object_buckets.py", "test_dev.py", "test_out_of_memory.py", "test_postgres_instance.py"),
    *("atlas/test_kill.py", "test_blip_describer.py", "launcher_tests/test_deaths.py"),
    *("cli/bucket/test_commands.py", "defs/test_ingest_file.py", "cli/store/test_commands.py", "test_restores.py"),
    *("test_releases.py", "chroma/test_store.py", "test_rapidocr_captioner.py", "test_run_launcher.py"),
    *("defs/assets/test_pictures.py", "test_listen.py", "page/test_page_in_browser.py", "test_readme.py"),
)
"""Files of slow tests that run first, so that at the end no process waits long for the other."""

# The suite passes with the network off; nothing may try.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")

# Dagster's SQLite files are synchronised to the disk hundreds of times in a run, for 3 ms each (2026-11-30). Tests kill
# processes and not machines, so their folders may lie in memory, where there is plenty of it.
_IN_MEMORY = Path("/dev/shm")
if _IN_MEMORY.is_dir() and shutil.disk_usage(_IN_MEMORY).free > 6 << 30 and psutil.virtual_memory().available > 8 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_IN_MEMORY))

# On a loaded machine examples are slow to draw and to run; neither is a failure.
settings.register_profile(
    "any machine", max_examples=share(50, 500), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the fast tests of all files first, and keep the fast and the slow tests of a file each in one process.

    xdist hands out groups whole (`--dist loadgroup`), so fixtures of a module, such as a server, are made once.
    """
    items.sort(key=_turn)
    for item in items:
        speed = "slow" if item.get_closest_marker("slow") else "fast"
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False) or any(
            name in item.nodeid for name in _SOAKED
        ):
            item.add_marker(pytest.mark.soak)
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(f"{item.nodeid.partition('::')[0]} {speed}"))


def _turn(item: pytest.Item) -> int:
    """Return when a test runs: fast ones first, then the longest files of slow ones, then the others."""
    if item.get_closest_marker("slow") is None:
        return 0
    path = item.nodeid.partition("::")[0]
    return next((turn for turn, name in enumerate(LONGEST, 1) if path.endswith(name)), len(LONGEST) + 1)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real documents made by other people."""
    if not CORPUS.is_dir():
        pytest.skip("the corpus is not beside this checkout (../shared/corpus/documents)")
    return CORPUS


@pytest.fixture(scope="session")
def samples() -> Path:
    """The demo's files."""
    return ROOT / "samples"


@pytest.fixture(scope="session")
def weights() -> Path:
    """The folder of the PyTorch weights."""
    try:
        return find_weights(None)
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def on_a_disk() -> Iterator[Path]:
    """A folder that is not in memory: a mapped file that lies in memory counts as memory."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def model_cache(weights: Path, on_a_disk: Path) -> Path:
    """A cache that holds the converted model."""
    converted(None, cache_dir=on_a_disk / "models")
    return on_a_disk / "models"
