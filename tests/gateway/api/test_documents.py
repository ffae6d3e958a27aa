"""The description of the API: complete, valid, and without a script or another host."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from webwx.gateway.problems import error_pages

if TYPE_CHECKING:
    from tests.gateway.conftest import Running


async def test_the_description_names_every_route_of_the_api(running: Running) -> None:
    async with running.anonymous() as client:
        schema = (await client.get("/openapi.json")).json()

    assert schema["openapi"].startswith("3.1")
    routes = {re.sub(r":\w+\}", "}", route.path) for route in running.gateway.routes.routes if "/api/" in route.path}
    http_routes = {path for path in routes if "/ws" not in path}
    assert set(schema["paths"]) == http_routes | {"/healthz", "/readyz", "/metrics", "/m/{token}/{name}", "/q/{token}"}
    for operations in schema["paths"].values():
        for operation in operations.values():
            assert operation["description"]
            assert "401" in operation["responses"]


async def test_the_description_is_made_once_and_an_unchanged_one_is_not_sent_again(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running.anonymous() as client:
        first = await client.get("/openapi.json")
        monkeypatch.setattr(running.gateway.routes.openapi_schema.info, "title", "changed")
        second = await client.get("/openapi.json")
        unchanged = await client.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})
        other = await client.get("/openapi.json", headers={"If-None-Match": '"another"'})

    assert first.headers["content-type"] == "application/json"
    assert (second.content, second.headers["etag"]) == (first.content, first.headers["etag"])
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert (other.status_code, other.content) == (200, first.content)


async def test_the_page_shows_every_operation_and_needs_no_other_host(running: Running) -> None:
    async with running.anonymous() as client:
        schema = (await client.get("/openapi.json")).json()
        page = await client.get("/docs")

    assert page.headers["content-type"].startswith("text/html")
    assert all(f" {path}</h2>" in page.text for path in schema["paths"])
    assert all(f"id='{name}'" in page.text for name in schema["components"]["schemas"])
    for marker in ("<script", "http://", "https://", "style="):
        assert marker not in page.text


async def test_the_page_marks_required_fields_and_parameters_with_a_star(running: Running) -> None:
    async with running.anonymous() as client:
        schema = (await client.get("/openapi.json")).json()
        page = (await client.get("/docs")).text

    def starred(heading: str) -> list[str]:
        return re.findall(r"<code>([^<]+)</code> \*", re.split("<h[23]", page.partition(heading)[2])[0])

    structs = schema["components"]["schemas"]
    required = {
        name: [field for field in struct.get("properties", ()) if field in struct.get("required", ())]
        for name, struct in structs.items()
    }
    assert any(required.values())
    assert {name: starred(f"<h3 id='{name}'>") for name in structs} == required
    for operation in (each for operations in schema["paths"].values() for each in operations.values()):
        wanted = [each["name"] for each in operation.get("parameters", ()) if each.get("required")]
        assert starred(f"<h2 id='{operation['operationId']}'>") == wanted


async def test_every_kind_of_error_has_a_page(running: Running) -> None:
    async with running.anonymous() as client:
        listed = (await client.get("/docs/errors")).text
        for code, (status, _) in error_pages().items():
            assert f"href='errors/{code}'" in listed
            assert str(status) in (await client.get(f"/docs/errors/{code}")).text
        assert (await client.get("/docs/errors/absent")).status_code == 404
