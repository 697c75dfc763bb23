"""Test the whole job on a real instance, model and store."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest_assets.actions.upkeep import validate_store
from ingest_assets.defs.schedules import stale_files
from ingest_assets.errors import BadInput
from ingest_assets.ledger_records import State
from ingest_assets.records import Part
from ingest_assets_tests.defs.conftest import Project, checks, metadata

pytestmark = pytest.mark.slow

TIDES = "# Tides\n\nThe tide table hangs beside the boathouse door and is changed every Monday.\n"
GEESE = "# Geese\n\nThe geese winter on the north meadow from October to March.\n"
FIVE = ("raw_files", "parsed_documents", "image_captions", "chunks", "embeddings")


def test_a_file_becomes_searchable_and_every_check_passes(project: Project) -> None:
    file_id = project.put("tides.md", TIDES)
    result = project.ingest(file_id)
    assert result.success
    assert checks(result) == {
        "every_page_is_accounted_for": True,
        "chunks_vectors_and_rows_agree": True,
        "vectors_are_sound": True,
    }
    (hit,) = project.ask("where is the tide table?")
    assert hit.filename == "tides.md"
    assert "boathouse" in hit.chunk.text
    assert hit.chunk.section == ("Tides",)


def test_every_materialisation_says_what_it_cost(project: Project) -> None:
    result = project.ingest(project.put("tides.md", TIDES))
    for asset in FIVE:
        said = metadata(result, asset)
        assert {"records", "seconds", "peak_memory_mb", "unchanged", "preview"} <= said.keys()
        assert said["unchanged"] is False
        assert float(str(said["peak_memory_mb"])) > 1
    assert "boathouse" in str(metadata(result, "chunks")["preview"])


def test_the_record_says_what_was_read_and_what_each_stage_took(project: Project, samples: Path) -> None:
    file_id = project.put("handbook.pdf", (samples / "station-handbook.pdf").read_bytes())
    said = metadata(project.ingest(file_id), "embeddings")
    record = project.record(file_id)
    assert (record.pages, record.pages_read, record.pages_by_ocr, record.tables) == (3, 3, 0, 0)
    assert record.characters > 4_000
    assert record.languages == ("en",)
    assert [cost.stage for cost in record.stages] == list(FIVE)
    assert record.seconds == pytest.approx(sum(cost.seconds for cost in record.stages), abs=0.01)
    assert record.peak_memory_mb == max(cost.peak_memory_mb for cost in record.stages)
    assert (said["pages_read"], said["characters"], said["languages"]) == (3, record.characters, "en")


def test_a_scanned_page_is_counted_as_read_by_ocr(project: Project) -> None:
    image = Image.new("L", (1200, 400), "white")
    ImageDraw.Draw(image).text(
        (60, 150), "The lamp is lit at dusk.", fill="black", font=ImageFont.load_default(size=60)
    )
    scan = io.BytesIO()
    image.save(scan, "PDF", resolution=150)
    file_id = project.put("scan.pdf", scan.getvalue())
    parsed = metadata(project.ingest(file_id), "parsed_documents")
    record = project.record(file_id)
    assert parsed["pages_without_text"] == 1
    assert (record.pages, record.pages_read, record.pages_by_ocr) == (1, 1, 1)
    assert "lit at dusk" in project.texts(file_id)[0]


def test_a_second_run_over_an_unchanged_file_makes_nothing(project: Project) -> None:
    file_id = project.put("tides.md", TIDES)
    project.ingest(file_id)
    before = project.record(file_id)
    result = project.ingest(file_id)
    assert all(metadata(result, asset)["unchanged"] is True for asset in FIVE)
    assert metadata(result, "embeddings")["embedded"] == 0
    assert project.record(file_id) == before


def test_a_changed_file_replaces_its_chunks_under_the_same_name(project: Project) -> None:
    file_id = project.put("notes.md", TIDES)
    project.ingest(file_id)
    project.put("notes.md", GEESE)
    project.ingest(file_id)
    assert len(project.texts(file_id)) == 1
    assert "geese" in project.texts(file_id)[0]


def test_an_edited_chapter_embeds_its_own_chunks_only(project: Project) -> None:
    chapters = [f"# Chapter {number}\n\n" + f"Word{number} goes on and on. " * 60 for number in range(8)]
    file_id = project.put("book.md", "\n\n".join(chapters))
    first = metadata(project.ingest(file_id), "embeddings")
    chapters[4] += " One more sentence."
    project.put("book.md", "\n\n".join(chapters))
    second = metadata(project.ingest(file_id), "embeddings")
    assert int(str(first["embedded"])) >= 8
    assert int(str(second["embedded"])) <= 3
    assert int(str(second["embedded"])) + int(str(second["reused"])) == int(str(second["records"]))


def test_a_rename_embeds_nothing(project: Project) -> None:
    project.ingest(project.put("old.md", TIDES))
    said = metadata(project.ingest(project.put("new.md", TIDES)), "embeddings")
    assert (said["embedded"], said["reused"]) == (0, 1)


def test_other_metadata_reaches_the_chunks_and_embeds_nothing(project: Project) -> None:
    file_id = project.put("tides.md", TIDES)
    project.parts.file_details.note([file_id], '{"year": 2025}')
    project.ingest(file_id)
    project.parts.file_details.note([file_id], '{"year": 2026, "tags": ["sea"]}')
    result = project.ingest(file_id)
    made = {asset: not metadata(result, asset)["unchanged"] for asset in FIVE}
    assert made == dict.fromkeys(FIVE[:-1], False) | {"embeddings": True}
    said = metadata(result, "embeddings")
    assert (said["embedded"], said["reused"]) == (0, 1)
    assert [dict(hit.chunk.metadata) for hit in project.ask("tides")] == [{"year": 2026, "tags": ["sea"]}]
    assert project.record(file_id).described == {"year": 2026, "tags": ["sea"]}
    assert not any(found.findings for found in validate_store(project.parts)), "the kept chunks agree with the rows"
    assert stale_files(project.parts) == []
    before = project.record(file_id)
    project.ingest(file_id)
    assert project.record(file_id) == before, "nothing changed"


def test_metadata_that_comes_while_its_file_is_published_has_it_read_again(project: Project) -> None:
    file_id = project.put("tides.md", TIDES)
    project.parts.file_details.note([file_id], '{"year": 2025}')
    with project.parts.database.begin() as connection:  # an upload at the moment at which the run begins to publish
        connection.exec_driver_sql(
            "CREATE TRIGGER an_upload AFTER UPDATE OF writing_since ON ingest_files WHEN NEW.writing_since IS NOT NULL "
            "BEGIN UPDATE ingest_file_details SET metadata = '{\"year\": 2026}'; END"
        )
    project.ingest(file_id)
    assert [dict(hit.chunk.metadata) for hit in project.ask("tides")] == [{"year": 2025}]
    assert project.record(file_id).version == "", "it counts as not attempted"
    with project.parts.database.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER an_upload")
    project.ingest(file_id)
    assert [dict(hit.chunk.metadata) for hit in project.ask("tides")] == [{"year": 2026}]


def test_new_settings_run_the_stages_that_depend_on_them_and_no_others(project: Project, model_cache: Path) -> None:
    file_id = project.put("book.md", "# Book\n\n" + "The quick brown fox jumps over the dog. " * 120)
    project.ingest(file_id)
    assert stale_files(project.parts) == []
    other = Project(
        project.settings.home,
        model_cache,
        INGEST_CHUNK_MAX_WORDS=200,
        INGEST_CHUNK_MIN_WORDS=50,
    )
    assert stale_files(other.parts) == [file_id]
    result = other.ingest(file_id)
    made = {asset: not metadata(result, asset)["unchanged"] for asset in FIVE}
    assert made == {
        "raw_files": False,
        "parsed_documents": False,
        "image_captions": False,
        "chunks": True,
        "embeddings": True,
    }
    assert stale_files(other.parts) == []


def test_bad_input_ends_by_name_and_stops_nobody(project: Project) -> None:
    bad = project.put("broken.pdf", b"%PDF-1.7\ngarbage")
    result = project.ingest(bad)
    assert not result.success
    record = project.record(bad)
    assert record.state is State.FAILED
    assert "broken.pdf" in record.error
    assert project.ingest(project.put("tides.md", TIDES)).success


def test_bad_input_is_not_tried_again(project: Project) -> None:
    result = project.ingest(project.put("empty.txt", b""))
    failures = [event for event in result.all_events if event.is_step_failure]
    retries = [event for event in result.all_events if event.is_step_up_for_retry]
    assert (len(failures), len(retries)) == (1, 0)
    assert stale_files(project.parts) == []


def test_a_new_version_that_cannot_be_read_leaves_the_old_chunks_in_force(project: Project) -> None:
    file_id = project.put("tides.md", TIDES)
    project.ingest(file_id)
    project.put("tides.md", b"%PDF-1.7\ngarbage")
    project.ingest(file_id)
    assert project.record(file_id).state is State.FAILED
    assert "boathouse" in project.ask("where is the tide table?")[0].chunk.text


def test_a_purged_file_leaves_nothing(project: Project) -> None:
    file_id = project.put("tides.md", TIDES)
    project.ingest(file_id)
    project.path("tides.md").unlink()
    project.purge(file_id)
    assert project.parts.store.file(file_id) is None
    assert project.ask("where is the tide table?") == []
    assert list(project.instance.get_dynamic_partitions("files")) == []
    assert not list(project.settings.artifacts_folder.glob(f"*/{file_id}"))


def test_a_purge_leaves_a_file_alone_that_is_back(project: Project) -> None:
    file_id = project.put("tides.md", TIDES)
    project.ingest(file_id)
    project.purge(file_id)
    assert len(project.texts(file_id)) == 1


def test_the_same_bytes_put_back_after_a_purge_are_processed_again(project: Project) -> None:
    file_id = project.put("tides.md", TIDES)
    project.ingest(file_id)
    project.path("tides.md").unlink()
    project.purge(file_id)
    project.put("tides.md", TIDES)
    assert project.ingest(file_id).success
    assert len(project.ask("where is the tide table?")) == 1


def test_a_file_replaced_during_its_run_is_new_to_the_sensor(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser sees half of the file and gives up; by then the whole file is there."""
    file_id = project.put("a.txt", "half")
    seen = project.parts.bucket.stat("ann/p/a.txt")

    def half_read(path: Path, **_: object) -> Iterator[Part]:
        project.put("a.txt", "whole and longer")
        raise BadInput("truncated")
        yield

    monkeypatch.setattr("ingest_assets.parsers.text.plain.read", half_read)
    assert not project.ingest(file_id).success
    record = project.record(file_id)
    assert seen is not None
    assert (record.state, record.version) == (State.FAILED, seen.version)
    assert "changed while it was being read" in record.error


def test_a_file_deleted_during_its_run_is_not_published(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    file_id = project.put("a.txt", "The lamp is lit at dusk.")
    embed = type(project.parts.embedder).embed

    def delete_first(embedder: object, texts: list[str]) -> object:
        project.path("a.txt").unlink(missing_ok=True)
        return embed(embedder, texts)  # type: ignore[arg-type]  # what a method takes and gives, unchanged

    monkeypatch.setattr(type(project.parts.embedder), "embed", delete_first)
    assert not project.ingest(file_id).success
    assert project.parts.store.file(file_id) is None
    assert project.texts(file_id) == []


def test_a_key_that_no_file_has_is_refused(project: Project) -> None:
    assert not project.ingest("ann/p/a.txt").success
    assert project.parts.store.files() == []


def test_a_refused_size_is_tried_again_when_the_limit_is_raised(project: Project, model_cache: Path) -> None:
    small = Project(project.settings.home, model_cache, MAX_FILE_MB=1)
    file_id = small.put("long.txt", "The lamp is lit at dusk. " * 50_000)
    small.ingest(file_id)
    assert "MAX_FILE_MB" in small.record(file_id).error
    assert stale_files(small.parts) == []
    assert stale_files(project.parts) == [file_id]


def test_captions_that_were_finished_are_not_made_again(project: Project, samples: Path) -> None:
    (pdf,) = samples.glob("*.pdf")
    file_id = project.put("paper.pdf", pdf.read_bytes())
    project.ingest(file_id)
    folder = project.settings.artifacts_folder / "image_captions" / file_id
    (folder / "current.json").unlink()
    assert metadata(project.ingest(file_id), "image_captions")["resumed"] == 3
