"""Send requests that the OpenAPI document allows, and such as it forbids: every answer is one that it describes.

The service may run out of nothing here: its limit of requests is out of reach, and the requests name no files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ingest_assets_tests.api.conftest import Served, serving
from testing.soaking import share

pytestmark = [pytest.mark.slow, pytest.mark.soak]
EXAMPLES = share(3, 200)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("service") / "home"
    with serving(home, model_cache, INGEST_RATE_LIMIT="1000000/second") as running:
        yield running


@pytest.fixture(scope="module")
def operations(service: Served) -> list[Any]:
    """Every endpoint that the service describes."""
    schema: Any = schemathesis.openapi.from_dict(service.client.get("/openapi.json").json())
    return [result.ok() for result in schema.get_all_operations()]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_one_that_is_described(service: Served, operations: list[Any], mode: GenerationMode) -> None:
    wrong: list[str] = []
    tried: set[str] = set()

    def ask(case: Any) -> None:
        tried.add(case.operation.label)
        try:
            case.call_and_validate(base_url=service.url, checks=CHECKS, timeout=60)
        except BaseExceptionGroup as failures:  # the others are tried too
            wrong.append(f"{case.operation.label}: {failures}")

    for operation in operations:
        given_cases = given(case=operation.as_strategy(generation_mode=mode))
        limits = settings(
            max_examples=EXAMPLES, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        ask_each = limits(given_cases(lambda case: ask(case)))
        with suppress(Unsatisfiable):  # nothing is wrong about a request that has no parts
            ask_each()
    assert wrong == [], "\n\n".join(wrong)[:10_000]
    assert mode is GenerationMode.NEGATIVE or len(tried) == len(operations) > 20
    assert mode is GenerationMode.POSITIVE or {"POST /search", "POST /upload"} <= tried
