"""Requests with impossible numbers, deep nesting or invalid text are the client's errors, on every route."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from webwx.gateway.api.description import describe
from webwx.gateway.app import route_table
from webwx.gateway.config import LimitsTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gateway.conftest import Running

SCHEMA: dict[str, Any] = describe(route_table(LimitsTable().body))

DEEP = b"[" * 200_000

NUMBERS = [2**63, -(2**63) - 1, 10**400]


class Route(NamedTuple):
    """A route of the API with the values of its parameters."""

    method: str
    path: str
    operation: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def filled(self, **values: object) -> str:
        """Return the path with values; the account is the first one, and every other parameter 1."""
        return re.sub(r"\{(\w+)\}", lambda name: str(values.get(name[1], 1)), self.path)


def routes() -> Iterator[Route]:
    for path, item in SCHEMA["paths"].items():
        for method, operation in item.items():
            if "responses" in operation:
                yield Route(method.upper(), path, operation)


ROUTES = list(routes())
WITH_BODY = [
    route for route in ROUTES if "application/json" in route.operation.get("requestBody", {}).get("content", {})
]


def resolved(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the alternatives of a schema, without references."""
    if "$ref" in schema:
        return resolved(SCHEMA["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    found = schema.get("oneOf", schema.get("anyOf"))
    return [schema] if found is None else [each for one in found for each in resolved(one)]


def is_integer(schema: dict[str, Any]) -> bool:
    return any(each.get("type") == "integer" for each in resolved(schema))


def value_of(schema: dict[str, Any]) -> object:
    """Return a value of a schema, for a field that the test does not look at."""
    first = resolved(schema)[0]
    if "enum" in first:
        return first["enum"][0]
    match first.get("type"):
        case "integer" | "number":
            return 1
        case "boolean":
            return False
        case "array":
            return [value_of(first["items"])]
        case "object":
            return {}
    return "x" * max(1, first.get("minLength", 1))


def bodies_with(schema: dict[str, Any], number: int) -> Iterator[dict[str, object]]:
    """Yield a body for each field that may be an integer, with the number in it."""
    for fields in resolved(schema):
        required = {name: value_of(fields["properties"][name]) for name in fields.get("required", [])}
        for name, field in fields.get("properties", {}).items():
            if is_integer(field):
                yield {**required, name: number}
            for each in resolved(field):
                if each.get("type") == "array" and is_integer(each["items"]):
                    yield {**required, name: [number]}


async def test_an_integer_beyond_64_bits_is_a_bad_request_on_every_route(online: Running) -> None:
    wrong = []
    async with online.client("admin") as client:
        for route in ROUTES:
            for parameter in route.operation.get("parameters", []):
                if not is_integer(parameter["schema"]):
                    continue
                for number in NUMBERS:
                    path, query, headers = route.filled(), {}, {}
                    match parameter["in"]:
                        case "path":
                            path = route.filled(**{parameter["name"]: number})
                        case "query":
                            query = {parameter["name"]: str(number)}
                        case "header":
                            headers = {parameter["name"]: str(number)}
                    answer = await client.request(route.method, path, params=query, headers=headers)
                    if answer.status_code != 400:
                        wrong.append(f"{route} {parameter['name']} {number.bit_length()}: {answer.status_code}")
    assert wrong == []


async def test_an_integer_beyond_64_bits_in_a_body_is_a_bad_request_on_every_route(online: Running) -> None:
    wrong = []
    async with online.client("admin") as client:
        for route in WITH_BODY:
            schema = route.operation["requestBody"]["content"]["application/json"]["schema"]
            for number in NUMBERS:
                for body in bodies_with(schema, number):
                    answer = await client.request(route.method, route.filled(), json=body)
                    if answer.status_code != 400:
                        wrong.append(f"{route} {[*body]}: {answer.status_code} {answer.text}")
    assert wrong == []


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e300", "-1"])
async def test_an_impossible_number_is_no_failure_of_the_gateway(online: Running, value: str) -> None:
    wrong = []
    async with online.client("admin") as client:
        for route in ROUTES:
            for parameter in route.operation.get("parameters", []):
                if any(each.get("type") == "number" for each in resolved(parameter["schema"])):
                    answer = await client.request(route.method, route.filled(), params={parameter["name"]: value})
                    if answer.status_code >= 500:
                        wrong.append(f"{route} {parameter['name']}: {answer.status_code}")
    assert wrong == []


@pytest.mark.parametrize("body", [DEEP, b'{"a":' * 100_000, b'{"text": "\xff"}', b"\xff\xfe", b'"\xed\xa0\x80"'])
async def test_a_body_that_is_nested_too_deeply_or_not_utf_8_is_a_bad_request_on_every_route(
    online: Running, body: bytes
) -> None:
    wrong = []
    headers = {"Content-Type": "application/json"}
    async with online.client("admin") as client:
        for route in WITH_BODY:
            answer = await client.request(route.method, route.filled(), content=body, headers=headers)
            if answer.status_code != 400:
                wrong.append(f"{route}: {answer.status_code}")
    assert wrong == []


async def test_a_query_that_is_not_utf_8_is_a_bad_request_on_every_route(online: Running) -> None:
    wrong = []
    async with online.client("admin") as client:
        for route in ROUTES:
            for query in ("q=%ff", "%ff=1", "a=%ed%a0%80"):
                answer = await client.request(route.method, f"{route.filled()}?{query}")
                if answer.status_code != 400:
                    wrong.append(f"{route} {query}: {answer.status_code}")
    assert wrong == []
