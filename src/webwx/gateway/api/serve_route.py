"""Handlers of declared routes."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints
from urllib.parse import unquote_to_bytes

import msgspec
from litestar import Response
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter
from litestar.types import Empty

from webwx.gateway.api.documented import problems
from webwx.gateway.api.parameters import OwnedFinder
from webwx.override import override
from webwx.representations.route import API, NoQuery

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from litestar._kwargs import KwargsModel
    from litestar.connection import ASGIConnection
    from litestar.openapi.datastructures import ResponseSpec
    from litestar.response import Stream
    from litestar.types import Scope
    from litestar.types.internal_types import PathParameterDefinition

    from webwx.gateway.api.schemas import Schema
    from webwx.representations.route import ApiRoute

R = TypeVar("R")

Handler: TypeAlias = "Callable[..., Awaitable[R | Response[R] | Stream]]"
"""A function that answers a request."""

_UNTYPED = re.compile(r"\{([a-z_]+)\}")
"""A value of a path that is a text."""

_OWNED = "owned"

_FIND_OWNED = "find_owned"

_SLASH = "\ufdd0"
"""
What stands in a path for a slash inside of a value while the framework finds the handler, because it splits paths after
it has decoded them. Unicode assigns this character no meaning.
"""

_ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE)

_LIMITS = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "title", "description")
"""What a field's `Meta` and a parameter have in common."""


class RouteHandler(HTTPRouteHandler):
    """
    A handler that does less for each request than the base class.

    It shows itself to the check of access, not a copy, and finds its dependencies one after another, not in a task
    each: none of them waits for anything.
    """

    @override
    def create_kwargs_model(self, path_parameters: dict[str, PathParameterDefinition]) -> KwargsModel:
        model = super().create_kwargs_model(path_parameters)
        model.dependency_batches = [{each} for batch in model.dependency_batches for each in batch]
        return model

    @override
    async def authorize_connection(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        for guard in self.resolve_guards():
            await guard(connection, self)  # type: ignore[misc]  # as in the base class


def serve(
    route: ApiRoute[Any, Any, R],
    *,
    responses: Mapping[int, ResponseSpec] | None = None,
    bodies: Mapping[str, Schema] | None = None,
    is_limited: bool = True,
) -> Callable[[Handler[R]], HTTPRouteHandler]:
    """
    Make the decorated function the handler of a route.

    It gets each value of the path under its name, the body as `data`, the parameters as `query`, and if it asks for it,
    the client that acts for the account as `owned`; the account is asked for it once the request is found valid.

    Args:
        route: The route.
        responses: Further answers in the description of the API.
        bodies: The schema of each media type of a body that the function reads itself.
        is_limited: Whether the body is at most as long as the configuration allows.

    Raises:
        TypeError: The types of the function differ from those of the route.
    """

    def served(function: Handler[R]) -> HTTPRouteHandler:
        hints = get_type_hints(function, vars(sys.modules[function.__module__]), include_extras=True)
        _check(route, function, hints)
        return RouteHandler(
            _UNTYPED.sub(r"{\1:str}", route.path), http_method=route.method, summary=route.summary,
            status_code=route.status, responses={**problems(*route.problems), **(responses or {})},
            scope=route.scope, is_public=route.scope is None, security=[] if route.scope is None else None,
            is_signable=route.is_signable, is_declared=True, request_max_body_size=Empty if is_limited else None,
            parameters=route.query, example=route.example, bodies=bodies or {},
            is_body_optional=route.is_body_optional,
        )(_adapted(function, hints, route))  # fmt: skip

    return served


def _check(route: ApiRoute[Any, Any, Any], function: Callable[..., object], hints: Mapping[str, Any]) -> None:
    """
    Check that a function fits a route.

    Raises:
        TypeError: A type or a value of the path differs.
    """
    returned = bytes if route.reply is bytes else hints["return"]
    if get_origin(returned) is Response:
        (returned,) = get_args(returned)
    body: Any = get_args(hints["data"])[0] if "data" in hints else bytes if route.body is bytes else type(None)
    wanted = Union[route.body, None] if route.is_body_optional and route.body is not bytes else route.body  # noqa: UP007 - of a type at run time
    absent = {name for name in route.values if name not in hints and name != "account"}
    if (returned, body, hints.get("query", NoQuery)) != (route.reply, wanted, route.query) or absent:
        raise TypeError(f"{function.__qualname__} does not fit the route {route.method} {route.path}.")


def mark_slashes(scope: Scope) -> None:
    """Mark the slashes inside of values in the path of a request, so that they do not split it."""
    if scope["type"] == ScopeType.HTTP and scope["path"].startswith(API) and _ENCODED_SLASH.search(scope["raw_path"]):
        raw = _ENCODED_SLASH.sub(_SLASH.encode(), scope["raw_path"])
        scope["path"] = unquote_to_bytes(raw).decode(errors="replace")


def with_slashes(value: str) -> str:
    """Return a value in a path with its slashes, which `mark_slashes` has marked."""
    return value.replace(_SLASH, "/")


def _adapted(function: Handler[R], hints: Mapping[str, Any], route: ApiRoute[Any, Any, R]) -> Handler[R]:
    """
    Return a function that gets what the framework can provide.

    Each field of the query is a parameter of its own, slashes in the path are marked, and instead of the client that
    acts for the account there is a function that finds it, because the framework provides before it validates.
    """
    texts = [name for name in route.values if hints.get(name) is str or get_args(hints.get(name))[:1] == (str,)]
    if route.query is NoQuery and not texts and _OWNED not in hints:
        return function
    query = route.query
    types = get_type_hints(query, include_extras=True)
    fields = msgspec.structs.fields(query)

    @functools.wraps(function)
    async def flattened(**given: Any) -> R | Response[R] | Stream:
        given |= {name: with_slashes(given[name]) for name in texts}
        if query is not NoQuery:
            given["query"] = query(**{field.name: given.pop(field.name) for field in fields})
        if _OWNED in hints:
            given[_OWNED] = await given.pop(_FIND_OWNED)()
        return await function(**given)

    own = [each for name, each in inspect.signature(function).parameters.items() if name not in {"query", _OWNED}]
    if _OWNED in hints:
        own.append(inspect.Parameter(_FIND_OWNED, inspect.Parameter.KEYWORD_ONLY, annotation=OwnedFinder))
    parameters = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, annotation=_parameter(field, types[field.name]),
            default=inspect.Parameter.empty if field.default is msgspec.NODEFAULT else field.default,
        )
        for field in fields
    ]  # fmt: skip
    del flattened.__wrapped__
    flattened.__annotations__ = {
        **{name: each for name, each in hints.items() if name not in {"query", _OWNED}},
        **({_FIND_OWNED: OwnedFinder} if _OWNED in hints else {}),
        **{each.name: each.annotation for each in parameters},
    }
    flattened.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own] + parameters
    )
    return flattened


def _parameter(field: msgspec.structs.FieldInfo, annotated: Any) -> Any:
    """Return the annotation of a parameter with the type, the limits and the description of a field."""
    kind, marks = _unmarked(annotated)
    given: dict[str, Any] = {} if field.encode_name == field.name else {"name": field.encode_name}
    for mark in marks:
        if isinstance(mark, msgspec.Meta):
            given |= {name: value for name in _LIMITS if (value := getattr(mark, name)) is not None}
    if get_origin(kind) is list:
        given = {name.replace("_length", "_items"): value for name, value in given.items()}
    return Annotated[kind, QueryParameter(**given)]


def _unmarked(annotated: Any) -> tuple[Any, list[Any]]:
    """Return a type without the marks of itself and of the members of a union, and these marks."""
    kind, *marks = get_args(annotated) if get_origin(annotated) is Annotated else (annotated,)
    if get_origin(kind) in {Union, UnionType}:
        members = [_unmarked(each) for each in get_args(kind)]
        kind = Union[tuple(member for member, _ in members)]  # noqa: UP007 - of a number that is not known here
        marks += [mark for _, own in members for mark in own]
    return kind, marks
