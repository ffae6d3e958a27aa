"""
HTTP handlers of a bot: functions that a gateway calls for requests, registered with `@bot.on_http("/deploy")`.

The gateway checks the key and the size of a request before it calls a handler; a bot without a gateway gets no HTTP
requests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

import msgspec

from webwx.bot.injection import InjectedParameters
from webwx.bot.signatures import check_injectable, name_of
from webwx.errors import InvalidRequest
from webwx.model.serialization import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from webwx.bot.injection import CallPlan

T = TypeVar("T")

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""Methods that a handler can have."""

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class InvalidBody(InvalidRequest):
    """The body of the request does not have the form that the handler expects."""


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that a gateway has received for a bot."""

    method: str = "POST"
    """Method, such as `POST`."""
    path: str
    """Path below the bot's, such as `/deploy`."""
    query: Mapping[str, str] = {}
    """Parameters of the query; of a repeated parameter, the last value."""
    headers: Mapping[str, str] = {}
    """Headers by their names in lower case, without headers that contain credentials."""
    body: bytes = b""
    key: str
    """Idempotency key of the request, or a random one."""
    caller: str = ""
    """Id of the API key of the request."""

    def __repr__(self) -> str:
        return f"HttpRequest({self.method} {self.path}, {len(self.body)} bytes)"

    @property
    def text(self) -> str:
        """
        The body as text.

        Raises:
            InvalidBody: The body is not UTF-8; the gateway answers 422.
        """
        try:
            return self.body.decode()
        except UnicodeDecodeError:
            raise InvalidBody("The body is not UTF-8.") from None

    def decode(self, kind: type[T]) -> T:
        """
        Return the body, which is JSON, as a type such as a `msgspec.Struct` or `dict[str, str]`.

        Raises:
            InvalidBody: The body is not JSON of this type; the gateway answers 422.
        """
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidBody(f"The body does not have the expected form: {error}.") from None


class HttpResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of an HTTP handler."""

    status: int = 200
    body: bytes = b""
    media_type: str = "text/plain; charset=utf-8"

    def __repr__(self) -> str:
        return f"HttpResponse({self.status}, {len(self.body)} bytes)"

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def response_of(result: object) -> HttpResponse:
    """
    Return the answer for the result of a handler: a text, None, an answer, or a value that can be encoded as JSON.

    Raises:
        TypeError: The result cannot be encoded as JSON.
    """
    match result:
        case HttpResponse():
            return result
        case None:
            return HttpResponse(status=204)
        case str():
            return HttpResponse(body=result.encode())
        case _:
            return HttpResponse(body=to_json(result).encode(), media_type="application/json")


class HttpHandler:
    """
    A function with its path and methods.

    Args:
        function: Called with a context and the request.
        path: Path below the bot's, such as `/deploy`.
        methods: Methods of the requests that it handles.

    Raises:
        TypeError: The function cannot be called with a context and a request.
        ValueError: The path or a method is invalid.
    """

    def __init__(self, function: Callable[..., object], path: str, methods: Collection[str]) -> None:
        check_injectable(function, 2, "An HTTP handler is called with a context and a request")
        self.function = function
        self.name = name_of(function).rpartition("<locals>.")[2]
        self.path = check_path(path)
        self.methods: frozenset[str] = check_methods(methods)
        self.injected = InjectedParameters(function)

    def __repr__(self) -> str:
        return f"HttpHandler({self.name}, {self.path})"


class HttpRoutes:
    """
    The HTTP handlers of a bot by method and path.

    Args:
        handlers: The handlers, each with the plan of its injected parameters; None for a handler without such
        parameters.

    Raises:
        ValueError: Two handlers have the same method and path.
    """

    def __init__(self, handlers: Iterable[tuple[HttpHandler, CallPlan | None]]) -> None:
        self._found: dict[tuple[str, str], tuple[HttpHandler, CallPlan | None]] = {}
        for handler, plan in handlers:
            for method in handler.methods:
                earlier = self._found.setdefault((method, handler.path), (handler, plan))[0]
                if earlier is not handler:
                    raise ValueError(
                        f"{handler.name} is never called: {earlier.name} has {method} {handler.path} as well."
                    )

    def __bool__(self) -> bool:
        return bool(self._found)

    def find(self, method: str, path: str) -> tuple[HttpHandler, CallPlan | None] | None:
        """Return the handler of a method and path; None if there is no handler."""
        return self._found.get((method, path))

    def methods_of(self, path: str) -> list[str]:
        """Return the methods that a path has; none for an unknown path."""
        return [method for method in METHODS if (method, path) in self._found]

    @property
    def paths(self) -> list[str]:
        """Paths of all handlers."""
        return sorted({path for _, path in self._found})


def check_path(path: str) -> str:
    """
    Return the path of a handler.

    Raises:
        ValueError: The path is invalid.
    """
    if not _PATH.fullmatch(path):
        raise ValueError(
            f"on_http() takes a path such as '/deploy', of letters, digits and '-', '.', '_', '~'; got {path!r}."
        )
    return path


def check_methods(methods: Collection[str]) -> frozenset[str]:
    """
    Return the methods of a handler.

    Raises:
        ValueError: No method is given, or a method is unknown.
    """
    unknown = [each for each in methods if each not in METHODS]
    if isinstance(methods, str) or unknown or not methods:
        raise ValueError(f"methods= of on_http() takes some of {', '.join(METHODS)}, such as ('GET', 'POST').")
    return frozenset(methods)
