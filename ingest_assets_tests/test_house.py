"""Test the rules of the house that no linter knows: one meaning for a class, tests beside packages, plain sentences."""

from __future__ import annotations

import ast
import os
import re
from collections import defaultdict
from pathlib import Path

import pytest

from ingest_assets_tests.conftest import LONGEST, ROOT

LAUNCHER = ROOT / "memory_capped_launcher"
PACKAGES = {
    ROOT / "ingest_assets": ROOT / "ingest_assets_tests",
    LAUNCHER / "src/memory_capped_launcher": LAUNCHER / "memory_capped_launcher_tests",
}
MODULES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))
# "Bytes in, elements out" says what a module is given, not what it does.
RIDDLE = re.compile(r"\bin, .*\bout\b|\b(whoever|nobody's|for want of|but for)\b")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_a_class_has_one_meaning_in_the_whole_project() -> None:
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(named(path))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_folder_of_modules_has_a_folder_of_tests(package: Path) -> None:
    folders = {path.parent.relative_to(package) for path in package.rglob("*.py") if path.name != "__init__.py"}
    assert [str(folder) for folder in sorted(folders) if not any((PACKAGES[package] / folder).glob("test_*.py"))] == []


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_begins_with_a_plain_sentence(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring, "no docstring"
    first = docstring.partition("\n")[0]
    assert first.endswith((".", ":")), first
    assert not RIDDLE.search(first), first


@pytest.mark.parametrize("folder", ["ingest_assets", "ingest_assets_tests", "testing", "benchmarks"])
def test_what_mypy_is_told_to_ignore_has_a_reason_beside_it(folder: str) -> None:
    bare = re.compile(r"# type: \bignore(?!\[[a-z, -]+\]  # \w)")
    lines = ((path, line) for path in (ROOT / folder).rglob("*.py") for line in path.read_text("utf-8").splitlines())
    assert [f"{named(path)}: {line.strip()}" for path, line in lines if bare.search(line)] == []


@pytest.mark.parametrize("name", LONGEST)
def test_a_file_of_tests_that_runs_first_is_there(name: str) -> None:
    assert [path for tests in PACKAGES.values() for path in tests.rglob("test_*.py") if str(path).endswith(name)] != []


def test_the_tests_of_a_file_stay_in_one_process(request: pytest.FixtureRequest) -> None:
    """pytest-xdist writes a test's group behind its name, and keeps a group in one process by that."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("one process runs all tests")
    assert request.node.nodeid.endswith(f"@{named(Path(__file__))} fast")
