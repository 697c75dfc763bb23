"""Call the HTTP service from Python.

The names stand here, and not only in the modules below, because other programs import them from here.
"""

from ingest_assets.client.answers import (
    ServiceBatch,
    ServiceChunk,
    ServiceDocument,
    ServiceFile,
    ServiceHit,
    ServiceHitFile,
    ServiceJob,
    TakenJob,
)
from ingest_assets.client.service_client import ServiceClient, ServiceRefused

__all__ = [
    "ServiceBatch",
    "ServiceChunk",
    "ServiceClient",
    "ServiceDocument",
    "ServiceFile",
    "ServiceHit",
    "ServiceHitFile",
    "ServiceJob",
    "ServiceRefused",
    "TakenJob",
]
