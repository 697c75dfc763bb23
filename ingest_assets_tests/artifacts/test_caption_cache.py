from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ingest_assets.artifacts.caption_cache import CaptionCache
from ingest_assets.artifacts.folder import Artifacts
from ingest_assets.errors import OutsideError
from ingest_assets.records import Caption, Picture

PICTURE = Picture("ab" * 32, "image/png", 90, 60, page_number=1)
CAPTION = Caption(
    PICTURE.sha256, caption="a heron on a post", text="KEEP OUT", page_number=1, model="m", confidence=0.9
)


def show(root: Path, file_id: str, *pictures: Picture, model: str = "m") -> list[Caption | None]:
    """Look at a file's pictures as a run does; return what was known of them."""
    with CaptionCache(root, file_id, model=model) as cache:
        found = [(picture, cache.find(picture)) for picture in cache.noting(pictures)]
        for picture, known in found:
            if known is None:
                cache.keep(picture, replace(CAPTION, picture=picture.sha256))
        cache.settle()
    return [known for _, known in found]


def kept(root: Path) -> int:
    rows = sqlite3.connect(root / ".captions.sqlite")
    (count,) = rows.execute("SELECT count(*) FROM readings").fetchone()
    rows.close()
    return int(count)


def test_what_one_file_was_told_another_is_told_too(tmp_path: Path) -> None:
    assert show(tmp_path, "ann:p:a.pdf", PICTURE) == [None]
    assert show(tmp_path, "bob:q:b.pdf", PICTURE) == [CAPTION]


def test_other_models_and_pages_are_asked_anew(tmp_path: Path) -> None:
    show(tmp_path, "a", PICTURE)
    assert show(tmp_path, "b", PICTURE, model="other") == [None]
    assert show(tmp_path, "c", replace(PICTURE, is_page=True)) == [None]


def test_a_caption_stays_for_the_others_and_goes_with_the_last(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    show(tmp_path, "a", PICTURE)
    show(tmp_path, "b", PICTURE)
    artifacts.delete("a")
    assert show(tmp_path, "c", PICTURE) == [CAPTION]
    artifacts.delete("b")
    artifacts.delete("c")
    assert kept(tmp_path) == 0


def test_a_new_version_of_a_file_lets_go_of_what_it_shows_no_more(tmp_path: Path) -> None:
    other = replace(PICTURE, sha256="cd" * 32)
    show(tmp_path, "a", PICTURE, other)
    assert kept(tmp_path) == 2
    show(tmp_path, "a", other)
    assert kept(tmp_path) == 1
    show(tmp_path, "a", other, model="newer")
    assert show(tmp_path, "b", other, model="newer") == [replace(CAPTION, picture=other.sha256)]
    assert kept(tmp_path) == 1


def test_files_without_pictures_leave_no_cache(tmp_path: Path) -> None:
    show(tmp_path, "a")
    Artifacts(tmp_path).delete("a")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_cache_is_begun_anew(tmp_path: Path) -> None:
    show(tmp_path, "a", PICTURE)
    (tmp_path / ".captions.sqlite").write_bytes(b"no database" * 1000)
    assert show(tmp_path, "b", PICTURE) == [None]
    assert show(tmp_path, "c", PICTURE) == [CAPTION]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / ".captions.sqlite").mkdir()
    with pytest.raises(OutsideError, match=r"\.captions\.sqlite"):
        show(tmp_path, "a", PICTURE)


def test_a_killed_writer_leaves_whole_captions_and_no_lock(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom dataclasses import replace\n"
        "from ingest_assets_tests.artifacts.test_caption_cache import CAPTION, PICTURE, CaptionCache\n"
        "cache, number = CaptionCache(Path(sys.argv[1]), 'killed', model='m'), 0\n"
        "while True:\n"
        "    picture = replace(PICTURE, sha256=f'{number:064}')\n"
        "    cache.keep(picture, replace(CAPTION, picture=picture.sha256))\n"
        "    number += 1\n"
        "    print(number, flush=True)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    for _ in range(20):
        writer.stdout.readline()
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    known = show(tmp_path, "a", *(replace(PICTURE, sha256=f"{number:064}") for number in range(20)))
    assert [one and one.picture for one in known] == [f"{number:064}" for number in range(20)]
