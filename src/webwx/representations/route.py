"""
Declarations of the routes of the API, from which the server, its description and the remote client follow.

A route is a constant of the module with the values that it takes and returns.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, Generic, Literal, TypeVar
from urllib.parse import quote

import msgspec

API = "/api/v1"
"""Prefix of all paths of the API."""

ACCOUNT = "/accounts/{account}"
"""Begin of the paths of an account, which is named by its number or name."""

_OF_ACCOUNT = re.compile(rf"{API}/accounts/([^/]+)(?:/|$)")
"""Begin of the path of a request for an account."""

_VALUE = re.compile(r"\{([a-z_]+)(?::[a-z]+)?\}")
"""A value in a path."""

PATH_VALUES = {
    "account": "Number or name of the account",
    "code": "Code of the question to the owner",
    "consumer": "Name of the consumer",
    "event": "Number of the event in its account",
    "event_id": "Id of the event: the number of the account and the number of the event",
    "key_id": "Id of the key",
    "member": "Id or name of the member",
    "message_id": "The platform's id of the message",
    "name": "Name of the file",
    "program_id": "Id of the program",
    "receiver_id": "Id of the receiver",
    "rule_id": "Id of the rule",
    "send_id": "Id of the send",
    "token": "The secret part of the link",
    "upload_id": "Id of the upload",
    "webhook_id": "Id of the webhook",
    "who": "Number, name or id of the contact",
    "worker": "Name of the worker",
}
"""What the values in paths mean, by their names."""

Scope = Literal[
    "read", "read:media", "send", "send:filehelper", "manage", "login", "events", "bots", "webhooks", "receivers",
    "adapters", "admin",
]  # fmt: skip
"""
What a key allows. `read`: contacts, messages and media. `send`: sends to anyone. `manage`: contacts, chatrooms, recall.
`login`: log accounts in and out. `bots`: call the HTTP handlers of bots. `admin`: everything, for all accounts of the
key.
"""


class RouteQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a route: each field is one, with its limits and its description."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def given(self) -> dict[str, object]:
        """Return the parameters that differ from their defaults, by their names."""
        values = [(field, getattr(self, field.name)) for field in msgspec.structs.fields(self)]
        return {field.encode_name: value for field, value in values if value != field.default}


class NoQuery(RouteQuery, frozen=True, kw_only=True):
    """No parameters."""


LARGEST = 2**63 - 1
"""Largest number that is stored."""

LATEST = 253_402_300_799
"""Last second of the year 9999, in seconds since 1970."""

Before = Annotated[int, msgspec.Meta(ge=1, le=LARGEST, description="Only events with a lower number")] | None

Limit = Annotated[int, msgspec.Meta(ge=1, le=1000, description="Maximum number of results")]

Chat = Annotated[str | None, msgspec.Meta(description="Number, name or id of a chat; default: all chats")]

Since = Annotated[float, msgspec.Meta(ge=0, le=LATEST, description="Earliest time: seconds since 1970")]

Until = Annotated[float, msgspec.Meta(ge=0, le=LATEST, description="Latest time: seconds since 1970; 0: no limit")]

Q = TypeVar("Q", bound=RouteQuery)
B = TypeVar("B")
R = TypeVar("R")

_NOTHING: Any = type(None)


class ApiRoute(msgspec.Struct, Generic[Q, B, R], frozen=True, kw_only=True):
    """A route: a method and a path, with the types of what it takes and returns."""

    method: Literal["GET", "HEAD", "POST", "PATCH", "DELETE"]
    path: str
    """Path below the API's, with the names of its values, such as `/accounts/{account}/messages/{event:int}`."""
    scope: Scope | None
    """What a key must allow; None: no key is needed."""
    summary: str
    """Title in the description of the API."""
    reply: type[R]
    """Type of the answer; the type of None: no content; bytes: any content, which is no JSON."""
    body: type[B] = _NOTHING
    """Type of the request's body; the type of None: no body; bytes: any content, which the handler reads itself."""
    is_body_optional: bool = False
    """Whether the body may be absent."""
    example: B | None = None
    """A body for the description of the API, if its required fields alone are no good example."""
    query: type[Q] = NoQuery  # type: ignore[assignment]
    """Type of the parameters."""
    problems: tuple[int, ...] = ()
    """Statuses of the errors with which the route may answer, beside those of every route."""
    created: bool = False
    """Whether the answer is 201, because the request makes something."""
    accepted: bool = False
    """Whether the answer is 202, because the work goes on after it."""
    is_signable: bool = False
    """Whether a signed address opens it, without a key."""
    is_repeatable: bool = False
    """Whether two requests have the same effect as one, if the method alone does not say so."""

    @property
    def status(self) -> int:
        """Status of an answer without an error."""
        if self.reply is _NOTHING:
            return 200 if self.method == "HEAD" else 204
        if self.accepted:
            return 202
        return 201 if self.created else 200

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the values in the path."""
        return tuple(_VALUE.findall(self.path))

    def at(self, *values: str | int) -> str:
        """
        Return the path with its values, quoted.

        Raises:
            ValueError: The path has another number of values.
        """
        if len(values) != len(self.values):
            raise ValueError(f"The path {self.path} has {len(self.values)} values.")
        given = iter(values)
        return _VALUE.sub(lambda _: quote(str(next(given)), safe=""), self.path)

    def values_in(self, path: str) -> tuple[str, ...] | None:
        """Return the values in the path of a request, as written; None if the path is not one of the route."""
        found = _pattern(self.path).fullmatch(path)
        return None if found is None else found.groups()


@cache
def _pattern(path: str) -> re.Pattern[str]:
    """Return the pattern of the paths of requests for a route."""
    return re.compile(API + _VALUE.sub("([^/]+)", path))


def account_in(path: str) -> str | None:
    """Return the number or name of the account that the path of a request names, as written; None for no account."""
    found = _OF_ACCOUNT.match(path)
    return None if found is None else found[1]
