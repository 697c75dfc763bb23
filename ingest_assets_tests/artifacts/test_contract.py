"""What artifacts promise, in a folder, on S3 and on Google Cloud Storage."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingest_assets.artifacts.folder import Artifacts
from ingest_assets.artifacts.sequences import CURRENT, Draft, Pending
from ingest_assets.errors import OutsideError
from ingest_assets.records import Part
from ingest_assets_tests.artifacts.builders import FILE, explode_after, parts, pending
from ingest_assets_tests.artifacts.conftest import ArtifactPlace

ROOT = Path(__file__).resolve().parents[2]


def must_not_be_made(draft: Draft[Part]) -> Iterator[Part]:
    raise AssertionError("it is there already")


def test_records_come_back_in_order(artifacts: Artifacts) -> None:
    manifest, made = artifacts.write("parsed_documents", FILE, pending("a", 10), Part)
    assert (made, manifest.records, manifest.counts) == (True, 10, {"parts": 10})
    assert [part.number for part in artifacts.read("parsed_documents", FILE, Part)] == list(range(1, 11))


def test_what_is_there_already_is_not_made_again(artifacts: Artifacts) -> None:
    artifacts.write("parsed_documents", FILE, pending("a", 3), Part)
    _, made = artifacts.write("parsed_documents", FILE, Pending("a", must_not_be_made), Part)
    assert not made


def test_the_digest_does_not_depend_on_the_window(artifacts: Artifacts) -> None:
    digests = {
        artifacts.write("chunks", f"ann:p:{window}", pending("a", 33, window=window), Part)[0].digest
        for window in (1, 7, 100)
    }
    assert len(digests) == 1


def test_a_killed_attempt_is_continued_after_its_finished_slices(artifacts: Artifacts) -> None:
    whole, _ = artifacts.write("parsed_documents", "ann:p:whole", pending("f" * 32, 20), Part)
    with pytest.raises(RuntimeError):
        artifacts.write("parsed_documents", FILE, explode_after(11), Part)
    with pytest.raises(OutsideError, match="materialise parsed_documents"):
        artifacts.read("parsed_documents", FILE, Part)
    manifest, _ = artifacts.write("parsed_documents", FILE, pending("f" * 32, 20), Part)
    assert manifest.resumed == 8
    assert manifest.digest == whole.digest


def test_slices_of_another_version_of_the_file_are_not_taken_up(artifacts: Artifacts) -> None:
    with pytest.raises(RuntimeError):
        artifacts.write("parsed_documents", FILE, explode_after(11), Part)
    manifest, _ = artifacts.write("parsed_documents", FILE, pending("f" * 32, 20, token="v2"), Part)
    assert manifest.resumed == 0


def test_the_old_sequence_stays_in_force_until_the_new_one_is_whole(artifacts: Artifacts) -> None:
    artifacts.write("parsed_documents", FILE, pending("a", 3), Part)
    with pytest.raises(RuntimeError):
        artifacts.write("parsed_documents", FILE, explode_after(11), Part)
    assert len(list(artifacts.read("parsed_documents", FILE, Part))) == 3
    artifacts.write("parsed_documents", FILE, pending("b", 5), Part)
    assert len(list(artifacts.read("parsed_documents", FILE, Part))) == 5
    assert len(artifacts._shelf.at(f"parsed_documents/{FILE}").parts()) == 1


def test_delete_leaves_nothing_of_a_file(artifacts: Artifacts) -> None:
    artifacts.write("parsed_documents", FILE, pending("a", 3), Part)
    artifacts.write("chunks", FILE, pending("a", 3), Part)
    artifacts.write("chunks", "ann:p:b.txt", pending("a", 3), Part)
    artifacts.delete(FILE)
    assert artifacts.manifest("chunks", FILE) is None
    assert artifacts.manifest("chunks", "ann:p:b.txt") is not None
    assert not [file for file in artifacts._shelf.files() if FILE in file.name]


KILLED = """
import os, signal, sys
from ingest_assets.artifacts.sequences import Pending
from ingest_assets.config.settings import load_settings
from ingest_assets.records import Part
from ingest_assets.wiring import open_artifacts

def produce(draft):
    for number in range(sum(1 for _ in draft.kept()) + 1, 21):
        if number == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        yield Part(number=number)

pending = Pending("a", produce, resume_token="v", window=3)
made, _ = open_artifacts(load_settings()).write("chunks", "f", pending, Part)
print(made.resumed)
"""


def making(place: ArtifactPlace, home: Path, *, die_at: int) -> subprocess.Popen[str]:
    """Make a sequence in a process of its own, on a host that has this home."""
    return subprocess.Popen(
        [sys.executable, "-c", KILLED, str(die_at)],
        cwd=ROOT,
        env=os.environ | place.environment | place.settings(home),
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("number", "kept"), [(1, 0), (2, 0), (7, 6), (20, 18)])
def test_what_a_killed_host_began_another_finishes(
    place: ArtifactPlace, tmp_path: Path, number: int, kept: int
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    killed = making(place, first, die_at=number)
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert place.open(second).manifest("chunks", "f") is None
    assert making(place, second, die_at=0).communicate(timeout=120)[0] == f"{kept}\n"
    assert [part.number for part in place.open(first).read("chunks", "f", Part)] == list(range(1, 21))


def test_a_damaged_sequence_is_made_again(artifacts: Artifacts) -> None:
    artifacts.write("chunks", FILE, pending("a", 6, window=2), Part)
    artifacts._shelf.remove(f"chunks/{FILE}/a/00000003-00000004.jsonl.zst")
    with pytest.raises(OutsideError, match="4 records of 6"):
        list(artifacts.read("chunks", FILE, Part))
    _, made = artifacts.write("chunks", FILE, pending("a", 6, token="v2"), Part)
    assert made


def test_a_manifest_that_cannot_be_read_counts_as_none(artifacts: Artifacts) -> None:
    artifacts.write("chunks", FILE, pending("a", 3), Part)
    artifacts._shelf.write(f"chunks/{FILE}/{CURRENT}", b"")
    assert artifacts.manifest("chunks", FILE) is None


def test_two_processes_of_a_host_that_make_one_sequence_take_turns(place: ArtifactPlace, tmp_path: Path) -> None:
    both = [making(place, tmp_path / "home", die_at=0) for _ in range(2)]
    assert [process.communicate(timeout=120)[0] for process in both] == ["0\n", "0\n"]
    assert [part.number for part in place.open(tmp_path).read("chunks", "f", Part)] == list(range(1, 21))


def test_a_damaged_sequence_that_is_read_is_no_longer_in_force(artifacts: Artifacts) -> None:
    artifacts.write("chunks", FILE, pending("a", 6, window=2), Part)
    stored = artifacts.read("chunks", FILE, Part)
    artifacts._shelf.remove(f"chunks/{FILE}/a/00000001-00000002.jsonl.zst")
    with pytest.raises(OutsideError):
        list(stored.untouched())
    assert artifacts.manifest("chunks", FILE) is not None
    with pytest.raises(OutsideError):
        list(stored)
    assert artifacts.manifest("chunks", FILE) is None


def test_attachments_lie_beside_the_records(artifacts: Artifacts) -> None:
    def produce(draft: Draft[Part]) -> Iterator[Part]:
        draft.attach("a" * 64, b"a picture")
        yield from parts(1, 2)

    artifacts.write("parsed_documents", FILE, Pending("a", produce), Part)
    stored = artifacts.read("parsed_documents", FILE, Part)
    assert stored.attachment("a" * 64) == b"a picture"
    with pytest.raises(OutsideError, match="is not there"):
        stored.attachment("b" * 64)
    artifacts.forget("parsed_documents", FILE)
    assert artifacts.manifest("parsed_documents", FILE) is None


def test_a_killed_attempt_says_what_it_was_at(artifacts: Artifacts) -> None:
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
def test_what_did_not_fit_is_tried_again_only_under_a_larger_cap(artifacts: Artifacts, cap_mb: int, made: bool) -> None:
    unread = replace(pending("f" * 32, 3, window=1), cap_mb=300, leaves_out=True)
    artifacts.write("parsed_documents", FILE, unread, Part)
    again = replace(pending("f" * 32, 3), cap_mb=cap_mb)
    manifest, was_made = artifacts.write("parsed_documents", FILE, again, Part)
    assert (was_made, manifest.resumed) == (made, 0)
    assert len(list(artifacts.read("parsed_documents", FILE, Part))) == 3
