"""Make clients of S3 from a description of its calls that is read once.

botocore reads 1.3 MB of JSON for each session's first client, 0.2 s of processor time. What is read here is shared by
the clients of this process and of those forked from it; connections and credentials are not. Import this module late
(`learn_modules` of dagster.yaml).
"""

from __future__ import annotations

from typing import Any

import boto3.session
import botocore.session
from botocore.config import Config

_LOADER = botocore.session.Session().get_component("data_loader")
for _kind in ("service-2", "endpoint-rule-set-1"):
    _LOADER.load_service_model("s3", _kind)
for _name in ("endpoints", "partitions", "sdk-default-configuration", "_retry"):
    _LOADER.load_data(_name)


def new_client(endpoint: str) -> Any:
    """Make a client; an endpoint is the URL of a service that is not AWS."""
    # A service that is not AWS has its buckets in the path, and may not know the newer checksums (boto3 since 1.36).
    other = {
        "s3": {"addressing_style": "path"},
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    config = Config(
        # A tick may ask three times before it gives up, and has a minute for all: at most 4 x 3 s and 7 s of pauses.
        retries={"mode": "adaptive", "max_attempts": 4},
        connect_timeout=3,
        read_timeout=30,
        max_pool_connections=4,
        signature_version="s3v4",  # what is presigned has its headers in the signature
        **(other if endpoint else {}),
    )
    core = botocore.session.Session()
    core.register_component("data_loader", _LOADER)
    session = boto3.session.Session(botocore_session=core)
    _LOADER.search_paths[:] = dict.fromkeys(_LOADER.search_paths)  # each session adds boto3's folder
    return session.client("s3", endpoint_url=endpoint or None, config=config)
