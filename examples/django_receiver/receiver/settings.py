"""Settings of the example. Everything lies in one folder, and Celery's queue too, so that no server is needed."""

import os
import secrets
from pathlib import Path

DATA = Path(os.environ.get("RECEIVER_DATA", Path(__file__).parents[1] / "data"))
(DATA / "queue").mkdir(parents=True, exist_ok=True)

# The same as on the side of ingest_assets: one secret, or two with a comma while it is rotated.
INGEST_PROGRESS_SECRETS = [
    secret for part in os.environ.get("INGEST_PROGRESS_SECRET", "").split(",") if (secret := part.strip())
]

SECRET_KEY = secrets.token_hex(32)  # nothing here is signed by Django
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["ingest_progress"]
ROOT_URLCONF = "receiver.urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "receiver.sqlite3",
        "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "filesystem://")  # yours: redis:// or amqp://
if CELERY_BROKER_URL.startswith("filesystem:"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(DATA / "queue"),
        "data_folder_out": str(DATA / "queue"),
        "control_folder": str(DATA / "queue"),
    }
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
