"""
The description of the API (OpenAPI 3.1), from which programs generate clients.

The framework lists the operations with their parameters and answers, as the handlers and their routes declare them.
Objects, examples and texts are added here, from the types.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.serialization import encode_json

from webwx.gateway.api.examples import example_of, given
from webwx.gateway.api.schemas import PLACE, Schema, components_of, reached, schemas_of, structs
from webwx.gateway.problems import KINDS, MEDIA_TYPE, error_pages
from webwx.representations.consumers import CLIENT_FRAMES, SERVER_FRAMES
from webwx.representations.events import EVENTS_SOCKET, EventView, NoticeView
from webwx.representations.problems import Problem
from webwx.representations.route import API, LARGEST, PATH_VALUES
from webwx.representations.sends import SendEventView

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from litestar import Litestar

    from webwx.representations.route import RouteQuery

TAGS = {
    "accounts": "The accounts of the gateway, and their settings.",
    "logins": "Log accounts in and out.",
    "contacts": "People, chatrooms and identities.",
    "messages": "The journal: history, search, recalls and media.",
    "sends": "Send texts and files, and follow their states.",
    "events": "What happens in all accounts, by page or as a stream.",
    "consumers": "Readers with a stored position, and their dead letters.",
    "webhooks": "Addresses of other programs to which the gateway sends events.",
    "receivers": "Addresses at which other programs send notifications, in the forms that they already know.",
    "programs": "Programs that use accounts through adapters, in protocols that they already speak.",
    "incoming files": "Rules that save the files of chats.",
    "bots": "The bots that run inside the gateway.",
    "administration": "Keys, the audit log, the console and the cluster.",
    "monitoring": "Health, readiness and metrics.",
}
"""The groups of operations, in the order of their use."""

ABOUT = """
One local HTTP API for all WeChat accounts of a machine.

Send a key with every request: `Authorization: Bearer wxk_…`. Errors are problems of RFC 9457. Times in bodies are RFC
3339, and times in parameters are seconds since 1970. `/docs/websocket.json` describes the WebSocket of events.
""".strip()
"""Introduction of the description."""

_SENT = (EventView, NoticeView, SendEventView)
"""What the body of a request to a webhook is."""

_PROBLEMS = "#/components/responses/"
"""Begin of a reference to an answer with a problem."""

_PROBLEM = {"$ref": f"{PLACE}{Problem.__name__}"}

_METHODS = ("get", "head", "post", "put", "patch", "delete")

_HEADERS = {
    "webhook-id": "Id of the event; the same for every attempt.",
    "webhook-timestamp": "Time of the attempt: seconds since 1970.",
    "webhook-signature": "`v1,` and the base64 of the HMAC-SHA256 of id, timestamp and body, joined by dots.",
    "webwx-account": "Number of the account; 0 for an event of the gateway itself.",
    "webwx-attempt": "Number of the attempt.",
    "webwx-event": "Type of the event.",
}
"""Headers of a request to a webhook (Standard Webhooks 1.0)."""


def operation_id(handler: HTTPRouteHandler, *_: object) -> str:
    """Return the id of an operation: the name of its handler, such as `sendMessage`."""
    first, *others = handler.fn.__name__.split("_")
    return first + "".join(part.capitalize() for part in others)


def describe(routes: Litestar) -> dict[str, Any]:
    """
    Return the description of a table of routes.

    Args:
        routes: The table.
    """
    document: dict[str, Any] = msgspec.json.decode(encode_json(routes.openapi_schema.to_schema()))
    known = structs()
    schemas = schemas_of([*(known[name] for name in document["components"]["schemas"]), *_SENT])
    handlers = {
        operation_id(handler): handler
        for route in routes.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
    }
    statuses = set[str]()
    for _, operation in operations(document):
        _complete(operation, handlers[operation["operationId"]], schemas)
        statuses |= {status for status, answer in operation["responses"].items() if "$ref" in answer}
    document["components"]["responses"] = _problems(statuses)
    document["webhooks"] = {"event": {"post": _webhook(schemas)}}
    used = reached([document["paths"], document["webhooks"], document["components"]["responses"]], schemas)
    document["components"]["schemas"] = {name: schemas[name] for name in sorted(used)}
    return document


def _name_of(status: str) -> str:
    """Return the name of the answer with a problem, such as `NotFound`."""
    return "".join(part.capitalize() for part in HTTPStatus(int(status)).name.split("_"))


def _problems(statuses: Iterable[str]) -> dict[str, Any]:
    """Return the answers with problems, which the operations share."""
    codes = {str(status): (code, title) for code, (status, title) in reversed(error_pages().items())}
    codes |= {str(int(kind.status)): (code, kind.title) for code, kind in reversed(KINDS.items())}
    made = {}
    for status in sorted(statuses):
        code, title = codes[status]
        example = Problem(type=f"/docs/errors/{code}", title=title, status=int(status), code=code)
        content = {"schema": _PROBLEM, "example": msgspec.to_builtins(example)}
        made[_name_of(status)] = {"description": HTTPStatus(int(status)).phrase, "content": {MEDIA_TYPE: content}}
    return made


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the method and path, and the description, of each operation."""
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def _complete(operation: dict[str, Any], handler: HTTPRouteHandler, schemas: Mapping[str, Schema]) -> None:
    """Add to an operation what the framework does not know."""
    operation.pop("deprecated", None)
    fields = _fields_of(handler.opt["parameters"]) if "parameters" in handler.opt else {}
    for parameter in operation.get("parameters", ()):
        _tidy_parameter(parameter, fields)
        parameter["example"] = example_of(parameter["schema"], schemas, parameter["name"])
    if bodies := handler.opt.get("bodies"):
        content = {media_type: {"schema": schema} for media_type, schema in bodies.items()}
        operation["requestBody"] = {"content": content}
    if "requestBody" in operation:
        operation["requestBody"]["required"] = not handler.opt["is_body_optional"]
    for each in _contents(operation):
        if each["schema"] == _PROBLEM:
            continue
        each["schema"] = _tidy(each["schema"])
        if each["schema"].get("format") != "binary":
            each["example"] = example_of(each["schema"], schemas)
    if (example := handler.opt.get("example")) is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = given(example)
    for status, answer in operation["responses"].items():
        if not answer.get("headers"):
            answer.pop("headers", None)
        if MEDIA_TYPE in answer.get("content", {}):
            operation["responses"][status] = {"$ref": f"{_PROBLEMS}{_name_of(status)}"}
    if handler.opt.get("is_public"):
        operation["security"] = []
    elif "scope" in handler.opt:
        operation["description"] += f"\n\nThe key needs the scope `{handler.opt['scope']}`."


def _contents(operation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for each in (operation.get("requestBody", {}), *operation["responses"].values()):
        for content in each.get("content", {}).values():
            if "schema" in content:
                yield content


def _tidy_parameter(parameter: dict[str, Any], fields: Mapping[str, Schema]) -> None:
    """
    Describe a parameter as it is sent: it may be absent, but is never null.

    Args:
        parameter: The parameter.
        fields: The schemas of the parameters of a declared route, by name.
    """
    for name in ("deprecated", "allowEmptyValue", "allowReserved"):
        parameter.pop(name, None)
    schema = dict(fields.get(parameter["name"]) or _tidy(parameter["schema"]))
    schema.pop("description", None)
    if schema.get("default", ...) in (None, ""):
        del schema["default"]
    others = [each for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
    if len(others) == 1:
        schema = {**others[0], **schema}
        schema.pop("description", None)
    elif others:
        schema["anyOf"] = others
    if isinstance(schema.get("type"), list):
        [schema["type"]] = (each for each in schema["type"] if each != "null")
    if None in schema.get("enum", ()):
        schema["enum"] = [each for each in schema["enum"] if each is not None]
    parameter["schema"] = schema
    if parameter["in"] == "path":
        parameter.setdefault("description", PATH_VALUES[parameter["name"]])


def _fields_of(query: type[RouteQuery]) -> dict[str, Schema]:
    """Return the schemas of the parameters of a route, by name."""
    fields: dict[str, Schema] = components_of([query])[query.__name__]["properties"]
    return fields


def _tidy(schema: Schema) -> Schema:
    """Return a schema of the framework in the form of the others: alternatives, and limits that are whole numbers."""
    tidied: Schema = {}
    for name, value in schema.items():
        match value:
            case float() if value.is_integer():
                tidied[name] = min(int(value), LARGEST)  # the framework's number is not exact
            case dict():
                tidied[name] = _tidy(value)
            case list() if name == "oneOf":
                tidied["anyOf"] = [_tidy(each) for each in value]
            case _:
                tidied[name] = value
    return tidied


def _webhook(schemas: Mapping[str, Schema]) -> dict[str, Any]:
    """Return the description of the requests that the gateway sends."""
    schema = {"anyOf": [{"$ref": PLACE + kind.__name__} for kind in _SENT]}
    headers = [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": text}
        for name, text in _HEADERS.items()
    ]
    return {
        "operationId": "receiveEvent", "tags": ["webhooks"], "summary": "Receive an event",
        "description": "The gateway sends each event that a webhook selects, until the server answers with 2xx.",
        "security": [],
        "parameters": headers,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": example_of(schema, schemas)}},
        },
        "responses": {
            "2XX": {"description": "The event has arrived."},
            "410": {"description": "The address is gone: the gateway disables the webhook."},
            "default": {"description": "The event has not arrived; another attempt follows."},
        },
    }  # fmt: skip


def describe_frames() -> dict[str, Any]:
    """Return the JSON Schema of the messages of the WebSocket for events."""
    place = "#/$defs/"
    schemas = schemas_of([*CLIENT_FRAMES, *SERVER_FRAMES], place)
    sides = {
        side: {"title": side, "anyOf": [{"$ref": place + kind.__name__} for kind in kinds]}
        for side, kinds in {"ClientFrame": CLIENT_FRAMES, "ServerFrame": SERVER_FRAMES}.items()
    }
    used = reached([*sides.values()], schemas, place)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Messages of the WebSocket {API}{EVENTS_SOCKET}",
        "anyOf": [{"$ref": place + side} for side in sides],
        "$defs": {**sides, **{name: schemas[name] for name in sorted(used)}},
    }
