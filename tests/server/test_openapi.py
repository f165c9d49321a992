"""The OpenAPI document says what the server does: schemathesis asks whatever it allows, and more."""

from __future__ import annotations

from typing import Any

import hypothesis
import msgspec
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tinygpt_tui.settings.serving import ServingSettings

from .conftest import Served

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Half of all requests name a model that there is, and ask for no long text."""
    if isinstance(body, dict) and isinstance(body.get("model"), str) and len(body["model"]) % 2 == 0:
        body = body | {"model": "letters" if len(body["model"]) % 4 else "state"}
        body["max_tokens"] = 3
    return body


@pytest.fixture
def api(served: Served, settings: ServingSettings) -> Any:
    """The document as the server gives it, to who calls it by the name that Starlette's client has for it."""
    named = msgspec.structs.replace(settings, allowed_hosts=("testserver",))
    return schemathesis.openapi.from_asgi("/openapi.json", Served(served.scheduler, named).app)


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@hypothesis.settings(
    max_examples=60, deadline=None, suppress_health_check=list(hypothesis.HealthCheck), derandomize=True
)
def test_whatever_is_asked_the_answer_is_as_the_document_says(case: schemathesis.Case) -> None:
    case.call_and_validate(checks=CHECKS)
