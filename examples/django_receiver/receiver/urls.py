"""Lead every address to the app."""

from django.urls import include, path

urlpatterns = [path("ingest/", include("ingest_progress.urls"))]
