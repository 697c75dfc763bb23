"""Name the app for Django."""

from django.apps import AppConfig


class IngestProgressConfig(AppConfig):
    name = "ingest_progress"
    default_auto_field = "django.db.models.BigAutoField"
