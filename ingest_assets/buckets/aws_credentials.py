"""Say what to do when a service of AWS, or one that speaks like it, refuses the credentials or finds none."""

from __future__ import annotations

from collections.abc import Mapping

_RENEW = "Renew them (aws sso login, a new key, the role of the instance)"
ADVICE_ON_CREDENTIALS: Mapping[str, str] = {
    "ExpiredToken": _RENEW,
    "ExpiredTokenException": _RENEW,
    "TokenRefreshRequired": _RENEW,
    "InvalidToken": _RENEW,
    "InvalidAccessKeyId": _RENEW,
    "InvalidClientTokenId": _RENEW,
    "UnrecognizedClientException": _RENEW,
    "SignatureDoesNotMatch": "The secret key is another one than that of the key's id. Correct it",
    "NoCredentialsError": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of the instance",
    "PartialCredentialsError": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, both",
    "NoRegionError": "Set AWS_REGION",
}
"""By the service's word for it, or the library's."""
