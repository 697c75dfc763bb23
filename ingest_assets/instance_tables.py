"""Open the tables that a project keeps in the database beside the instance, each when it is first used.

`Project` is made of them and of what it opens elsewhere: bucket, artifacts, store, models.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ingest_assets.config.settings import Settings
from ingest_assets.wiring import open_database

if TYPE_CHECKING:
    from ingest_assets.index.database import Database
    from ingest_assets.index.deletes import Deletes
    from ingest_assets.index.file_details import FileDetails
    from ingest_assets.index.file_index import FileIndex
    from ingest_assets.index.listing_position import Listing
    from ingest_assets.index.pending_files import PendingFiles
    from ingest_assets.index.reservations import Reservations
    from ingest_assets.index.run_figures import RunFigures
    from ingest_assets.index.search_counts import SearchCounts
    from ingest_assets.index.usage import Usage
    from ingest_assets.messaging.inbox import Inbox
    from ingest_assets.messaging.outbox import Outbox


class InstanceTables:
    """What is known of files, runs and messages between runs: index, inbox, outbox and figures, in one database."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings."""
        self.settings = settings

    @cached_property
    def database(self) -> Database:
        """The database beside the instance."""
        return open_database(self.settings)

    @cached_property
    def index(self) -> FileIndex:
        """What the ledger says of each file, found in milliseconds; its changes are told to the outbox."""
        from ingest_assets.index.file_index import FileIndex
        from ingest_assets.messaging.progress import ProgressWriter
        from ingest_assets.messaging.webhooks import progress_targets

        return FileIndex(self.database, listeners=[ProgressWriter(self.outbox, progress_targets(self.settings))])

    @cached_property
    def outbox(self) -> Outbox:
        """Messages about the changes of files, until they are delivered."""
        from ingest_assets.messaging.outbox import Outbox

        return Outbox(self.database)

    def erase_messages(self, *, user_id: str, project_id: str) -> int:
        """Delete the messages about a user's files, or about those of one project; return how many there were."""
        from ingest_assets.messaging.outbox_upkeep import erase

        return erase(self.outbox, user_id=user_id, project_id=project_id)

    @cached_property
    def pending(self) -> PendingFiles:
        """What is pending."""
        from ingest_assets.index.pending_files import PendingFiles

        return PendingFiles(self.database, retry_after_s=self.settings.retry_after_s)

    @cached_property
    def run_figures(self) -> RunFigures:
        """What runs cost and how they ended."""
        from ingest_assets.index.run_figures import RunFigures

        return RunFigures(self.database)

    @cached_property
    def search_counts(self) -> SearchCounts:
        """How often searches find each file."""
        from ingest_assets.index.search_counts import SearchCounts

        return SearchCounts(self.database)

    @cached_property
    def file_details(self) -> FileDetails:
        """What uploads said of files."""
        from ingest_assets.index.file_details import FileDetails

        return FileDetails(self.database)

    @cached_property
    def usage(self) -> Usage:
        """What users and projects hold and use."""
        from ingest_assets.index.usage import Usage

        return Usage(self.database)

    @cached_property
    def reservations(self) -> Reservations:
        """What requests have set aside of the quotas."""
        from ingest_assets.index.reservations import Reservations

        return Reservations(self.database)

    @cached_property
    def deletes(self) -> Deletes:
        """Which missing files may be purged."""
        from ingest_assets.index.deletes import Deletes

        settings = self.settings
        return Deletes(self.database, grace_s=settings.delete_grace_s, max_share=settings.delete_max_share)

    @cached_property
    def listing(self) -> Listing:
        """How far the listing of the bucket has come."""
        from ingest_assets.index.listing_position import Listing

        return Listing(self.database)

    @cached_property
    def inbox(self) -> Inbox:
        """Keys that somebody said have changed."""
        from ingest_assets.messaging.inbox import Inbox

        return Inbox(self.database)
