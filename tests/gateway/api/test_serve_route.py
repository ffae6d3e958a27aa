"""Handlers of declared routes."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
from litestar import Litestar, Response
from litestar.di import Provide
from litestar.params import FromPath, JSONBody
from litestar.routes import HTTPRoute
from litestar.testing import AsyncTestClient, TestClient

from webwx.gateway.api.parameters import OwnedClient
from webwx.gateway.api.serve_route import RouteHandler, serve
from webwx.gateway.app import route_table
from webwx.representations.route import ACCOUNT, ApiRoute, NoQuery, RouteQuery


class Wanted(RouteQuery, frozen=True, kw_only=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=9, description="Maximum number")] = 3
    before: Annotated[int, msgspec.Meta(ge=1)] | None = None
    ids: Annotated[list[str], msgspec.Meta(min_length=1)] = msgspec.field(name="id")


class Body(msgspec.Struct):
    text: str


READ: ApiRoute[Wanted, None, dict[str, Any]] = ApiRoute(
    method="GET", path="/things/{thing}", scope="read", summary="Read", reply=dict[str, Any], query=Wanted
)
MAKE: ApiRoute[NoQuery, Body, Body] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/things", scope="send", summary="Make", reply=Body, body=Body, created=True
)
BEGIN: ApiRoute[NoQuery, Body, Body] = ApiRoute(
    method="POST", path="/things", scope=None, summary="Begin", reply=Body, body=Body, is_body_optional=True,
    accepted=True,
)  # fmt: skip
DROP: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="DELETE", path="/things/{number:int}", scope="send", summary="Drop", reply=type(None)
)


@serve(READ)
async def read(thing: FromPath[str], query: Wanted) -> dict[str, Any]:
    """Read a thing."""
    return {"thing": thing, "limit": query.limit, "ids": query.ids}


@serve(MAKE)
async def make(data: JSONBody[Body]) -> Response[Body]:
    """Make a thing."""
    return Response(data, status_code=202 if data.text == "later" else 201)


@serve(BEGIN)
async def begin(data: JSONBody[Body | None] = None) -> Body:
    """Begin a thing."""
    return data or Body("by itself")


@serve(DROP)
async def drop(number: FromPath[int]) -> None:
    """Drop a thing."""


def test_each_field_of_the_query_is_a_parameter_with_its_limits() -> None:
    app = Litestar([read])
    with TestClient(app) as client:
        found = client.get("/things/a", params={"id": ["b", "c"]}).json()
        assert found == {"thing": "a", "limit": 3, "ids": ["b", "c"]}
        assert client.get("/things/a", params={"id": "b", "limit": 9}).json()["limit"] == 9
        assert client.get("/things/a", params={"id": "b", "limit": 10}).status_code == 400
        assert client.get("/things/a", params={"id": "b", "before": 0}).status_code == 400
        assert client.get("/things/a").status_code == 400
    [path] = (app.openapi_schema.paths or {}).values()
    assert path.get is not None
    described = {each.name: each for each in path.get.parameters or [] if hasattr(each, "name")}
    assert described["limit"].description == "Maximum number"
    assert path.get.summary == "Read"


def test_the_status_follows_from_the_route_or_the_answer() -> None:
    with TestClient(Litestar([make, drop])) as client:
        assert client.post("/accounts/1/things", json={"text": "now"}).status_code == 201
        assert client.post("/accounts/1/things", json={"text": "later"}).status_code == 202
        assert client.delete("/things/1").status_code == 204
        assert client.delete("/things/a").status_code == 404


def test_a_body_may_be_absent_if_the_route_allows_it() -> None:
    with TestClient(Litestar([begin])) as client:
        assert client.post("/things").json() == {"text": "by itself"}
        answer = client.post("/things", json={"text": "a"})
    assert (answer.status_code, answer.json()) == (202, {"text": "a"})


def test_a_route_without_a_scope_needs_no_key() -> None:
    assert [each.opt["is_public"] for each in (read, begin)] == [False, True]
    assert (read.security, begin.security) == (None, [])


async def test_a_request_is_found_valid_before_the_account_is_asked_for_its_client() -> None:
    asked: list[str] = []

    @serve(MAKE)
    async def make_with(data: JSONBody[Body], owned: OwnedClient) -> Body:
        """Make a thing with the account."""
        return Body(data.text + str(owned))

    async def find() -> str:
        asked.append("owner")
        return " by its owner"

    app = Litestar([make_with], dependencies={"find_owned": Provide(lambda: find, sync_to_thread=False)})
    async with AsyncTestClient(app) as client:
        invalid = await client.post("/accounts/1/things", json={"text": 7})
        assert (invalid.status_code, asked) == (400, [])
        valid = await client.post("/accounts/1/things", json={"text": "a"})
        assert (valid.json(), asked) == ({"text": "a by its owner"}, ["owner"])


def test_the_scope_is_an_option_of_the_handler() -> None:
    assert [each.opt["scope"] for each in (read, make, drop)] == ["read", "send", "send"]


async def _other_reply(thing: FromPath[str], query: Wanted) -> str:
    return thing + str(query)


async def _other_body(data: JSONBody[Wanted]) -> Body:
    return Body(str(data))


async def _no_value() -> None:
    pass


async def _required_body(data: JSONBody[Body]) -> Body:
    return data


@pytest.mark.parametrize(
    ("route", "function"),
    [(READ, _other_reply), (MAKE, _other_body), (DROP, _no_value), (BEGIN, _required_body)],
)
def test_a_function_that_does_not_fit_the_route_is_refused(route: ApiRoute[Any, Any, Any], function: Any) -> None:
    with pytest.raises(TypeError, match="does not fit the route"):
        serve(route)(function)


def test_every_handler_of_the_api_is_one_of_a_declared_route() -> None:
    handlers = [
        handler
        for route in route_table(1).routes
        if isinstance(route, HTTPRoute) and route.path.startswith("/api/v1")
        for handler in route.route_handlers
        if handler.include_in_schema is not False and "OPTIONS" not in handler.http_methods
    ]
    assert len(handlers) > 90
    assert [str(handler) for handler in handlers if not handler.opt.get("is_declared")] == []


def test_no_declared_route_starts_a_task_for_each_of_its_dependencies() -> None:
    several = [
        (route.path, method)
        for route in route_table(1_000).routes
        if isinstance(route, HTTPRoute)
        for method, (handler, parameters) in route.route_handler_map.items()
        if isinstance(handler, RouteHandler) and any(len(batch) > 1 for batch in parameters.dependency_batches)
    ]
    assert several == []
