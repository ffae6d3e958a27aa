"""The description of the API: `/openapi.json`, and static pages made from it, without a script or another host."""

from __future__ import annotations

import asyncio
import hashlib
from functools import cache
from html import escape
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from litestar import Litestar, Request, Response, Router, get
from litestar.datastructures import State
from litestar.enums import MediaType
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.params import FromPath, HeaderParameter

from webwx.gateway.access.auth import Caller
from webwx.gateway.api.description import describe, describe_frames
from webwx.gateway.problems import FAILURES, GatewayProblem, error_pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_METHODS = ("get", "head", "post", "put", "patch", "delete")


class ReferencePage(OpenAPIRenderPlugin):
    """The page `/docs`: every operation with its parameters, bodies and answers, and every struct."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the page."""
        del openapi_schema  # the framework's, which is not complete
        description = _description_once(request.app, "").document
        return _page(str(description["info"]["title"]), "".join(_reference(description))).encode()


class _Description(NamedTuple):
    """The description of the API."""

    document: dict[str, Any]
    body: bytes
    """It as JSON."""
    tag: str
    """Value of the header `ETag`."""


_making = Lock()


@cache
def _description(app: Litestar, root: str) -> _Description:
    document = {**describe(app), "servers": [{"url": root or "/"}]}
    body = msgspec.json.encode(document)
    return _Description(document, body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _description_once(app: Litestar, root: str) -> _Description:
    """
    Return the description of an app; it is made once, because that takes a fifth of a second.

    Args:
        app: The app.
        root: Path below which a proxy serves the gateway; empty: the root of its name.
    """
    with _making:
        return _description(app, root)


@get("/openapi.json", is_public=True, include_in_schema=False)
async def show_openapi(
    request: Request[Caller, None, State],
    if_none_match: Annotated[str | None, HeaderParameter(name="If-None-Match")] = None,
) -> Response[bytes]:
    """Return the description of the API (OpenAPI 3.1)."""
    description = await asyncio.to_thread(_description_once, request.app, str(request.scope.get("app_root_path", "")))
    headers = {"ETag": description.tag, "Cache-Control": "no-cache"}
    if if_none_match is not None and description.tag in if_none_match:
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(description.body, media_type=MediaType.JSON, headers=headers)


@get("/docs/websocket.json", is_public=True, include_in_schema=False)
async def show_frames() -> Response[bytes]:
    """Return the JSON Schema of the messages of the WebSocket for events."""
    return Response(await asyncio.to_thread(_frames), media_type="application/schema+json")


@cache
def _frames() -> bytes:
    with _making:
        return msgspec.json.encode(describe_frames())


@get("/docs/errors", is_public=True, include_in_schema=False, media_type=MediaType.HTML)
async def list_errors() -> str:
    """Return the page with all kinds of errors."""
    rows = (
        f"<tr><td><a href='errors/{escape(code)}'>{escape(code)}</a><td>{status}<td>{escape(title)}"
        for code, (status, title) in {**error_pages(), **_failures()}.items()
    )
    return _page("Errors", f"<h1>Errors</h1><table><tr><th>Code<th>Status<th>Meaning{''.join(rows)}</table>")


def _failures() -> dict[str, tuple[str, str]]:
    """Return what no request is answered with, as rows of the table."""
    return {code: ("", title) for code, title in FAILURES.items()}


@get("/docs/errors/{code:str}", is_public=True, include_in_schema=False, media_type=MediaType.HTML)
async def show_error(code: FromPath[str]) -> str:
    """Return the page about one kind of error."""
    found = error_pages().get(code)
    if found is None and code not in FAILURES:
        raise GatewayProblem("not-found")
    status, title = found or (None, FAILURES[code])
    status_line = f"<p>The HTTP status is {status}.</p>" if status else ""
    body = (
        f"<h1>{escape(code)}</h1><p>{escape(title)}</p>{status_line}"
        "<p><a href='../errors'>All errors</a> · <a href='../../docs'>The API</a></p>"
    )
    return _page(code, body)


documents_router = Router("/", route_handlers=[show_openapi, show_frames, list_errors, show_error])


def _page(title: str, body: str) -> str:
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<meta name='viewport' content='width=device-width'><body>{body}</body></html>"
    )


def _reference(schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h1>{escape(str(schema['info']['title']))} {escape(str(schema['info']['version']))}</h1>"
    yield "<p>Send a key with every request: <code>Authorization: Bearer wxk_…</code>. "
    yield "The same description for programs: <a href='openapi.json'>/openapi.json</a>. "
    yield "Errors: <a href='docs/errors'>/docs/errors</a>.</p>"
    for path, operations in schema["paths"].items():
        for method in _METHODS:
            if method in operations:
                yield from _operation(method, path, operations[method])
    yield "<h2>Values</h2>"
    for name, fields in sorted(schema["components"].get("schemas", {}).items()):
        yield from _struct(name, fields)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h2 id='{escape(str(operation['operationId']))}'>{method.upper()} {escape(path)}</h2>"
    for line in str(operation.get("description") or operation.get("summary") or "").split("\n\n"):
        yield f"<p>{escape(line)}</p>"
    if operation.get("parameters"):
        yield "<table><tr><th>Parameter<th>In<th>Type<th>Meaning"
        for each in operation["parameters"]:
            star = " *" if each.get("required") else ""
            yield f"<tr><td><code>{escape(each['name'])}</code>{star}<td>{escape(each['in'])}"
            yield f"<td>{_type(each.get('schema', {}))}<td>{escape(str(each.get('description') or ''))}"
        yield "</table>"
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body, {escape(media_type)}: {_type(content.get('schema', {}))}</p>"
    yield "<table><tr><th>Status<th>Body<th>Meaning"
    for status, answer in sorted(operation["responses"].items()):
        if "$ref" in answer:
            yield f"<tr><td>{status}<td>{_type(_PROBLEM)}<td>{HTTPStatus(int(status)).phrase}"
            continue
        bodies = ", ".join(_type(each.get("schema", {})) for each in answer.get("content", {}).values())
        yield f"<tr><td>{escape(str(status))}<td>{bodies}<td>{escape(str(answer.get('description', '')))}"
    yield "</table>"


_PROBLEM = {"$ref": "#/components/schemas/Problem"}


def _struct(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h3 id='{escape(name)}'>{escape(name)}</h3><p>{escape(str(schema.get('description', '')))}</p>"
    if "properties" not in schema:
        yield f"<p>{_type(schema)}</p>"
        return
    yield "<table><tr><th>Field<th>Type<th>Meaning"
    for field, each in schema["properties"].items():
        star = " *" if field in schema.get("required", ()) else ""
        yield f"<tr><td><code>{escape(field)}</code>{star}<td>{_type(each)}"
        yield f"<td>{escape(str(each.get('description', '')))}"
    yield "</table>"


def _type(schema: Mapping[str, Any]) -> str:
    """Return the name of a type, linked if it is a struct."""
    if "$ref" in schema:
        name = escape(str(schema["$ref"]).rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    for together in ("oneOf", "anyOf"):
        if together in schema:
            return " or ".join(map(_type, schema[together]))
    if "allOf" in schema:
        return ", with ".join(map(_type, schema["allOf"]))
    if "properties" in schema:
        fields = ((f"<code>{escape(name)}</code>: {_type(each)}") for name, each in schema["properties"].items())
        return ", ".join(fields)
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(each))}</code>" for each in schema["enum"])
    return escape(str(schema.get("format") or schema.get("type") or "any"))
