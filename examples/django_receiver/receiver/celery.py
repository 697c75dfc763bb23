"""Set up Celery for the example: `celery -A receiver worker`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "receiver.settings")

app = Celery("receiver")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
