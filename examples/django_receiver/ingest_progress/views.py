"""Take messages in, and show what they said."""

import json
import time

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from kombu.exceptions import OperationalError

from ingest_progress.models import FileProgress
from ingest_progress.signature import is_genuine
from ingest_progress.tasks import record_progress


@csrf_exempt  # the signature says who asks
@require_POST
def progress(request: HttpRequest) -> HttpResponse:
    """Verify a message, hand it to a worker, answer at once.

    202: taken. 401: not signed with our secret, or too old. 503: the queue is away, so send it again.
    """
    header = request.headers.get("X-Ingest-Signature", "")
    if not is_genuine(request.body, header, secrets=settings.INGEST_PROGRESS_SECRETS, now_s=time.time()):
        return HttpResponse(status=401)
    try:
        record_progress.delay(json.loads(request.body))
    except OperationalError:
        return HttpResponse(status=503)
    return HttpResponse(status=202)


@require_GET
def files(request: HttpRequest, user_id: str, project_id: str) -> JsonResponse:
    """List the files of a project. Your application asks here whether this person may see them."""
    found = FileProgress.objects.filter(user_id=user_id, project_id=project_id).order_by("filename")
    shown = ("filename", "status", "state", "stage", "percent", "chunks", "pages", "error", "sequence")
    return JsonResponse({"files": list(found.values(*shown)[:1000])})
