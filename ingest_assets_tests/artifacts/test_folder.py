from __future__ import annotations

import json
from pathlib import Path

import pytest
import zstandard

from ingest_assets.artifacts.folder import Artifacts
from ingest_assets.errors import BadInput
from ingest_assets.records import Part
from ingest_assets_tests.artifacts.builders import FILE, pending


def test_a_slice_opens_with_zstd_and_json_alone(tmp_path: Path) -> None:
    Artifacts(tmp_path).write("parsed_documents", FILE, pending("a", 3), Part)
    (path,) = tmp_path.rglob("*.jsonl.zst")
    lines = zstandard.ZstdDecompressor().decompress(path.read_bytes()).splitlines()
    assert [json.loads(line)["number"] for line in lines] == [1, 2, 3]


def test_names_longer_than_a_file_system_takes_are_kept_apart(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    names = [f"ann:p:{'ü' * 200}{end}" for end in "ab"]
    for last, name in enumerate(names, start=1):
        artifacts.write("parsed_documents", name, pending("a", last), Part)
    assert [len(list(artifacts.read("parsed_documents", name, Part))) for name in names] == [1, 2]


@pytest.mark.parametrize("typed", ["..", "../../elsewhere", "ann::../../../elsewhere", "/elsewhere", "a\0b", ""])
def test_a_key_that_is_no_name_never_leads_out_of_the_folder(tmp_path: Path, typed: str) -> None:
    artifacts, elsewhere = Artifacts(tmp_path / "artifacts"), tmp_path / "elsewhere"
    artifacts.write("chunks", FILE, pending("a", 3), Part)
    elsewhere.mkdir()
    (elsewhere / "current.json").write_text("{}")
    artifacts.delete(typed)
    for refused in (
        lambda: artifacts.read("chunks", typed, Part),
        lambda: artifacts.write("chunks", typed, pending("b", 1), Part),
    ):
        with pytest.raises(BadInput, match="no file's partition key"):
            refused()
    assert (elsewhere / "current.json").exists()
    assert len(list(artifacts.read("chunks", FILE, Part))) == 3
