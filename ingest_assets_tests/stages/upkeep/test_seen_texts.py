"""Test what is remembered of texts that were seen before."""

from __future__ import annotations

from pathlib import Path

from ingest_assets.stages.upkeep.seen_texts import SeenTexts


def test_a_text_is_seen_before_only_in_its_own_group(tmp_path: Path) -> None:
    with SeenTexts(tmp_path / "seen") as texts:
        assert [texts.seen("a.md", "1f"), texts.seen("a.md", "1f"), texts.seen("b.md", "1f")] == [False, True, False]


def test_where_a_group_ends_is_part_of_what_is_remembered(tmp_path: Path) -> None:
    with SeenTexts(tmp_path / "seen") as texts:
        texts.seen("a", "b1f")
        assert not texts.seen("ab", "1f")
