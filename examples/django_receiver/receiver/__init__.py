"""Be the smallest Django project around the app `ingest_progress`; Celery is loaded with it, so that tasks find it."""

from receiver.celery import app as celery_app

__all__ = ["celery_app"]
