"""Test what `ingest plan` says would be done anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_assets.artifacts.manifests import Manifest
from ingest_assets.cli.host.plan import Rework, Stage, changed_stages, show_plan
from ingest_assets.fingerprints import Fingerprints, fingerprint
from ingest_assets_tests.cli.command_line import OWNER, Home
from ingest_assets_tests.cli.tables.test_output import a_record

NOW = Fingerprints(receive="r", parse="p", caption="c", chunk="k", embed="model")
RECORD = a_record("a.pdf", sha256="5a", media_type="application/pdf", generation=1, model="model")


def kept(then: Fingerprints) -> dict[Stage, Manifest | None]:
    """The results of RECORD as they were made under other fingerprints."""

    def made(digest: str, *parts: object) -> Manifest:
        return Manifest(fingerprint=fingerprint(*parts), digest=digest, records=1, counts={})

    return {
        Stage.RECEIVE: None,
        Stage.PARSE: made("parsed", RECORD.sha256, RECORD.media_type, then.parse),
        Stage.CAPTION: made("captions", "parsed", then.caption),
        Stage.CHUNK: made("chunks", RECORD.file_id, "parsed", "captions", then.chunk),
        Stage.EMBED: None,
    }


@pytest.mark.parametrize(
    ("then", "changed"),
    [
        (Fingerprints("r", "older", "c", "k", "model"), {Stage.PARSE}),
        (Fingerprints("r", "p", "older", "k", "model"), {Stage.CAPTION}),
        (Fingerprints("r", "p", "c", "older", "model"), {Stage.CHUNK}),
        (Fingerprints("r", "older", "c", "older", "model"), {Stage.PARSE, Stage.CHUNK}),
        (Fingerprints("older", "p", "c", "k", "model"), {Stage.RECEIVE}),
    ],
)
def test_the_stages_that_changed_are_told_from_the_kept_results(then: Fingerprints, changed: set[Stage]) -> None:
    assert changed_stages(RECORD, NOW, kept=kept(then)) == changed


def test_another_model_changes_the_embedding_alone() -> None:
    other = Fingerprints("r", "p", "c", "k", "another model")
    assert changed_stages(RECORD, other, kept=kept(NOW)) == {Stage.EMBED}


def test_results_that_are_not_kept_are_made_anew() -> None:
    assert changed_stages(RECORD, NOW, kept=dict.fromkeys(Stage)) == {Stage.PARSE}


def test_the_plan_adds_up_by_stage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    found = [
        Rework("ann/p/a.pdf", Stage.PARSE, seconds=3600.0, tokens=1000, pictures=0),
        Rework("ann/p/b.pdf", Stage.CHUNK, seconds=1800.0, tokens=500, pictures=0),
    ]
    show_plan(found, known=3, as_json=False)
    told = capsys.readouterr().out
    assert "2 of 3 files would be done anew" in told
    assert "1.5 hours, 1,500 tokens" in " ".join(told.split())
    assert "chunks            1 file, 30.0 minutes, 500 tokens" in told
    assert max(map(len, told.splitlines())) <= 80


@pytest.mark.slow
def test_a_change_of_settings_is_estimated_and_nothing_is_done(tmp_path: Path, model_cache: Path) -> None:
    ingest = Home(tmp_path, model_cache)
    ingest("add", ingest.file("tides.md", "# Tides\n\nThe tide table hangs beside the door.\n"), *OWNER)
    assert ingest("plan") == "nothing would be done anew: 1 files\n"
    smaller = {"INGEST_CHUNK_MAX_WORDS": "300"}
    told = ingest("plan", settings=smaller)
    assert "chunks            1 file" in told
    assert "parsed_documents" not in told
    off = {"INGEST_CAPTIONS": "off"}
    assert "image_captions    1 file" in ingest("plan", settings=off)
    assert ingest("plan") == "nothing would be done anew: 1 files\n"
    ingest(
        "add", ingest.file("tides.md", "# Tides\n\nThe tide table hangs beside the door.\n"), *OWNER, settings=smaller
    )
    assert ingest("plan", settings=smaller) == "nothing would be done anew: 1 files\n"
