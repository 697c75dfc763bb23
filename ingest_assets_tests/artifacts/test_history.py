from __future__ import annotations

from pathlib import Path

from ingest_assets.artifacts.history import History
from ingest_assets.stages.planning.first_window import Experience


def experience(media_type: str = "text/csv", size_bytes: int = 1) -> Experience:
    return Experience(
        media_type=media_type, size_bytes=size_bytes, pages=0, pictures=0, window=8, cap_mb=0, peak_mb=1.5,
        out_of_memory=False,
    )  # fmt: skip


def test_what_was_added_comes_back_by_media_type_oldest_first(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    for size in (1, 2):
        history.add(experience(size_bytes=size))
    history.add(experience("application/pdf"))
    assert [one.size_bytes for one in history.of("text/csv")] == [1, 2]
    assert history.media_types() == ["application/pdf", "text/csv"]
    assert history.of("text/html") == []


def test_a_damaged_line_costs_that_line(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.add(experience())
    path = next(tmp_path.glob("*.jsonl"))
    path.write_bytes(b"{half a li\n" + path.read_bytes())
    assert len(history.of("text/csv")) == 1


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    history = History(tmp_path)
    for size in range(405):
        history.add(experience(size_bytes=size))
    assert [one.size_bytes for one in history.of("text/csv")][::399] == [5, 404]
