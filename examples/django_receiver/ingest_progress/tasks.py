"""Write what a message says into the table."""

from typing import Any

from celery import shared_task
from django.db import OperationalError, transaction
from django.utils.dateparse import parse_datetime

from ingest_progress.models import FileProgress

FIELDS = ("user_id", "project_id", "filename", "status", "state", "stage", "percent", "chunks", "pages", "error")


@shared_task(acks_late=True, autoretry_for=(OperationalError,), retry_backoff=True, max_retries=20)
def record_progress(message: dict[str, Any]) -> bool:
    """Record a message unless a newer one is recorded; return whether it was news.

    Messages come at least once, and workers may take them in another order. Each says all that is to be known of its
    file, and the sequence grows with each message of a file: so the highest sequence is the truth.
    """
    values = {name: message[name] for name in FIELDS}
    values |= {"sequence": message["sequence"], "at": parse_datetime(message["at"])}
    with transaction.atomic():
        _, is_first = FileProgress.objects.get_or_create(file_id=message["file_id"], defaults=values)
        if is_first:
            return True
        older = FileProgress.objects.filter(file_id=message["file_id"], sequence__lt=message["sequence"])
        return bool(older.update(**values))
