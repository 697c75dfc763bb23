from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from ingest_assets.artifacts.folder import Artifacts
from ingest_assets.artifacts.manifests import Tally
from ingest_assets.artifacts.sequences import Draft, Pending
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.records import Part

FILE = "ann:p:a.txt"


def parts(first: int, last: int) -> Iterator[Part]:
    return (Part(number=number) for number in range(first, last + 1))


def pending(fingerprint: str, last: int, *, token: str = "v1", window: int = 4) -> Pending[Part]:
    def produce(draft: Draft[Part]) -> Iterator[Part]:
        kept = sum(1 for _ in draft.kept())
        return parts(kept + 1, last)

    return Pending(
        fingerprint=fingerprint,
        produce=produce,
        tally=lambda _: Tally(counts={"parts": 1}),
        resume_token=token,
        window=window,
    )


def explode_after(number: int) -> Pending[Part]:
    def produce(draft: Draft[Part]) -> Iterator[Part]:
        yield from parts(1, number)
        raise RuntimeError("the page exploded")

    return Pending(fingerprint="f" * 32, produce=produce, resume_token="v1", window=4)


def test_records_come_back_in_order(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    manifest, made = artifacts.write("parsed_documents", FILE, pending("a", 10), Part)
    assert (made, manifest.records, manifest.counts) == (True, 10, {"parts": 10})
    assert [part.number for part in artifacts.read("parsed_documents", FILE, Part)] == list(range(1, 11))


def test_what_is_there_already_is_not_made_again(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    artifacts.write("parsed_documents", FILE, pending("a", 3), Part)
    _, made = artifacts.write("parsed_documents", FILE, Pending("a", lambda _: 1 / 0), Part)
    assert not made


def test_the_digest_does_not_depend_on_the_window(tmp_path: Path) -> None:
    digests = {
        Artifacts(tmp_path / str(window)).write("chunks", FILE, pending("a", 33, window=window), Part)[0].digest
        for window in (1, 7, 100)
    }
    assert len(digests) == 1


def test_a_killed_attempt_is_continued_after_its_finished_slices(tmp_path: Path) -> None:
    whole, _ = Artifacts(tmp_path / "whole").write("parsed_documents", FILE, pending("f" * 32, 20), Part)
    artifacts = Artifacts(tmp_path / "broken")
    with pytest.raises(RuntimeError):
        artifacts.write("parsed_documents", FILE, explode_after(11), Part)
    with pytest.raises(OutsideError, match="materialise parsed_documents"):
        artifacts.read("parsed_documents", FILE, Part)
    manifest, _ = artifacts.write("parsed_documents", FILE, pending("f" * 32, 20), Part)
    assert manifest.resumed == 8
    assert manifest.digest == whole.digest


def test_slices_of_another_version_of_the_file_are_not_taken_up(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    with pytest.raises(RuntimeError):
        artifacts.write("parsed_documents", FILE, explode_after(11), Part)
    manifest, _ = artifacts.write("parsed_documents", FILE, pending("f" * 32, 20, token="v2"), Part)
    assert manifest.resumed == 0


def test_the_old_sequence_stays_in_force_until_the_new_one_is_whole(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    artifacts.write("parsed_documents", FILE, pending("a", 3), Part)
    with pytest.raises(RuntimeError):
        artifacts.write("parsed_documents", FILE, explode_after(11), Part)
    assert len(list(artifacts.read("parsed_documents", FILE, Part))) == 3
    artifacts.write("parsed_documents", FILE, pending("b", 5), Part)
    assert len(list(artifacts.read("parsed_documents", FILE, Part))) == 5
    folders = [path for path in (tmp_path / "parsed_documents" / FILE).iterdir() if path.is_dir()]
    assert len(folders) == 1


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


def test_delete_leaves_nothing_of_a_file(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    artifacts.write("parsed_documents", FILE, pending("a", 3), Part)
    artifacts.write("chunks", FILE, pending("a", 3), Part)
    artifacts.write("chunks", "ann:p:b.txt", pending("a", 3), Part)
    artifacts.delete(FILE)
    assert artifacts.manifest("chunks", FILE) is None
    assert artifacts.manifest("chunks", "ann:p:b.txt") is not None
    assert not list(tmp_path.glob(f"*/{FILE}"))


KILLED = """
import os, signal, sys
from pathlib import Path
from ingest_assets.artifacts.folder import Artifacts
from ingest_assets.artifacts.sequences import Pending
from ingest_assets.records import Part

def produce(draft):
    for number in range(sum(1 for _ in draft.kept()) + 1, 21):
        if number == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        yield Part(number=number)

pending = Pending("a", produce, resume_token="v", window=3)
Artifacts(Path(sys.argv[1])).write("chunks", "f", pending, Part)
"""


@pytest.mark.parametrize("number", [1, 2, 7, 20])
def test_after_a_kill_the_sequence_is_what_it_would_have_been(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    assert subprocess.run([*command, str(number)], check=False).returncode == -signal.SIGKILL
    assert Artifacts(tmp_path).manifest("chunks", "f") is None
    subprocess.run([*command, "0"], check=True, env=dict(os.environ))
    assert [part.number for part in Artifacts(tmp_path).read("chunks", "f", Part)] == list(range(1, 21))


def test_a_damaged_sequence_is_made_again(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    artifacts.write("chunks", FILE, pending("a", 6, window=2), Part)
    next(tmp_path.rglob("00000003-*.zst")).unlink()
    with pytest.raises(OutsideError, match="4 records of 6"):
        list(artifacts.read("chunks", FILE, Part))
    _, made = artifacts.write("chunks", FILE, pending("a", 6, token="v2"), Part)
    assert made


def test_a_manifest_that_cannot_be_read_counts_as_none(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    artifacts.write("chunks", FILE, pending("a", 3), Part)
    next(tmp_path.rglob("current.json")).write_bytes(b"")
    assert artifacts.manifest("chunks", FILE) is None


def test_two_processes_that_make_one_sequence_take_turns(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path), "0"]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(timeout=30) for process in both] == [0, 0]
    assert [part.number for part in Artifacts(tmp_path).read("chunks", "f", Part)] == list(range(1, 21))


def test_a_killed_attempt_says_what_it_was_at(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    with pytest.raises(RuntimeError):
        artifacts.write("parsed_documents", FILE, explode_after(11), Part)
    assert artifacts.record_in_progress("parsed_documents", FILE) == 9  # two slices of four are finished

    def ahead(draft: Draft[Part]) -> Iterator[Part]:
        draft.mark(17)
        raise MemoryError
        yield

    with pytest.raises(MemoryError):
        artifacts.write("parsed_documents", FILE, Pending("f" * 32, ahead, resume_token="v1"), Part)
    assert artifacts.record_in_progress("parsed_documents", FILE) == 17


@pytest.mark.parametrize(("cap_mb", "made"), [(300, False), (200, False), (400, True), (0, True)])
def test_what_did_not_fit_is_tried_again_only_under_a_larger_cap(tmp_path: Path, cap_mb: int, made: bool) -> None:
    artifacts = Artifacts(tmp_path)
    unread = replace(pending("f" * 32, 3, window=1), cap_mb=300, leaves_out=True)
    artifacts.write("parsed_documents", FILE, unread, Part)
    again = replace(pending("f" * 32, 3), cap_mb=cap_mb)
    manifest, was_made = artifacts.write("parsed_documents", FILE, again, Part)
    assert (was_made, manifest.resumed) == (made, 0)
    assert len(list(artifacts.read("parsed_documents", FILE, Part))) == 3


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
