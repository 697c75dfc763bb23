"""Connect to S3 or a service that speaks like it, and say of every error what a person can do.

Credentials and region come from where boto3 always looks for them: environment, `~/.aws`, the instance's role.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from ingest_assets.buckets.aws_credentials import ADVICE_ON_CREDENTIALS
from ingest_assets.buckets.object_store import ClientOfProcess
from ingest_assets.errors import BadInput, OutsideError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

ABSENT = {"404", "NoSuchKey", "NotFound", "NoSuchUpload"}
_RIGHTS = "s3:ListBucket on the bucket; s3:GetObject, s3:PutObject, s3:DeleteObject on what is in it"
_ADVICE = {
    **ADVICE_ON_CREDENTIALS,
    "NoSuchBucket": "Nothing is removed for it. Make it, or name another",
    "AccessDenied": f"Nothing is removed for it. Give the credentials {_RIGHTS}",
    "AllAccessDisabled": "The account of the bucket is closed or not paid",
    "RequestTimeTooSkewed": "Correct the clock of this host",
    "PermanentRedirect": "The bucket is in another region. Set AWS_REGION to it",
    "AuthorizationHeaderMalformed": "The bucket is in another region. Set AWS_REGION to it",
    "SlowDown": "The service asks for fewer requests. It is tried again",
    "EndpointConnectionError": "Is the network up, is INGEST_S3_ENDPOINT right? It is tried again",
    "ResponseParserError": "This is no answer of S3: is INGEST_S3_ENDPOINT right?",
}
# Requests without a body in the answer give the number alone.
_SAME = {"403": "AccessDenied", "301": "PermanentRedirect", "503": "SlowDown", "Throttling": "SlowDown"}
_RENEWED = {"ExpiredToken", "ExpiredTokenException", "InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
NO_ANSWER_OF_S3 = _ADVICE["ResponseParserError"]


class S3Connection:
    """The client of one bucket, made anew in a forked process and after the credentials were refused."""

    def __init__(self, bucket: str, *, place: str, endpoint: str) -> None:
        """Take the bucket, its URL for messages, and the URL of a service that is not AWS."""
        self.bucket, self._place, self._endpoint = bucket, place, endpoint
        self._client = ClientOfProcess(partial(_new_client, endpoint))

    @property
    def client(self) -> Any:
        """The client itself, whose errors are its own."""
        return self._client()

    @contextmanager
    def asked(self) -> Iterator[Any]:
        """Give the client; what goes wrong with it is an OutsideError that says what to do."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            yield self._client()
        except ClientError as error:
            code = code_of(error)
            if code in _RENEWED:
                self._client.forget()
            if code == "KeyTooLongError":
                raise BadInput(f"{self._place}: the key is too long for the service; rename the file") from error
            raise OutsideError(self.say(code, error.operation_name)) from error
        except (BotoCoreError, ResponseParserError) as error:
            raise OutsideError(self.say(type(error).__name__, "")) from error

    def say(self, code: str, operation: str) -> str:
        """Say what a code of the service means for the bucket, and what to do."""
        advice = _ADVICE.get(_SAME.get(code, code), "It is tried again")
        where = f" at {self._endpoint}" if self._endpoint else ""
        what = f"{code} at {operation}" if operation else code
        return f"the bucket {self._place}{where} cannot be used ({what}). {advice}"


@contextmanager
def absence() -> Iterator[list[str]]:
    """Run the block; if it asks for an object that is not there, the list is not empty afterwards."""
    from botocore.exceptions import ClientError

    absent: list[str] = []
    try:
        yield absent
    except ClientError as error:
        if code_of(error) not in ABSENT:
            raise
        absent.append(code_of(error))


def code_of(error: ClientError) -> str:
    """Return the service's word for an error, or the number of its status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _new_client(endpoint: str) -> Any:
    from ingest_assets.buckets.s3_client import new_client

    return new_client(endpoint)
