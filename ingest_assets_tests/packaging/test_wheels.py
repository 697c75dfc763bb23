"""Build both wheels, compare their files with the tree, and use them in an empty folder as a new user would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = {
    "ingest_assets": (ROOT, ROOT / "ingest_assets"),
    "memory_capped_launcher": (
        ROOT / "memory_capped_launcher",
        ROOT / "memory_capped_launcher/src/memory_capped_launcher",
    ),
}
CACHES = shutil.ignore_patterns(
    "__pycache__", "*.pyc", "*.egg-info", "build", ".venv", ".dagster_home", ".git", ".*_cache"
)
QUESTION = "How often is the overflow can of the rain gauge emptied?"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both wheels, built from a copy of the tree, since a build leaves folders beside the sources."""
    folder = tmp_path_factory.mktemp("wheels")
    built = {}
    for name, (project, _) in PROJECTS.items():
        copy = folder / f"{name}-source"
        shutil.copytree(project, copy, ignore=CACHES)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
        subprocess.run([*command, "--wheel-dir", str(folder), str(copy)], check=True, env=clean_environment())
        (built[name],) = folder.glob(f"{name}-*.whl")
    return built


def clean_environment() -> dict[str, str]:
    """Return the environment without what names this checkout or sets the project up."""
    ours = ("PYTHONPATH", "DAGSTER_HOME", "INGEST_", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROJECTS)
def test_a_wheel_holds_its_package_and_nothing_else(wheels: dict[str, Path], name: str) -> None:
    package = PROJECTS[name][1]
    in_tree = {path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    in_wheel = zipfile.ZipFile(wheels[name]).namelist()
    assert {path for path in in_wheel if ".dist-info/" not in path} == {
        path.relative_to(package.parent).as_posix() for path in in_tree
    }
    assert f"{name}/py.typed" in in_wheel
    assert any(path.endswith(".dist-info/licenses/LICENSE") for path in in_wheel)


@pytest.fixture(scope="module")
def python(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a new environment that holds the two wheels.

    Their dependencies (1.5 GB) are not installed again: a `.pth` file names the folder where this environment has them.
    The editable project of that folder stays out of reach, because Python reads no `.pth` files of such a folder.
    """
    venv = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin/python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, *map(str, wheels.values())], check=True, env=clean_environment())
    (site,) = venv.glob("lib/python3*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.mark.slow
def test_installed_wheels_ingest_and_find_a_file_in_an_empty_folder(
    python: Path, tmp_path: Path, samples: Path, weights: Path
) -> None:
    def run(*command: str | Path) -> str:
        done = subprocess.run(
            [python, *command], cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    installed = run(
        "-c", "import ingest_assets, memory_capped_launcher as m; print(ingest_assets.__file__, m.__file__)"
    )
    assert all(path.startswith(str(python.parents[1])) for path in installed.split())

    ingest = python.parent / "ingest"
    run(ingest, "prepare")
    shipped = ROOT / "ingest_assets/config/dagster.yaml"
    assert (tmp_path / ".dagster_home/dagster.yaml").read_bytes() == shipped.read_bytes()

    assert "succeeded" in run(ingest, "add", samples / "log-book.txt", "--user", "ann", "--project", "island")
    assert "log-book.txt" in run(ingest, "search", QUESTION, "--user", "ann", "--project", "island")
    tags = '{"dagster/partition": "ann:island:log-book.txt"}'
    job = ["job", "execute", "-m", "ingest_assets.definitions", "-j", "ingest_file", "--tags", tags]
    run("-c", f"import os, sys; os.environ['DAGSTER_HOME'] = {str(tmp_path / '.dagster_home')!r}\n{DAGSTER}", *job)


DAGSTER = "from dagster._cli import main\nsys.argv[0] = 'dagster'\nmain()"
