"""JSON bodies of requests: text that cannot be decoded and numbers that cannot be stored are errors of the client."""

from __future__ import annotations

import re
from typing import Any

from litestar import Request
from litestar.datastructures import State

from webwx.gateway.access.auth import Caller
from webwx.gateway.problems import GatewayProblem
from webwx.representations.route import LARGEST

_LONG_NUMBER = re.compile(rb"[0-9]{19}")
"""A number that may have more than 64 bits, or a part of a text."""


class ApiRequest(Request[Caller | None, Any, State]):
    """A request whose JSON body is checked before a handler gets it."""

    async def json(self) -> Any:
        """
        Return the body as JSON.

        Raises:
            GatewayProblem: The body is nested too deeply or not UTF-8, or an integer has more than 64 bits.
        """
        try:
            value = await super().json()
        except (RecursionError, UnicodeDecodeError):
            raise GatewayProblem("bad-request", "The body is nested too deeply, or not UTF-8.") from None
        if _LONG_NUMBER.search(await self.body()) and has_long_integer(value):
            raise GatewayProblem("bad-request", "An integer of the body has more than 64 bits.")
        return value


def has_long_integer(value: Any) -> bool:
    """Return whether a JSON value holds an integer of more than 64 bits."""
    rest = [value]
    while rest:
        match rest.pop():
            case int() as number if not -LARGEST - 1 <= number <= LARGEST:
                return True
            case dict() as fields:
                rest.extend(fields.values())
            case list() as items:
                rest.extend(items)
    return False
