"""Define the partitions of the assets: one per file in the bucket, named by the file's `file_id`.

Dagster recommends 100,000 partitions an asset at most. Where more files are kept, they are spread over several copies
of the graph, the shards (`INGEST_SHARDS`), each with partitions and a job of its own. The first shard has the plain
names, so that a project which grows keeps its history. Which files are done is in the ledger and not in Dagster, so
nothing is processed again when the number of shards changes. A file's shard follows from its id by a consistent hash
(Lamping and Veach, arXiv:1406.2294): from n to n + 1 shards, one file in n + 1 moves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg

from ingest_assets.config.run_settings import MOST_SHARDS

FILES = "files"
"""Name of the first shard's partitions in the instance."""

files = dg.DynamicPartitionsDefinition(name=FILES)


@dataclass(frozen=True, slots=True)
class Shard:
    """One copy of the graph."""

    number: int
    """From 0."""

    @property
    def partitions(self) -> str:
        """Name of its partitions in the instance."""
        return f"{FILES}_{self.number}" if self.number else FILES

    @property
    def job_name(self) -> str:
        """Name of the job that ingests one of its files."""
        return f"ingest_file_{self.number}" if self.number else "ingest_file"

    def asset_key(self, asset: str) -> dg.AssetKey:
        """Return the key of its copy of an asset."""
        return dg.AssetKey([f"shard_{self.number}", asset] if self.number else [asset])


def shards_of(count: int) -> list[Shard]:
    """Return the shards of a project that has so many."""
    return [Shard(number) for number in range(count)]


def shard_of(file_id: str, *, count: int) -> Shard:
    """Return the shard of a file."""
    if count == 1:
        return Shard(0)
    key = int.from_bytes(hashlib.blake2b(file_id.encode(), digest_size=8).digest(), "big")
    number, following = 0, 0
    while following < count:
        number = following
        key = (key * 2862933555777941757 + 1) % (1 << 64)
        following = int((number + 1) * (1 << 31) / ((key >> 33) + 1))
    return Shard(number)


def by_shard(file_ids: Iterable[str], *, count: int) -> dict[Shard, list[str]]:
    """Sort files by their shard; each shard has its entry."""
    found: dict[Shard, list[str]] = {shard: [] for shard in shards_of(count)}
    for file_id in file_ids:
        found[shard_of(file_id, count=count)].append(file_id)
    return found


def add_partitions(instance: dg.DagsterInstance, file_ids: Iterable[str], *, count: int) -> None:
    """Add the partitions of files that are not there yet."""
    for shard, names in by_shard(file_ids, count=count).items():
        if names:
            instance.add_dynamic_partitions(shard.partitions, names)


def remove_partition(instance: dg.DagsterInstance, file_id: str, *, count: int) -> None:
    """Remove the partition of a file from all shards; it may be in two after a change of their number."""
    for shard in shards_of(count):
        instance.delete_dynamic_partition(shard.partitions, file_id)


def all_partitions(instance: dg.DagsterInstance, *, count: int) -> dict[Shard, set[str]]:
    """Return the partitions of each of so many shards; each costs Dagster a connection to its database."""
    return {shard: set(instance.get_dynamic_partitions(shard.partitions)) for shard in shards_of(count)}


def remove_retired_partitions(instance: dg.DagsterInstance, *, count: int) -> int:
    """Remove the partitions of shards that a project of so many no longer has; return how many there were."""
    removed = 0
    for shard in shards_of(MOST_SHARDS)[count:]:
        for name in instance.get_dynamic_partitions(shard.partitions):
            instance.delete_dynamic_partition(shard.partitions, name)
            removed += 1
    return removed
