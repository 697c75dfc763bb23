"""Receive what ingest_assets tells about files: an app for your Django project."""
