"""Check that what `deploy/` and the Dockerfile set and start exists: variables, commands with their options, files."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import pytest
import typer.main
import yaml

from ingest_assets.cli.main import app
from ingest_assets.config.settings import FILE_SECRETS, Settings
from ingest_assets_tests.conftest import ROOT
from testing.image import instructions

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
OURS = {name: part for name, part in COMPOSE["services"].items() if part.get("image") == "ingest_assets"}
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
DOCKERFILE = instructions((ROOT / "Dockerfile").read_text(encoding="utf-8"))
KNOWN = {str(field.validation_alias) for field in Settings.model_fields.values()}
KNOWN |= {f"{name}_FILE" for name in FILE_SECRETS}
OF_OTHERS = {
    # Python, glibc, the model hub, Amazon's libraries
    *("PATH", "PYTHONUNBUFFERED", "MALLOC_ARENA_MAX", "HF_HUB_OFFLINE"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"),
}


def entries(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(encoding="utf-8"), flags=re.MULTILINE)


def command_of(name: str) -> click.Command:
    if name == "ingest":
        return typer.main.get_command(app)
    assert name == "dagster-webserver", name
    from dagster_webserver.cli import dagster_webserver

    return dagster_webserver


def require_command(words: Sequence[str]) -> None:
    """Require that a command exists and takes these arguments; click reads them, and nothing is run."""
    name = Path(words[0]).name
    command = command_of(name)
    assert (Path(sys.executable).parent / name).exists()
    context = command.make_context(name, list(words[1:]), resilient_parsing=False)
    if isinstance(command, click.Group):
        sub, below, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert sub and below
        below.make_context(sub, rest, parent=context)


def test_compose_sets_only_variables_that_something_reads() -> None:
    assert set(OURS) == {"prepare", "daemon", "web", "service"}
    for name, part in OURS.items():
        assert part["environment"].keys() - KNOWN - OF_OTHERS == set(), name


@pytest.mark.parametrize("name", OURS)
def test_a_container_of_compose_starts_a_command_that_exists(name: str) -> None:
    require_command(OURS[name]["command"])


def test_compose_refers_to_what_it_declares() -> None:
    services, volumes = COMPOSE["services"], COMPOSE["volumes"]
    profiles = {profile for part in services.values() for profile in part.get("profiles", [])}
    assert profiles == {"mongodb", "s3", "kafka", "redis"}
    for part in services.values():
        assert part.get("depends_on", {}).keys() <= services.keys()
        assert {volume.partition(":")[0] for volume in part.get("volumes", [])} <= volumes.keys()
        assert part.get("pid", "service:daemon").removeprefix("service:") in services
    hosts = {"database": "INGEST_PGVECTOR", "web": "INGEST_DAGSTER_URL"}
    for host, variable in hosts.items():
        assert f"{host}:" in OURS["service"]["environment"][variable]


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_sets_known_variables_and_starts_a_command_that_exists(unit: Path) -> None:
    (start,) = entries(unit, "ExecStart")
    require_command(shlex.split(start))
    named = {pair.partition("=")[0] for line in entries(unit, "Environment") for pair in shlex.split(line)}
    assert named - KNOWN - OF_OTHERS == set()
    (home,) = (pair for line in entries(unit, "Environment") for pair in shlex.split(line) if "DAGSTER_HOME" in pair)
    assert home == "DAGSTER_HOME=/var/lib/ingest/home"


def test_runs_get_groups_of_their_own_from_systemd() -> None:
    unit = DEPLOY / "systemd/ingest.service"
    assert entries(unit, "Delegate") == ["memory"]
    assert entries(unit, "DelegateSubgroup") == ["stack"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs Debian's systemd")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_reads_the_units(unit: Path, tmp_path: Path) -> None:
    for path in UNITS:
        here = path.read_text(encoding="utf-8").replace("/opt/ingest/bin/ingest", "/bin/true")
        (tmp_path / path.name).write_text(here, encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # Before 254 systemd knows no DelegateSubgroup, and goes on without it.
    said = [line for line in done.stderr.splitlines() if "DelegateSubgroup" not in line and unit.name in line]
    assert (done.returncode, said) == (0, []), done.stderr


def test_the_image_sets_known_variables_and_starts_a_command_that_exists() -> None:
    last = [word for word, _ in DOCKERFILE].index("USER")
    (command,) = (rest for word, rest in DOCKERFILE if word == "CMD")
    require_command(json.loads(command))
    variables = {pair.partition("=")[0] for pair in shlex.split(" ".join(of(DOCKERFILE[last - 1 : last], "ENV")))}
    assert {"DAGSTER_HOME", "INGEST_ADDRESS"} <= variables <= KNOWN | OF_OTHERS
    assert of(DOCKERFILE, "EXPOSE") == [str(Settings.model_validate({"DAGSTER_HOME": "/data"}).port)]


def of(found: Iterable[tuple[str, str]], wanted: str) -> list[str]:
    return [rest for word, rest in found if word == wanted]


def test_what_the_image_copies_is_there() -> None:
    for words in (rest.split() for rest in of(DOCKERFILE, "COPY") if "--from" not in rest):
        assert [name for name in words[:-1] if not name.startswith("--") and not (ROOT / name).exists()] == []


def test_a_space_shows_the_port_of_the_image() -> None:
    front = yaml.safe_load((DEPLOY / "huggingface/README.md").read_text(encoding="utf-8").split("---")[1])
    assert (front["sdk"], [str(front["app_port"])]) == ("docker", of(DOCKERFILE, "EXPOSE"))


def test_render_starts_the_image_with_variables_that_exist() -> None:
    (service,) = yaml.safe_load((DEPLOY / "render.yaml").read_text(encoding="utf-8"))["services"]
    assert {entry["key"] for entry in service["envVars"]} <= KNOWN
    assert service["disk"]["mountPath"] == of(DOCKERFILE, "VOLUME")[0]
    assert (ROOT / service["dockerfilePath"]).is_file()
