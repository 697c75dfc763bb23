"""A request that is sent again under its key is answered as before, and carried out once."""

from __future__ import annotations

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.uploads.idempotency import (
    FirstAnswer,
    OtherRequest,
    RepeatedRequests,
    RequestKey,
    StillRunning,
    request_key,
)
from ingest_assets_tests.uploads.conftest import Uploads

KEY = request_key('"8f7e"', caller="k1", route="POST /x", digest="d1")
ANSWER = FirstAnswer(202, '{"job_id": "1"}')


@pytest.fixture
def requests(uploads: Uploads) -> RepeatedRequests:
    return RepeatedRequests(uploads.database, clock=lambda: uploads.now_s)


def test_the_first_answer_is_given_again_for_a_day(requests: RepeatedRequests, uploads: Uploads) -> None:
    assert requests.begin(KEY) is None
    requests.keep(KEY, ANSWER)
    assert requests.begin(KEY) == ANSWER
    uploads.now_s += 86_401
    assert requests.begin(KEY) is None


def test_a_second_request_waits_until_the_first_is_answered_or_has_died(
    requests: RepeatedRequests, uploads: Uploads
) -> None:
    assert requests.begin(KEY) is None
    with pytest.raises(StillRunning):
        requests.begin(KEY)
    uploads.now_s += 601
    assert requests.begin(KEY) is None


def test_a_request_that_failed_is_carried_out_again(requests: RepeatedRequests) -> None:
    requests.begin(KEY)
    requests.forget(KEY)
    assert requests.begin(KEY) is None


def test_a_key_never_answers_another_request_nor_another_caller(requests: RepeatedRequests) -> None:
    requests.begin(KEY)
    requests.keep(KEY, ANSWER)
    with pytest.raises(OtherRequest):
        requests.begin(RequestKey(KEY.caller, KEY.name, "d2"))
    assert requests.begin(RequestKey("k2", KEY.name, "d1")) is None
    assert requests.begin(request_key("8f7e", caller="k1", route="POST /y", digest="d1")) is None


def test_what_is_not_given_again_is_swept(requests: RepeatedRequests, uploads: Uploads) -> None:
    requests.begin(KEY)
    requests.keep(KEY, ANSWER)
    requests.sweep()
    assert requests.begin(KEY) == ANSWER
    uploads.now_s += 86_401
    requests.sweep()
    assert requests.begin(KEY) is None


@pytest.mark.parametrize("header", ["", '""', "x" * 256, "ä", "a\tb"])
def test_a_key_that_is_no_short_text_is_refused(header: str) -> None:
    with pytest.raises(BadInput, match="Idempotency-Key"):
        request_key(header, caller="", route="POST /x", digest="")
