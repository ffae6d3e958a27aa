"""
Which account a request is for, so that it can be forwarded to the account's owner.

Each part of the gateway that answers requests for accounts finds them: the routes of the API here, and links, bots and
adapters each in a class of their own. Forwarding asks them in turn.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from webwx.representations.route import account_in
from webwx.representations.webhooks import REVIVE_LOST_DELIVERY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from litestar.types import Scope, Send
    from litestar.types.asgi_types import HTTPScope, WebSocketScope

    from webwx.errors import WxError
    from webwx.gateway.problems import GatewayProblem

_EVENT_ID = re.compile(r"(\d+)-\d+")
"""Id of an event, with the number of its account."""


class FindsAccount(Protocol):
    """A part of the gateway that answers requests for accounts."""

    async def account_of(self, scope: HTTPScope) -> int | None:
        """
        Return the number of the account that a request is for; None if it is for none, or for another part.

        Raises:
            GatewayProblem: The request is for one of several accounts, and does not say for which.
            StorageError: The account cannot be looked up.
        """
        ...


class FindsSocketAccount(FindsAccount, Protocol):
    """A part of the gateway whose WebSockets belong to the node that runs the account, as its requests do."""

    async def account_of(self, scope: HTTPScope | WebSocketScope) -> int | None:
        """
        Return the number of the account that a request or an upgrade is for; None if it is for none.

        Raises:
            GatewayProblem: The request is for one of several accounts, and does not say for which.
            StorageError: The account cannot be looked up.
        """
        ...


class RefusesForwarded(Protocol):
    """A part of the gateway whose clients understand errors in the form of their own protocol."""

    def has(self, scope: Scope) -> bool:
        """Return whether a request is for this part."""
        ...

    async def refuse_forwarded(
        self, scope: HTTPScope, send: Send, body: bytes | None, error: WxError | GatewayProblem
    ) -> None:
        """
        Answer a request to which the owner of its account has not answered.

        Args:
            scope: The request; its token was checked.
            send: Sends the answer.
            body: The body, a long one without its long texts; None if it is too long, or the client has left.
            error: Why there is no answer.
        """
        ...


class RouteAccounts:
    """
    Finds the accounts that the paths of the API name.

    Args:
        look_up: Returns the number of an account by its number or name; None if no node has added it.
    """

    def __init__(self, look_up: Callable[[str], Awaitable[int | None]]) -> None:
        self._look_up = look_up

    def __repr__(self) -> str:
        return "RouteAccounts()"

    async def account_of(self, scope: HTTPScope) -> int | None:
        """Return the account that a path names itself, or by the id of an event."""
        revived = REVIVE_LOST_DELIVERY.values_in(scope["path"])
        event_id = None if revived is None else _EVENT_ID.fullmatch(revived[1])
        named = account_in(scope["path"]) if event_id is None else event_id[1]
        return None if named is None else await self._look_up(named)
