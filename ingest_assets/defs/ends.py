"""Our errors in, Dagster's out: every attempt at a file ends in a named state in the ledger.

BadInput is never retried. OutsideError is, by Dagster, a few times with growing pauses; then it is noted and left to
the schedule `out_of_date`. Anything else is a defect of ours: noted, and raised as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar

import dagster as dg

from ingest_assets.buckets import Bucket
from ingest_assets.errors import BadInput, ConfigError, IngestError, OutsideError
from ingest_assets.file_ids import key_of, owner_of
from ingest_assets.ledger_records import FileRecord, State, utc_text
from ingest_assets.records import SourceFile
from ingest_assets.stores.contract import StoreEditing
from memory_capped_launcher.outcomes import MEMORY_WORDS

R = TypeVar("R")

RETRIES = 3
FIRST_PAUSE_S = 2
LONGEST_PAUSE_S = 60  # the run holds the host's one slot while it waits
RETRY_RUN_TAG = "dagster/retry_on_asset_or_op_failure"


class NamedEnds:
    """Keeps the ledger true when a stage fails."""

    def __init__(
        self,
        *,
        bucket: Bucket,
        store: Callable[[], StoreEditing],
        source_of: Callable[[str], SourceFile | None],
        fingerprint_of: Callable[[FileRecord], str],
    ) -> None:
        self._bucket = bucket
        self._store = store
        self._source_of = source_of
        self._fingerprint_of = fingerprint_of

    @contextmanager
    def of(self, step: Any, *, receiving: bool = False) -> Iterator[None]:
        """Name the end of whatever fails inside the context; `step` is Dagster's context of the running step.

        Want of memory is not named here: the launcher does, and `follow_ups` decides what comes of it.

        The version that goes into the ledger is the one that was tried: what the bucket holds now while the file is
        being received, what was received afterwards. A file that was replaced meanwhile is then new to the sensor.
        """
        file_id, attempt = step.partition_key, step.previous_attempt_count
        received = None if receiving else self._source_of(file_id)
        seen = self._bucket.stat(key_of(file_id)) if received is None else None
        tried = received.version if received else seen.version if seen else ""
        try:
            yield
        except OutsideError as error:
            if attempt < RETRIES:
                raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=_pause_s(step, attempt)) from error
            self.note(file_id, error, version=tried)
            # Dagster's run retries repeat it, with this run's window; after the last the schedule `out_of_date` does.
            step.instance.add_run_tags(step.run_id, {RETRY_RUN_TAG: "true"})
            raise dg.Failure(description=_say(error, file_id), allow_retries=False) from error
        except (BadInput, ConfigError) as error:
            self.note(file_id, error, version=tried)
            raise dg.Failure(description=_say(error, file_id), allow_retries=False) from error
        except (dg.Failure, dg.RetryRequested):
            raise
        except Exception as error:
            if not refused_memory(error):
                self.note(file_id, error, version=tried)
            raise

    def note(self, file_id: str, error: Exception, *, version: str) -> None:
        """Put a failed attempt at a version into the ledger; chunks that are in force stay there."""
        source = self._source_of(file_id)
        kept = self._store().file(file_id) or _blank(file_id)
        kept = replace(kept, media_type=source.media_type if source else kept.media_type)
        self._store().note(
            replace(
                kept,
                state=State.FAILED,
                version=version,
                # The file's own fault holds until the file or our code changes; after others the schedule tries again.
                fingerprint=self._fingerprint_of(kept) if isinstance(error, BadInput) else "",
                error=_say(error, file_id),
                updated_at=utc_text(),
            )
        )


def named_end(compute: Callable[..., R]) -> Callable[..., R]:
    """Name the end of an asset that fails before its IO manager makes anything."""

    @wraps(compute)
    def guarded(context: Any, workshop: Any, **inputs: Any) -> R:
        with workshop.ends.of(context.get_step_execution_context()):
            return compute(context, workshop, **inputs)

    return guarded


def refused_memory(error: BaseException | None) -> bool:
    """Is this, or what led to it, an allocator's refusal?"""
    if error is None:
        return False
    said = f"{type(error).__name__}: {error}"
    return any(word in said for word in MEMORY_WORDS) or refused_memory(error.__cause__ or error.__context__)


def _pause_s(step: Any, attempt: int) -> float:
    """Double the pause with every attempt of the step, and go on doubling when the run is repeated."""
    runs_before = int(step.dagster_run.tags.get("dagster/retry_number", 0))
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (attempt + RETRIES * runs_before)))


def _blank(file_id: str) -> FileRecord:
    key = key_of(file_id)
    user_id, project_id, filename = owner_of(key)
    return FileRecord(
        file_id=file_id, user_id=user_id, project_id=project_id, filename=filename, key=key, state=State.FAILED
    )


def _say(error: Exception, file_id: str) -> str:
    """Name the file in front; parsers see a path of their own and cannot."""
    key = key_of(file_id)
    if isinstance(error, IngestError):
        message = str(error).removeprefix(f"{key}: ").removeprefix(f"{owner_of(key)[2]}: ")
        return f"{key}: {message}"
    return f"{key}: {type(error).__name__} in the program; the run's log has the details"
