"""Test that files are spread over the shards, that few move when their number changes, and that none is done again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ingest_assets.config.run_settings import MOST_SHARDS
from ingest_assets.config.settings import Settings
from ingest_assets.defs.definitions import build
from ingest_assets.defs.noticing.sensors import upload_bucket
from ingest_assets.defs.noticing.wanted_runs import agree_with_partitions
from ingest_assets.defs.partitions import Shard, add_partitions, all_partitions, remove_retired_partitions, shard_of
from ingest_assets.project import Project as Parts
from ingest_assets_tests.defs.conftest import Project, checks
from ingest_assets_tests.index.files import record

NAMES = [f"ann:p:{number}.txt" for number in range(3000)]


def numbers(count: int) -> list[int]:
    return [shard_of(name, count=count).number for name in NAMES]


def test_files_are_spread_evenly_and_few_move_when_a_shard_is_added() -> None:
    assert set(numbers(1)) == {0}
    for count in (2, 3, 8):
        sizes = Counter(numbers(count))
        assert len(sizes) == count
        assert max(sizes.values()) < 1.25 * len(NAMES) / count
    before, after = numbers(3), numbers(4)
    moved = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    assert {other for _, other in moved} == {3}, "files move to the new shard and to no other"
    assert len(moved) < 1.25 * len(NAMES) / 4


def test_the_first_shard_has_the_plain_names_and_each_has_its_assets_checks_job_and_schedule(tmp_path: Path) -> None:
    definitions = build(Settings.model_validate({"DAGSTER_HOME": tmp_path, "INGEST_SHARDS": 2}))
    for shard, suffix, partitions in ((Shard(0), "", "files"), (Shard(1), "_1", "files_1")):
        job = definitions.resolve_job_def(f"ingest_file{suffix}")
        assert isinstance(job.partitions_def, dg.DynamicPartitionsDefinition)
        assert job.partitions_def.name == partitions
        asset = definitions.resolve_asset_graph().get(shard.asset_key("embeddings"))
        assert asset.parent_keys == {shard.asset_key("chunks")}
        assert len(asset.check_keys) == 2
        assert definitions.resolve_schedule_def(f"out_of_date{suffix}").job_name == job.name
    assert {target.job_name for target in definitions.resolve_sensor_def("upload_bucket").targets} >= {
        "ingest_file",
        "ingest_file_1",
    }
    assert {target.job_name for target in definitions.resolve_sensor_def("out_of_memory").targets} == {
        "ingest_file",
        "ingest_file_1",
    }
    dg.Definitions.validate_loadable(definitions)


def test_partitions_move_when_the_number_of_shards_changes(tmp_path: Path) -> None:
    def agree(count: int) -> list[str]:
        parts = Parts(Settings.model_validate({"DAGSTER_HOME": tmp_path, "INGEST_SHARDS": count}))
        return agree_with_partitions(instance, parts)

    files = [record(f"{number}.txt") for number in range(20)]
    for each in files:
        Parts(Settings.model_validate({"DAGSTER_HOME": tmp_path})).index.record(each)
    ids = {each.file_id for each in files}
    with dg.DagsterInstance.ephemeral() as instance:
        for count in (1, 3, 2, 1):
            add_partitions(instance, ["ann:p:nobody.txt"], count=count)
            assert agree(count) == ["ann:p:nobody.txt"]
            remove_retired_partitions(instance, count=count)
            everywhere = all_partitions(instance, count=MOST_SHARDS)
            there = {shard: names & ids for shard, names in everywhere.items() if names & ids}
            assert set().union(*there.values()) == ids
            assert len(there) == count
            for shard, names in there.items():
                assert {shard_of(name, count=count) for name in names} == {shard}


@pytest.fixture
def sharded(tmp_path: Path, model_cache: Path) -> Iterator[Project]:
    project = Project(tmp_path / "home", model_cache, INGEST_SHARDS=2)
    with project.instance:
        yield project
    project.parts.store.close()


def requests_of(project: Project) -> list[dg.RunRequest]:
    context = dg.build_sensor_context(
        instance=project.instance, definitions=project.definitions, sensor_name="upload_bucket"
    )
    result = upload_bucket(context, ingest_project=project.parts)
    assert isinstance(result, dg.SensorResult)
    return list(result.run_requests or [])


@pytest.mark.slow
def test_each_file_is_ingested_in_its_shard_and_nothing_again_with_another_number(
    sharded: Project, tmp_path: Path, model_cache: Path
) -> None:
    ids = [sharded.put(f"{number}.txt", f"note {number}") for number in range(4)]
    assert {shard_of(file_id, count=2).number for file_id in ids} == {0, 1}, "the test needs files of both shards"
    for request in requests_of(sharded):
        job = sharded.definitions.resolve_job_def(request.job_name or "")
        done = job.execute_in_process(instance=sharded.instance, partition_key=request.partition_key)
        assert done.success
        assert set(checks(done).values()) == {True}
        shard = shard_of(request.partition_key or "", count=2)
        assert {event.asset_key for event in done.get_asset_materialization_events()} == {
            shard.asset_key(name)
            for name in ("raw_files", "parsed_documents", "image_captions", "chunks", "embeddings")
        }
    assert [sharded.record(file_id).generation for file_id in ids] == [1] * 4
    other = Project(tmp_path / "home", model_cache, INGEST_SHARDS=3)
    assert requests_of(other) == []
    other.parts.store.close()
