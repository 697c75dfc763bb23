"""Say where a person opens a file of the bucket: a link for the browser, where there is one."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import dagster as dg

_AWS = "https://console.aws.amazon.com/s3/object"
_GOOGLE = "https://console.cloud.google.com/storage/browser/_details"


def source_of(bucket: str, key: str, *, base_url: str = "", endpoint: str = "") -> dg.MetadataValue:
    """Return a file's place as a link that a browser opens, or else as a path or URL to copy.

    `base_url` is the operator's own address of the bucket's files (INGEST_SOURCE_URL). Without it, files on AWS and
    Google Cloud are opened in the provider's console, where the person signs in. A browser opens no path of a folder
    from a web page.
    """
    place = urlsplit(bucket)
    whole = f"{bucket.rstrip('/')}/{key}"
    if base_url:
        return dg.MetadataValue.url(f"{base_url.rstrip('/')}/{quote(key)}")
    object_key = quote(f"{place.path.strip('/')}/{key}".lstrip("/"))
    if place.scheme == "s3" and not endpoint:
        return dg.MetadataValue.url(f"{_AWS}/{place.netloc}?prefix={object_key}")
    if place.scheme == "gs":
        return dg.MetadataValue.url(f"{_GOOGLE}/{place.netloc}/{object_key}")
    return dg.MetadataValue.path(whole)
