"""Name the addresses of the app."""

from django.urls import path

from ingest_progress import views

urlpatterns = [
    path("progress/", views.progress),
    path("files/<str:user_id>/<str:project_id>/", views.files),
]
