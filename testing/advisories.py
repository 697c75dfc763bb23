"""Ask the package index for known security holes in the packages of requirements.lock.

Where the index cannot answer (a mirror without advisories, no network), this says "not checked" and passes: a gate
that needs a service outside would fail for reasons that no change can mend.

    python -m testing.advisories
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
_ASKED_FIRST = "urllib3"
"""Had advisories in the past: an index that does not know it knows none."""


def main() -> int:
    """Print the advisories; return 1 if there is one, 0 if there is none or nothing could be asked."""
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "first.txt"
        first.write_text(entry_of(LOCK.read_text(encoding="utf-8"), _ASKED_FIRST), encoding="utf-8")
        answer = audited(first)
        if isinstance(answer, list) and any("skip_reason" not in package for package in answer):
            answer = audited(LOCK)
        elif isinstance(answer, list):
            answer = f"the package index answers no advisories ({answer[0]['skip_reason']})"
    if isinstance(answer, str):
        print(f"advisories: NOT CHECKED: {answer}")
        return 0
    for package in answer:
        for hole in package.get("vulns", []):
            fixed = ", ".join(hole["fix_versions"]) or "no release"
            print(f"{package['name']} {package['version']}: {hole['id']}, fixed in {fixed}")
    asked = [package for package in answer if "skip_reason" not in package]
    found = [package for package in asked if package["vulns"]]
    print(f"advisories: {len(asked)} of {len(answer)} packages checked, {len(found)} with a known hole")
    return 1 if found else 0


def entry_of(lock: str, name: str) -> str:
    """Return the lines of one package in a lock: its pin and its hashes."""
    start = lock.index(f"\n{name}==") + 1
    return lock[start : lock.index("    # via", start)]


def audited(requirements: Path) -> list[dict[str, Any]] | str:
    """Return what pip-audit found for each package, or why it could not ask."""
    options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--timeout", "10", "--format", "json"]
    command = [sys.executable, "-m", "pip_audit", *options, "--requirement", str(requirements)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
    return packages


if __name__ == "__main__":
    sys.exit(main())
