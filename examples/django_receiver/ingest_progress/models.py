"""Keep the newest state of each file."""

from django.db import models


class FileProgress(models.Model):
    """One file, as the newest message describes it."""

    file_id = models.CharField(max_length=1024, unique=True)
    sequence = models.BigIntegerField(default=0)  # of the newest message; older ones and repeats are passed over
    user_id = models.CharField(max_length=255)
    project_id = models.CharField(max_length=255)
    filename = models.CharField(max_length=1024)
    status = models.CharField(max_length=32)  # queued, processing, completed, failed
    state = models.CharField(max_length=32)
    stage = models.CharField(max_length=64, blank=True)
    percent = models.IntegerField(default=0)
    chunks = models.IntegerField(default=0)
    pages = models.IntegerField(default=0)
    error = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["user_id", "project_id"], name="progress_of_project"),)

    def __str__(self) -> str:
        return f"{self.file_id}: {self.state}"
