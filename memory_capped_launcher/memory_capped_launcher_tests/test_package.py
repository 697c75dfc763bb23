"""Test that the package stands alone: it needs Dagster only, and Dagster's private names are in one module."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from memory_capped_launcher import dagster_private

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/memory_capped_launcher"
MODULES = sorted(
    ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in SOURCE.rglob("*.py")
)
# What a launch runs before its process answers, and what commands import that only look at a host.
STARTS_QUICKLY = [
    "memory_capped_launcher.warm.cold_process",
    "memory_capped_launcher.supervision.process_tree",
    "memory_capped_launcher.host.inspection",
    "memory_capped_launcher.host.plan",
    "memory_capped_launcher.register",
    "memory_capped_launcher.outcomes",
]
DAGSTERS_OWN = "dagster."  # the dot: of the package's own modules, one is called dagster_private


def loaded_by(code: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter has loaded after some code."""
    path = f"import sys; sys.path.insert(0, {str(SOURCE.parent)!r})"
    script = f"{path}; {code}; print(*{{name.split('.')[0] for name in sys.modules}})"
    return set(subprocess.check_output([sys.executable, "-I", "-c", script], text=True).split())


def test_nothing_here_knows_the_project_beside_it() -> None:
    project = "_".join(["ingest", "assets"])
    files = [*ROOT.rglob("*.py"), *ROOT.rglob("*.yaml"), ROOT / "README.md", ROOT / "pyproject.toml"]
    assert len(files) > len(MODULES)
    assert [path.name for path in files if project in path.read_text()] == []


def test_no_other_module_names_a_private_name_of_dagster() -> None:
    naming = [path.name for path in SOURCE.rglob("*.py") if f"{DAGSTERS_OWN}_" in path.read_text()]
    assert naming == ["dagster_private.py"]


@pytest.mark.parametrize("name", dagster_private.IMPORTED_DURING_A_RUN)
def test_every_module_that_is_imported_for_a_run_is_there(name: str) -> None:
    import_module(name)


def test_every_private_name_that_is_imported_late_is_there() -> None:
    assert callable(dagster_private.run_body(resume=True))
    assert callable(dagster_private.run_body(resume=False))
    assert dagster_private.sql_module().ALEMBIC_SCRIPTS_LOCATION
    assert len(list(dagster_private.sqlite_storage_modules())) == 3
    assert all(hasattr(storage, "create_engine") for storage in dagster_private.sqlite_storage_modules())
    import_module(dagster_private.DAEMON_MODULE)


@pytest.mark.parametrize("module", STARTS_QUICKLY)
def test_what_must_start_quickly_does_not_import_dagster(module: str) -> None:
    assert "dagster" not in loaded_by(f"import {module}")


@pytest.mark.slow  # two interpreters import Dagster
def test_no_module_imports_anything_but_dagster_and_what_comes_with_it() -> None:
    lists = "; ".join(f"import {name}" for name in MODULES)
    ours = loaded_by(lists) - loaded_by("import dagster, yaml, sqlalchemy, alembic.config, alembic.script")
    assert {name for name in ours - sys.stdlib_module_names if not name.startswith("_")} == {"memory_capped_launcher"}
