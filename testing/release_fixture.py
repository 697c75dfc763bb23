"""Make what a release leaves behind: a home with two files in embedded Chroma, and the same in PostgreSQL and MongoDB.

Run it on a checkout of the release (for 0.1.0: commit 70463bc), with the packages of that release installed:

    git worktree add /tmp/release 70463bc
    python -m testing.release_fixture /tmp/release ingest_assets_tests/releases/0.1.0.tar.xz

`ingest_assets_tests/packaging/test_releases.py` opens the archive with the code of today. Converted models are left
out, and paths of the machine in the history of Dagster are replaced.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

from bson.json_util import dumps
from pymongo import MongoClient

from testing.mongo import standalone
from testing.postgres import BIN, postgres

FILES = {
    "gauge.txt": "The tide gauge at the north pier reads two metres at low water. It is read every morning at seven.\n",
    "keys.md": "# Keys\n\nThe key of the boathouse hangs in the kitchen. The spare key is with the harbour master, who "
    "asks for a signature.\n\n## Fuel\n\nDiesel is kept in the green shed. Petrol stands in the red locker outside.\n",
}
DATABASE = "release"


def main(checkout: Path, archive: Path) -> None:
    """Let the release fill a home, migrate its store to both servers, and pack everything."""
    module, function = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["scripts"]["ingest"].split(
        ":"
    )
    start = f"import sys; sys.argv[0] = 'ingest'; from {module} import {function}; {function}()"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {"PYTHONPATH": str(checkout), "DAGSTER_HOME": str(folder / "home"), "MONGO_DB": DATABASE}

        def ingest(*words: str | Path, **settings: str) -> None:
            command = [sys.executable, "-c", start, *map(str, words)]
            subprocess.run(command, check=True, cwd=folder, env={**os.environ, **environment, **settings})

        for file, text in FILES.items():
            (folder / file).write_text(text, encoding="utf-8")
        ingest("prepare")
        ingest("add", *(folder / file for file in FILES), "--user", "ann", "--project", "island")
        with postgres() as server:
            url = server.new_database()
            ingest("migrate", "--from", "chroma", "--to", f"pgvector:{url}")
            dump = [str(BIN / "pg_dump"), "--no-owner", "--no-privileges", "--inserts", url]
            (folder / "pgvector.sql").write_bytes(subprocess.check_output(dump))
        (folder / "mongod").mkdir()
        with standalone(folder / "mongod") as mongod:
            ingest("migrate", "--from", "chroma", "--to", "atlas", MONGO_URI=mongod.uri)
            (folder / "atlas.json").write_text(dumped(mongod.uri), encoding="utf-8")
        pack(
            folder, archive, machine={sys.executable: "/usr/bin/python3", str(checkout): "/srv/code", name: "/srv/data"}
        )


def dumped(uri: str) -> str:
    """Return the documents and indexes of each collection as MongoDB's extended JSON."""
    with MongoClient[dict[str, object]](uri) as client:
        collections = client[DATABASE]
        return dumps(
            {
                name: {
                    "documents": list(collections[name].find()),
                    "indexes": list(collections[name].list_indexes()),
                }
                for name in collections.list_collection_names()
            }
        )


def pack(folder: Path, archive: Path, *, machine: dict[str, str]) -> None:
    """Pack the home, the files and the dumps, with other paths for those of this machine."""
    for part in ("models", "launcher", "logs"):
        shutil.rmtree(folder / "home" / part, ignore_errors=True)
    with sqlite3.connect(folder / "home/history/runs.db") as runs:
        for ours, theirs in machine.items():
            runs.execute("UPDATE runs SET run_body = replace(run_body, ?, ?)", (ours, theirs))
        runs.commit()
        runs.execute("VACUUM")  # freed pages still hold what was there
    runs.close()
    with tarfile.open(archive, "w:xz") as packed:
        for name in ("home", "pgvector.sql", "atlas.json", *FILES):
            packed.add(folder / name, arcname=name)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
