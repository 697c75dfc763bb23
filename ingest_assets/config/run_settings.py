"""Define the settings of runs: the schedules, retries, shards, and how long runs are kept."""

from __future__ import annotations

from pydantic import BaseModel, Field

MOST_SHARDS = 64
"""Dagster loads all copies of the graph in each of its processes."""
_OWNER = r"(team:[A-Za-z0-9_.-]+|[^@\s,]+@[^@\s,]+\.[^@\s,]+)"  # as Dagster accepts them


class RunSettings(BaseModel):
    """Runs and schedules."""

    retry_after_s: float = Field(
        default=600.0,
        ge=0,
        validation_alias="INGEST_RETRY_AFTER_S",
        description="how long a file that failed by no fault of its own rests before it is tried again, in seconds",
    )
    schedules: str = Field(
        default="out_of_date,nightly_validation,sweep",
        pattern="^((out_of_date|nightly_validation|sweep)(,|$))*$",
        validation_alias="INGEST_SCHEDULES",
        description="schedules that are on when the daemon starts, with commas; a switch in the UI wins",
    )
    night_minutes: int = Field(
        default=0,
        ge=0,
        validation_alias="INGEST_NIGHT_MINUTES",
        description="what a night may spend on files that are out of date, in minutes of their last runs; 0: no limit",
    )
    shards: int = Field(
        default=1,
        ge=1,
        le=MOST_SHARDS,
        validation_alias="INGEST_SHARDS",
        description="copies of the graph that the files are spread over, each for 100,000 files at most; a change "
        "processes nothing again",
    )
    max_iterations: int = Field(
        default=0,
        ge=0,
        validation_alias="MAX_ITERATIONS",
        description="files that one `ingest work` processes at most, where --max-files says nothing; 0: no limit",
    )
    keep_days: int = Field(
        default=30,
        ge=1,
        validation_alias="INGEST_KEEP_DAYS",
        description="how long the sweep keeps runs with their events, and messages that were delivered or given up",
    )
    owners_of_assets: str = Field(
        default="",
        pattern=f"^({_OWNER}(,{_OWNER})*)?$",
        validation_alias="INGEST_OWNERS",
        description="owners of the assets in Dagster's UI, with commas: addresses of e-mail, or team:NAME",
    )

    @property
    def schedules_on(self) -> frozenset[str]:
        """The schedules that are on, by name."""
        return frozenset(name for name in self.schedules.split(",") if name)

    @property
    def owners(self) -> tuple[str, ...]:
        """The owners of the assets, one by one."""
        return tuple(owner for owner in self.owners_of_assets.split(",") if owner)
