"""Carry out the Dockerfile on a machine without Docker, each stage on a copy-on-write view of this machine.

It tries that each command works as it stands and finds what it needs, that the last stage has all that it is started
with, and that the system in it answers and ends. It does not try the base image: its Python and its tools are this
machine's, and so is the kernel's view of the network.

    python -m testing.image FOLDER    (as root; FOLDER takes 3 GB and is removed)
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START_S = 180.0
_KEPT = ("PIP_", "UV_", "SSL_", "REQUESTS_", "HTTP", "http", "NO_PROXY", "no_proxy", "OPENBLAS_")
"""Beginnings of variables of this machine that say how packages are reached, not what the image is."""


@dataclass
class Stage:
    """A stage of the image as far as it is built."""

    tree: Path
    layers: list[Path]
    environment: dict[str, str]
    folder: str = "/"
    user: str = "root"
    command: list[str] = field(default_factory=list)


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile with what stands behind them."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


class Building:
    """The stages of one Dockerfile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stages: dict[str, Stage] = {}
        self.now: Stage | None = None

    def carry_out(self, word: str, rest: str) -> None:
        """Carry out one instruction."""
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            self.now = self.stages[name] = self._stage(name, self.stages.get(base))
            return
        stage = self.now
        if stage is None:  # ARG before the first stage
            return
        match word:
            case "ARG":
                name, _, value = rest.partition("=")
                stage.environment[name] = value
            case "ENV":
                for name, value in (pair.split("=", 1) for pair in shlex.split(rest)):
                    stage.environment[name] = value.replace("$PATH", stage.environment["PATH"])
            case "WORKDIR":
                stage.folder = rest
                (stage.tree / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "USER":
                stage.user = re.sub(r"\$\{(\w+)\}", lambda found: stage.environment[found[1]], rest)
            case "RUN":
                print("RUN", rest, flush=True)
                subprocess.run(self._inside(stage, ["sh", "-c", rest]), env=stage.environment, check=True)
            case "COPY":
                self._copy(stage, rest)
            case "CMD":
                stage.command = json.loads(rest)

    def _stage(self, name: str, base: Stage | None) -> Stage:
        made = self.folder / name
        for part in ("upper", "work", "tree"):
            (made / part).mkdir(parents=True)
        lower = [made / "upper", *(base.layers if base else [])]
        layers = ":".join(map(str, [*lower[1:], "/"]))
        options = f"lowerdir={layers},upperdir={made / 'upper'},workdir={made / 'work'}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(made / "tree")], check=True)
        tree = made / "tree"
        for mount in ("proc", "dev"):
            subprocess.run(["mount", "--rbind", f"/{mount}", str(tree / mount)], check=True)
        python = Path(sys.base_prefix) / "bin"
        for above in python.parents:  # the image's user may use this machine's Python, which may lie in a home
            (tree / str(above).lstrip("/")).chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
        environment = {**kept, "PATH": f"{python}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root"}
        if base:
            return Stage(tree, lower, dict(base.environment), base.folder, base.user)
        return Stage(tree, lower, environment)

    def _copy(self, stage: Stage, rest: str) -> None:
        *words, target = rest.split()
        options = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
        source = self.stages[options["from"]].tree if "from" in options else ROOT
        into = stage.tree / os.path.normpath(f"{stage.folder}/{target}").lstrip("/")
        for word in (word for word in words if not word.startswith("--")):
            found = source / word.lstrip("/")
            if found.is_dir():
                shutil.copytree(found, into, symlinks=True, dirs_exist_ok=True)
            else:
                shutil.copy2(found, into if not into.is_dir() else into / found.name)
            if "chown" in options:
                subprocess.run(
                    self._as_root(stage, ["chown", "-R", options["chown"], self._seen(stage, into)]), check=True
                )

    @staticmethod
    def _seen(stage: Stage, path: Path) -> str:
        return f"/{path.relative_to(stage.tree)}"

    def _as_root(self, stage: Stage, command: list[str]) -> list[str]:
        return ["chroot", str(stage.tree), *command]

    def _inside(self, stage: Stage, command: list[str]) -> list[str]:
        who = [] if stage.user == "root" else [f"--userspec={stage.user}"]
        script = f"cd {shlex.quote(stage.folder)} && exec {shlex.join(command)}"
        return ["chroot", *who, str(stage.tree), "sh", "-c", script]

    def start(self, **settings: str) -> subprocess.Popen[bytes]:
        """Start the command of the last stage."""
        assert self.now is not None
        stage = self.now
        environment = {**stage.environment, **settings, "HOME": "/home/ingest"}
        return subprocess.Popen(self._inside(stage, stage.command), env=environment, start_new_session=True)


def main() -> None:
    """Build, start what was built, ask it, end it."""
    folder = Path(sys.argv[1]).absolute()
    if "IN_A_NAMESPACE" not in os.environ:
        again = ["unshare", "--mount", sys.executable, "-m", "testing.image", str(folder)]
        try:
            sys.exit(subprocess.run(again, env={**os.environ, "IN_A_NAMESPACE": "1"}, cwd=ROOT, check=False).returncode)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], check=True)
    building = Building(folder)
    for word, rest in instructions((ROOT / "Dockerfile").read_text(encoding="utf-8")):
        building.carry_out(word, rest)
    process = building.start(INGESTION_PORT="17860", DAGSTER_PORT="13000")
    try:
        wait_for("http://127.0.0.1:17860/ready", process)
        wait_for("http://127.0.0.1:13000/dagster/server_info", process)
        time.sleep(5)
        print(urllib.request.urlopen("http://127.0.0.1:17860/ready").read().decode())
    finally:
        process.send_signal(signal.SIGTERM)
        print("ended with", process.wait(60))


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a URL answers."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"no answer from {url}")


if __name__ == "__main__":
    main()
