"""Record each failed attempt at a file: in the ledger, in a tag of its run, and as results of the asset checks.

`BadInput` is never retried. `OutsideError` is retried by Dagster a few times with growing pauses; after that the
schedule `out_of_date` tries again. Any other error is a defect of this program: it is recorded and raised unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar

import dagster as dg

from ingest_assets.defs.assets.check_results import report_checks
from ingest_assets.defs.assets.recording.stage_progress import StageProgress
from ingest_assets.errors import BadInput, ConfigError, IngestError, OutsideError
from ingest_assets.file_ids import key_of, owner_of
from ingest_assets.index.attempts import count_attempt
from ingest_assets.ledger_records import FileRecord, State, utc_text
from ingest_assets.project import Project
from memory_capped_launcher.outcomes import MEMORY_WORDS

R = TypeVar("R")

RETRIES = 3
FIRST_PAUSE_S = 2
LONGEST_PAUSE_S = 60  # the run holds the host's one slot while it waits
RETRY_RUN_TAG = "dagster/retry_on_asset_or_op_failure"
PROBLEM_TAG = "problem"
"""Why a file's run failed, in a few words: the list of runs in Dagster's UI shows tags and no reasons."""
_PROBLEM_CHARS = 60


class FailureRecorder:
    """Records how attempts at files failed."""

    def __init__(self, project: Project, instance: dg.DagsterInstance) -> None:
        self._project = project
        self._instance = instance

    @contextmanager
    def watch(self, step: Any, *, receiving: bool = False) -> Iterator[None]:
        """Record whatever fails inside the context, and tell Dagster whether to retry it.

        `step` is Dagster's context of the running step.

        A lack of memory is not recorded here: the launcher names it, and `follow_ups` decides what comes next.

        The version that was tried is recorded: the bucket's current version while the file is being received, and after
        that the version that was received. So a file that was replaced meanwhile is new to the sensor.
        """
        file_id, attempt = step.partition_key, step.previous_attempt_count
        received = None if receiving else self._project.source(file_id)
        seen = self._project.bucket.stat(key_of(file_id)) if received is None else None
        tried = received.version if received else seen.version if seen else ""
        count_attempt(self._project.database, file_id, version=tried, run_id=step.run_id)
        # In a run that the UI asked for, the step of a shard has a number behind its name.
        StageProgress(self._project.index, file_id, step.step.key.rstrip("_0123456789")).begin()
        try:
            yield
        except OutsideError as error:
            if attempt < RETRIES:
                raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=_pause_s(step, attempt)) from error
            # Dagster's run retries repeat it with this run's window; after the last, the schedule `out_of_date` does.
            raise self._failure(step, error, version=tried, tags={RETRY_RUN_TAG: "true"}) from error
        except (BadInput, ConfigError) as error:
            raise self._failure(step, error, version=tried) from error
        except (dg.Failure, dg.RetryRequested):
            raise
        except Exception as error:
            if not refused_memory(error):
                self._failure(step, error, version=tried)
            raise

    def _failure(self, step: Any, error: Exception, *, version: str, tags: dict[str, str] | None = None) -> dg.Failure:
        self.note(step.partition_key, error, version=version)
        self._instance.add_run_tags(step.run_id, {PROBLEM_TAG: _problem(error, step.partition_key), **(tags or {})})
        return dg.Failure(description=_message(error, step.partition_key), allow_retries=False)

    def note(self, file_id: str, error: Exception, *, version: str, state: State = State.FAILED) -> None:
        """Put a failed attempt at a version into the ledger; the chunks that are in force stay there."""
        source, store = self._project.source(file_id), self._project.store
        kept = store.file(file_id) or _blank(file_id)
        kept = replace(kept, media_type=source.media_type if source else kept.media_type)
        store.note(
            replace(
                kept,
                state=state,
                version=version,
                # A bad file is not tried again until it or our code changes; other failures are, by the schedule.
                fingerprint=self._project.current_fingerprint(kept) if isinstance(error, BadInput) else "",
                error=_message(error, file_id),
                updated_at=utc_text(),
            )
        )
        self._project.run_figures.add_end(state.value, media_type=kept.media_type)
        report_checks(self._project, self._instance, file_id)


def records_failure(compute: Callable[..., R]) -> Callable[..., R]:
    """Record the failure of an asset that fails before its IO manager begins to write."""

    @wraps(compute)
    def watched(context: Any, ingest_project: Project, **inputs: Any) -> R:
        with FailureRecorder(ingest_project, context.instance).watch(context.get_step_execution_context()):
            return compute(context, ingest_project, **inputs)

    return watched


def refused_memory(error: BaseException | None) -> bool:
    """Tell whether an allocator refused memory, in this error or in one that led to it."""
    if error is None:
        return False
    text = f"{type(error).__name__}: {error}"
    return any(word in text for word in MEMORY_WORDS) or refused_memory(error.__cause__ or error.__context__)


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


def _message(error: Exception, file_id: str) -> str:
    """Return the error with the file's key in front; parsers see a local path and cannot name the file."""
    return f"{key_of(file_id)}: {_reason(error, file_id)}"


def _reason(error: Exception, file_id: str) -> str:
    if isinstance(error, IngestError):
        key = key_of(file_id)
        return str(error).removeprefix(f"{key}: ").removeprefix(f"{owner_of(key)[2]}: ")
    return f"{type(error).__name__} in the program; the run's log has the details"


def _problem(error: Exception, file_id: str) -> str:
    """Shorten the reason to what is wrong, without the advice (behind `;`) and the details (in brackets)."""
    words = _reason(error, file_id).partition(";")[0].partition(" (")[0].split()
    problem = " ".join(words)
    return problem if len(problem) <= _PROBLEM_CHARS else problem[:_PROBLEM_CHARS].rsplit(" ", 1)[0] + " …"
