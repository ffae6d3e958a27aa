"""The description of the API: complete enough to write a client from it alone, and true."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import jsonschema
import msgspec
import pytest
from tests.samples import sample

from webwx.gateway.accounts.account import SendChange
from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.api.description import TAGS, describe, describe_frames, operations
from webwx.gateway.app import route_table
from webwx.gateway.config import LimitsTable
from webwx.gateway.views import view_of_event
from webwx.gateway.webhooks.notices import WebhookNotice
from webwx.gateway.webhooks.request import body_of_change, body_of_notice
from webwx.model.messages import ImageMessage
from webwx.representations.consumers import CLIENT_FRAMES, SERVER_FRAMES
from webwx.representations.events import EventView
from webwx.storage.tables.outbox import Outgoing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gateway.conftest import Running

DOCUMENT: dict[str, Any] = describe(route_table(LimitsTable().body))

OPERATIONS = dict(operations(DOCUMENT))


def contents(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the contents of the request and of each answer without an error."""
    for each in (operation.get("requestBody", {}), *operation["responses"].values()):
        yield from each.get("content", {}).values()


# -- operations --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_a_short_id_a_tag_and_texts(name: str) -> None:
    operation = OPERATIONS[name]
    assert re.fullmatch(r"[a-z][A-Za-z]{2,29}", operation["operationId"])
    assert set(operation["tags"]) <= set(TAGS)
    assert operation["summary"]
    assert operation["description"]
    assert all(each["description"] for each in operation.get("parameters", ()) if each["in"] == "path")


def test_the_tags_are_those_of_the_operations() -> None:
    assert {tag for each in OPERATIONS.values() for tag in each["tags"]} == set(TAGS)
    assert [each["name"] for each in DOCUMENT["tags"]] == [*TAGS]


@pytest.mark.parametrize("name", [name for name in OPERATIONS if not name.startswith(("GET", "DELETE", "HEAD"))])
def test_a_request_with_a_body_says_which(name: str) -> None:
    without_body = r"/(rotate|test|read|recall|accept|revive|retry|drain|logout|check|link)$"
    assert ("requestBody" in OPERATIONS[name]) != bool(re.search(without_body, name))


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_examples_of_an_operation_are_valid(name: str) -> None:
    for content in OPERATIONS[name].get("requestBody", {}).get("content", {}).values():
        assert content["schema"].get("format") == "binary" or content["example"]
    for content in contents(OPERATIONS[name]):
        if content["schema"].get("format") != "binary":
            schema = {**content["schema"], "components": DOCUMENT["components"]}
            jsonschema.Draft202012Validator(schema).validate(content["example"])
    for parameter in OPERATIONS[name].get("parameters", ()):
        jsonschema.Draft202012Validator(parameter["schema"]).validate(parameter["example"])


def test_only_the_body_of_an_upload_that_is_begun_and_of_a_login_may_be_absent() -> None:
    optional = {
        name for name, each in OPERATIONS.items() if not each.get("requestBody", {"required": True})["required"]
    }
    assert optional == {"POST /api/v1/uploads", "POST /api/v1/accounts/{account}/login"}


def test_streams_have_the_schema_of_their_events() -> None:
    streams = {
        name: content
        for name, operation in OPERATIONS.items()
        for media_type, content in operation["responses"].get("200", {}).get("content", {}).items()
        if media_type == "text/event-stream"
    }
    assert set(streams) == {"GET /api/v1/events/stream", "GET /api/v1/accounts/{account}/login/events"}
    assert all("$ref" in json.dumps(each["schema"]) for each in streams.values())


# -- webhooks ----------------------------------------------------------------------------------------------------------


def test_the_bodies_of_webhooks_fit_their_schema() -> None:
    schema = DOCUMENT["webhooks"]["event"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    whole = jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    notice = WebhookNotice(id="n", type="webhook.failing", time=7, webhook="w", name="mine", accounts=None, reason="r")
    send = Outgoing(
        number=1, client_id="17", chat=sample(ImageMessage).chat, kind="text", state="queued", created_at=7,
        changed_at=8,
    )  # fmt: skip

    whole.validate(json.loads(body_of_notice(notice, "event")))
    whole.validate(json.loads(body_of_change(SendChange(1, send), "e", "event")))
    whole.validate(msgspec.to_builtins(view_of_event(AccountEvent(account=1, event=sample(ImageMessage)))))


# -- ranges ------------------------------------------------------------------------------------------------------------


class Number(NamedTuple):
    """A parameter that is a number."""

    operation: str
    parameter: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.operation} {self.parameter['name']}"


NUMBERS = [
    Number(name, parameter)
    for name, operation in OPERATIONS.items()
    for parameter in operation.get("parameters", ())
    if parameter["schema"].get("type") in {"integer", "number"}
]

WAITS = "GET /api/v1/accounts/{account}/login after"
"""The number for which a request waits, until the login is past this step."""


async def refused(running: Running, number: Number, value: float) -> bool:
    """Return whether a request is refused for the value of a parameter."""
    method, path = number.operation.split()
    operation = OPERATIONS[number.operation]
    given = {each["name"]: each["example"] for each in operation["parameters"] if each.get("required")}
    given[number.parameter["name"]] = value
    places = {each["name"]: each["in"] for each in operation["parameters"]}
    path = re.sub(r"\{(\w+)\}", lambda found: str(given[found[1]]), path.replace("{account}", "1"))
    query = {name: each for name, each in given.items() if places[name] == "query"}
    headers = {name: str(each) for name, each in given.items() if places[name] == "header"}
    async with running.client() as client:
        answer = await client.request(method, path, params=query, headers=headers)
    errors = answer.json().get("errors", ()) if answer.status_code == 400 else ()
    name = number.parameter["name"].lower().replace("-", "_")
    return any(each.startswith(f"{name}:") for each in errors) or (
        answer.status_code == 404 and places[number.parameter["name"]] == "path" and not answer.json().get("detail")
    )


@pytest.mark.parametrize("number", NUMBERS, ids=str)
async def test_the_range_of_a_number_is_the_one_that_is_enforced(online: Running, number: Number) -> None:
    schema = number.parameter["schema"]
    least, most = schema["minimum"], schema["maximum"]
    if str(number) != WAITS:
        assert [await refused(online, number, value) for value in (least, most)] == [False, False]
    assert [await refused(online, number, value) for value in (least - 1, most + 1)] == [True, True]


# -- frames of the WebSocket -------------------------------------------------------------------------------------------

FRAMES: dict[str, Any] = json.loads(msgspec.json.encode(describe_frames()))


@pytest.mark.parametrize("kind", [*CLIENT_FRAMES, *SERVER_FRAMES], ids=lambda kind: kind.__name__)
def test_every_frame_fits_the_schema_of_its_side(kind: type[msgspec.Struct]) -> None:
    side = "ClientFrame" if kind in CLIENT_FRAMES else "ServerFrame"
    frame = sample(kind)
    if hasattr(frame, "event"):
        frame = msgspec.structs.replace(frame, event=view_of_event(AccountEvent(account=1, event=sample(ImageMessage))))
    schema = {"$ref": f"#/$defs/{side}", "$defs": FRAMES["$defs"]}

    jsonschema.Draft202012Validator(schema).validate(json.loads(msgspec.json.encode(frame)))
    assert not jsonschema.Draft202012Validator(schema).is_valid({"op": "absent"})


def test_the_schema_of_the_frames_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(FRAMES)


async def test_the_schema_of_the_frames_is_served(running: Running) -> None:
    async with running.anonymous() as client:
        answer = await client.get("/docs/websocket.json")

    assert answer.headers["content-type"] == "application/schema+json"
    assert answer.json() == FRAMES
    assert EventView.__name__ in FRAMES["$defs"]
