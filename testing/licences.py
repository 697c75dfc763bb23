"""Report the licence of every package that a run or an extra needs, and fail on one that is not allowed.

Permissive licences are allowed, and weak copyleft, which binds only changes of the package itself (MPL, LGPL). GPL,
AGPL and SSPL would bind everyone who ships an image with this project in it. Development tools are not part of the
report, because no image holds them.

    python -m testing.licences
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from importlib.metadata import PackageNotFoundError, distribution, metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "ingest-assets"
FORBIDDEN = ("GPL", "General Public", "SSPL", "Server Side", "Commons Clause", "BUSL", "Proprietary", "UNKNOWN")
ALLOWED_ALTHOUGH = ("LGPL", "Lesser General Public")


def needed_by(name: str, extras: frozenset[str] = frozenset()) -> set[str]:
    """Return the canonical names of the installed packages that a package needs at run time, itself among them."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = [(canonicalize_name(name), extras)]
    while waiting:
        name, extras = entry = waiting.pop()
        if entry in found:
            continue
        try:
            requirements = [Requirement(text) for text in distribution(name).requires or []]
        except PackageNotFoundError:
            continue  # of an extra that is not installed, or for another platform
        found.add(entry)
        waiting += [
            (canonicalize_name(requirement.name), frozenset(requirement.extras))
            for requirement in requirements
            if not requirement.marker or any(requirement.marker.evaluate({"extra": extra}) for extra in extras | {""})
        ]
    return {name for name, _ in found}


def main() -> int:
    """Print how many packages have which licence, and each that is not allowed; return 1 if there is one."""
    extras = frozenset(metadata(PROJECT).get_all("Provides-Extra", []))
    needed = sorted(needed_by(PROJECT, extras))
    command = [sys.executable, "-m", "piplicenses", "--from=mixed", "--format=json", "--packages", *needed]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    licences = {row["Name"]: row["License"] for row in rows}
    for licence, count in Counter(licences.values()).most_common():
        print(f"{count:4} {licence.splitlines()[0][:100]}")
    wrong = {name: licence for name, licence in licences.items() if not allowed(licence)}
    for name, licence in sorted(wrong.items()):
        print(f"NOT ALLOWED: {name}: {licence[:100]}; replace the package")
    print(f"licences: {len(licences)} packages, {len(wrong)} not allowed")
    return 1 if wrong else 0


def allowed(licence: str) -> bool:
    """Tell whether the text of a licence field names a licence that this project may depend on."""
    for term in ALLOWED_ALTHOUGH:
        licence = licence.replace(term, "")
    return not any(term in licence for term in FORBIDDEN)


if __name__ == "__main__":
    sys.exit(main())
